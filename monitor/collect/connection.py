"""One connection, from the first attempt to the last frame.

It opens a socket, says what it wants, puts each frame into the log with as little ado as
possible, keeps the venue's heartbeat, and notices when nothing useful comes any more. It never
tries again: that is its keeper's part (`monitor.collect.keeper`).
"""

import asyncio
from random import Random

from websockets.exceptions import InvalidStatus, WebSocketException

from monitor.collect.budget import Patience, Window, retry_after_s
from monitor.collect.log import Log
from monitor.collect.websocket import Socket, close_socket, open_socket, reason
from monitor.errors import VenueError
from monitor.events import FactKind, Outcome
from monitor.venues.contract import Session, Venue

# The watchdog looks this often in `quiet_s`, so it bites after 1 to 1.25 of it.
_LOOKS = 4
# The part of a connection's lifetime after which it is replaced: early, and never together.
_ROTATE_FROM, _ROTATE_TO = 0.85, 0.95


class Connection:
    """One socket of one session.

    Attributes:
        id: Its number in the log.
        useful: Whether it ever delivered a useful frame.
        ended: Whether it is over; `detail` says why, `retry_after_s` what the venue asked for.
        settled: Set as soon as it is useful, is to be replaced, or ended.
        leaving: Set as soon as it is to be replaced, or ended.
    """

    def __init__(
        self,
        number: int,
        venue: Venue,
        session: Session,
        url: str,
        log: Log,
        rng: Random,
        patience: Patience,
    ) -> None:
        self.id = number
        self.useful = False
        self.ended = False
        self.detail = ""
        self.retry_after_s = 0.0
        self.settled = asyncio.Event()
        self.leaving = asyncio.Event()
        self._venue = venue
        self._session = session
        self._url = url
        self._log = log
        self._rng = rng
        self._patience = patience
        self._pace = Window(1.0, 1.0 / venue.limits.frames_per_s)
        self._changed = asyncio.Event()
        self._retired = asyncio.Event()
        self._heard = False
        self._subscribed = False
        self._acknowledged = False

    def update(self, session: Session) -> None:
        """Want these topics from now on; what differs is subscribed and dropped in place."""
        self._session = session
        self._changed.set()

    def leave(self, detail: str) -> None:
        """Ask to be replaced, and go on until then."""
        self.detail = self.detail or detail
        self.leaving.set()
        self.settled.set()

    def retire(self) -> None:
        """Close after the overlap: the next connection delivers."""
        self._retired.set()

    async def run(self) -> None:
        """Connect and deliver until it ends; only bugs and cancellation leave it."""
        detail = "stopped"
        try:
            self._fact(FactKind.CONNECTING, self._url)
            socket = await open_socket(self._url, self._patience)
            try:
                self._fact(FactKind.CONNECTED)
                await self._converse(socket)
            finally:
                await close_socket(socket, self._patience)
        except* (OSError, WebSocketException, VenueError) as errors:
            error = _first(errors)
            detail = reason(error, self._patience)
            if isinstance(error, InvalidStatus):
                asked = error.response.headers.get_all("Retry-After")
                self.retry_after_s = retry_after_s(asked[0] if asked else None)
        finally:
            self.detail = self.detail or detail
            self.ended = True
            self._fact(FactKind.DISCONNECTED, self.detail)
            self.leaving.set()
            self.settled.set()

    async def _converse(self, socket: Socket) -> None:
        lifetime_s = self._session.lifetime_s * self._rng.uniform(_ROTATE_FROM, _ROTATE_TO)
        loop = asyncio.get_running_loop()
        rotation = loop.call_later(lifetime_s, self.leave, "rotated") if lifetime_s else None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._receive(socket), name=f"receive:{self.id}")
                group.create_task(self._speak(socket), name=f"speak:{self.id}")
                group.create_task(self._watch(socket), name=f"watch:{self.id}")
        finally:
            if rotation is not None:
                rotation.cancel()

    async def _receive(self, socket: Socket) -> None:
        """Take every message until the socket is closed."""
        frame = self._log.frame
        number = self.id
        useful = Outcome.USEFUL
        nothing = Outcome.NOTHING

        def take(data: bytes) -> None:
            """The path of every frame; anything added here is paid for by all of them."""
            outcome = frame(number, data)
            if outcome is useful:
                if not self._heard:
                    self._hear()
            elif outcome is not nothing:
                self._notice(outcome)

        await socket.deliver(take)

    def _hear(self) -> None:
        self._heard = True
        self.useful = True
        self.settled.set()

    def _notice(self, outcome: Outcome) -> None:
        if outcome is Outcome.RESTART:
            self.leave("restart notice")
        elif outcome is Outcome.ACKNOWLEDGED and not self._acknowledged:
            self._acknowledged = True
            if self._subscribed:
                self._fact(FactKind.ACKNOWLEDGED)

    async def _speak(self, socket: Socket) -> None:
        """Subscribe to what is wanted, now and whenever that changes; keep the heartbeat."""
        had: tuple[str, ...] = ()
        while True:
            self._changed.clear()
            session = self._session
            if gone := _without(had, session.topics):
                await self._say(socket, self._venue.unsubscribe(session, gone))
            if new := _without(session.topics, had):
                await self._say(socket, self._venue.subscribe(session, new))
            had = session.topics
            if not self._subscribed:
                self._subscribed = True
                self._fact(FactKind.SUBSCRIBED)
                if self._acknowledged:
                    self._fact(FactKind.ACKNOWLEDGED)
            await self._heartbeat(socket)

    async def _heartbeat(self, socket: Socket) -> None:
        """Ping as the venue wants it, until other topics are wanted."""
        while not self._changed.is_set():
            ping = self._session.ping
            try:
                async with asyncio.timeout(self._session.ping_interval_s if ping else None):
                    await self._changed.wait()
            except TimeoutError:
                if ping is not None:
                    await self._say(socket, (ping,))

    async def _say(self, socket: Socket, frames: tuple[bytes, ...]) -> None:
        loop = asyncio.get_running_loop()
        for frame in frames:
            await asyncio.sleep(self._pace.reserve(loop.time()))
            async with asyncio.timeout(self._patience.send_timeout_s):
                await socket.send(frame, text=True)

    async def _watch(self, socket: Socket) -> None:
        """End it when nothing useful comes, or when it was replaced."""
        silent = 0
        while silent < _LOOKS:
            try:
                async with asyncio.timeout(self._session.quiet_s / _LOOKS):
                    await self._retired.wait()
            except TimeoutError:
                silent = 0 if self._heard else silent + 1
                self._heard = False
            else:
                await asyncio.sleep(self._patience.overlap_s)
                # Received to the end: what is on its way while closing is data, too.
                await close_socket(socket, self._patience)
                return
        raise VenueError(f"quiet: nothing useful for {self._session.quiet_s:g} s")

    def _fact(self, kind: FactKind, detail: str = "") -> None:
        self._log.fact(self.id, self._venue.name, self._session.name, kind, detail)


def _without(topics: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    known = frozenset(others)
    return tuple(topic for topic in topics if topic not in known)


def _first(errors: BaseExceptionGroup[Exception]) -> BaseException:
    """The error that came first: the others followed from it."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
