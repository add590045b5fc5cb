"""What the tests of the collect room share: a core that keeps a tape, and a venue on loopback."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from monitor.clock import MarketClock
from monitor.collect.budget import Patience
from monitor.collect.log import Log
from monitor.events import Answer, Completeness, Event, Fact, FactKind, Outcome
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues.contract import Limits, Poll, Reader, Session, Venue

WEBSOCKET = "ws://venue.test"
REST = "http://venue.test"
# Deadlines short enough for tests; the rules are those of production.
QUICK = Patience(
    open_timeout_s=2.0,
    close_timeout_s=0.2,
    overlap_s=0.05,
    backoff_base_s=0.02,
    backoff_cap_s=0.2,
    answer_timeout_s=2.0,
)
WALL = MarketClock()
OUTCOMES = {
    b"ack": Outcome.ACKNOWLEDGED,
    b"dat": Outcome.USEFUL,
    b"err": Outcome.REFUSED,
    b"bye": Outcome.RESTART,
}


class Bell:
    """Rung whenever something happened that a test may be waiting for."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Let waiting tests look again."""
        self._rung.set()

    async def until(self, holds: Callable[[], bool], deadline_s: float = 5.0) -> None:
        """Wait until it holds; a test that waits in vain fails."""
        async with asyncio.timeout(deadline_s):
            while not holds():
                self._rung.clear()
                await self._rung.wait()


async def eventually(holds: Callable[[], bool], deadline_s: float = 5.0) -> None:
    """Wait until something holds that rings no bell."""
    async with asyncio.timeout(deadline_s):
        while not holds():  # noqa: ASYNC110 - statuses and threads have no event
            await asyncio.sleep(0.005)


@dataclass
class Tape:
    """A core that keeps what the log hands it; frames say by their first letters what they are.

    An answer of status 200 to an `instruments` poll lists the product's symbols, one a word.
    """

    bell: Bell = field(default_factory=Bell)
    table: InstrumentTable = field(default_factory=lambda: InstrumentTable("test"))
    stamps: list[int] = field(default_factory=list)
    frames: list[tuple[int, bytes]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
        """Keep a frame."""
        self.stamps.append(received_ns)
        self.frames.append((connection, data))
        self.bell.ring()
        return OUTCOMES.get(data[:3], Outcome.NOTHING)

    def answer(self, answer: Answer) -> None:
        """Keep an answer; a listing fills the table."""
        self.stamps.append(answer.received_ns)
        self.answers.append(answer)
        if answer.poll == "instruments" and answer.status == 200:
            symbols = answer.body.decode().split()
            self.table.replace(answer.key, [listed(each, answer.key) for each in symbols])
        self.bell.ring()

    def fact(self, fact: Fact) -> None:
        """Keep a fact."""
        self.stamps.append(fact.received_ns)
        self.facts.append(fact)
        self.bell.ring()

    def kinds(self, connection: int) -> list[FactKind]:
        """What happened to a connection, in order."""
        return [fact.kind for fact in self.facts if fact.connection == connection]

    def details(self, kind: FactKind) -> list[str]:
        """Details of all facts of a kind, in order."""
        return [fact.detail for fact in self.facts if fact.kind is kind]

    def count(self, kind: FactKind) -> int:
        """How many facts of a kind there were."""
        return len(self.details(kind))

    def data(self) -> list[bytes]:
        """The useful frames of all connections, in order."""
        return [frame for _, frame in self.frames if frame.startswith(b"dat")]


def log_onto(tape: Tape, clock: MarketClock = WALL) -> Log:
    """A log that is not recorded."""
    return Log(clock, tape, None)


def listed(symbol: str, product: str = "spot") -> Instrument:
    """A known instrument."""
    return Instrument("test", product, symbol, symbol, "USD", "USD", Unit.BASE)


def _words(verb: bytes) -> Callable[[Session, tuple[str, ...]], tuple[bytes, ...]]:
    return lambda _, topics: tuple(verb + b" " + topic.encode() for topic in topics)


def _no_answer(*_: object) -> tuple[Event, ...]:
    raise AssertionError("the collector does not read answers")


def _no_reader(*_: object) -> Reader:
    raise AssertionError("the collector makes no readers")


def plan_all(table: InstrumentTable, _: frozenset[str]) -> tuple[Session, ...]:
    """One session that wants every symbol."""
    return (session(tuple(sorted(each.symbol for each in table))),)


def session(topics: tuple[str, ...] = ("BTC",), name: str = "main") -> Session:
    """A session at the loopback venue's address."""
    return Session(name, f"{WEBSOCKET}/stream?of=all", topics)


VENUE = Venue(
    name="test",
    docs="https://venue.test/docs",
    products=("spot",),
    completeness=Completeness.FULL,
    limits=Limits(connects_per_5min=1000, frames_per_s=1000.0, rest_weight_per_min=6000),
    listings=(Poll("instruments", "spot", f"{REST}/instruments", 3600.0),),
    plan=plan_all,
    polls=lambda *_: (),
    subscribe=_words(b"sub"),
    unsubscribe=_words(b"drop"),
    reader=_no_reader,
    answer=_no_answer,
)


def venue(**changes: object) -> Venue:
    """The loopback venue, changed."""
    return msgspec.structs.replace(VENUE, **changes)


@dataclass
class Server:
    """A websocket server: who came, and what was said to it."""

    bell: Bell
    port: int = 0
    sockets: list[ServerConnection] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    @property
    def endpoints(self) -> dict[str, str]:
        """What leads the loopback venue's address here."""
        return {WEBSOCKET: f"ws://127.0.0.1:{self.port}"}

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://127.0.0.1:{self.port}/stream"

    async def listen(self, socket: ServerConnection) -> AsyncIterator[str]:
        """What a client says, until it goes."""
        async for said in socket:
            self.heard.append(str(said))
            self.bell.ring()
            yield str(said)


Manner = Callable[[Server, ServerConnection], Coroutine[None, None, None]]


async def mute(server: Server, socket: ServerConnection) -> None:
    """Listen and never answer."""
    async for _ in server.listen(socket):
        pass


async def attentive(server: Server, socket: ServerConnection) -> None:
    """Acknowledge whatever is said, and deliver nothing."""
    async for _ in server.listen(socket):
        await socket.send("ack")


async def generous(server: Server, socket: ServerConnection) -> None:
    """Acknowledge whatever is said, and deliver one useful frame for it."""
    async for said in server.listen(socket):
        await socket.send("ack")
        await socket.send("data for " + said)


@asynccontextmanager
async def serving(bell: Bell, manner: Manner) -> AsyncIterator[Server]:
    """A websocket server on loopback that treats every connection in this manner."""
    server = Server(bell)

    async def handle(socket: ServerConnection) -> None:
        server.sockets.append(socket)
        server.paths.append(socket.request.path if socket.request else "")
        bell.ring()
        await manner(server, socket)

    async with serve(handle, "127.0.0.1", 0, compression=None, close_timeout=0.2) as listening:
        server.port = next(iter(listening.sockets)).getsockname()[1]
        yield server


@asynccontextmanager
async def running(work: Coroutine[None, None, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run this beside the test, cancel it at the end, and see that it goes promptly."""
    task = asyncio.create_task(work, name="under test")
    try:
        yield task
    finally:
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=1.0)
        assert done == {task}, "cancellation took more than a second"
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error


def files(directory: Path) -> list[Path]:
    """What is in a directory, by name."""
    return sorted(directory.iterdir())


def dice() -> Random:
    """The same dice in every test."""
    return Random(7)
