"""One venue, kept: listings, plan, replans, and what trouble is nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest
from aiohttp import web
from blockbuster import blockbuster_ctx
from websockets.asyncio.server import ServerConnection

from monitor.clock import MarketClock
from monitor.collect.budget import Patience
from monitor.collect.supervisor import VenueCollector
from monitor.events import FactKind
from monitor.instruments import InstrumentTable
from monitor.venues.contract import Poll, Session, Venue
from tests.collecting import (
    QUICK,
    REST,
    VENUE,
    WALL,
    Bell,
    Server,
    Tape,
    attentive,
    dice,
    eventually,
    generous,
    listed,
    log_onto,
    running,
    serving,
    session,
    venue,
)


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail whatever waits for disk or network on the loop."""
    with blockbuster_ctx("monitor.collect"):
        yield


@dataclass
class Rest:
    """A REST server: what it lists by product, and what it was asked for."""

    bell: Bell
    listings: dict[str, str] = field(default_factory=lambda: {"spot": "BTC"})
    failures: int = 0
    asked: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def endpoints(self) -> dict[str, str]:
        """What leads the loopback venue's REST address here."""
        return {REST: f"http://127.0.0.1:{self.port}"}

    async def answer(self, request: web.Request) -> web.Response:
        """List a product, or fail as often as told."""
        self.asked.append(request.path_qs)
        self.bell.ring()
        if self.failures > 0:
            self.failures -= 1
            return web.Response(status=500)
        return web.Response(text=self.listings.get(request.query.get("of", "spot"), "1.5"))


@asynccontextmanager
async def resting(bell: Bell) -> AsyncIterator[Rest]:
    """A REST server on loopback."""
    rest = Rest(bell)
    app = web.Application()
    app.router.add_get("/{path:.*}", rest.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rest.port = runner.addresses[0][1]
    try:
        yield rest
    finally:
        await runner.cleanup()


def collector(
    tape: Tape,
    server: Server,
    rest: Rest,
    of: Venue = VENUE,
    clock: MarketClock = WALL,
    patience: Patience = QUICK,
) -> VenueCollector:
    """A collector of the loopback venue, with its table in the tape."""
    endpoints = {**server.endpoints, **rest.endpoints}
    log = log_onto(tape, clock)
    watch = frozenset({"BTC"})
    return VenueCollector(of, tape.table, watch, log, clock, endpoints, dice(), patience)


async def test_listings_come_first_and_sessions_follow_from_them() -> None:
    """Nothing is connected before the instruments are known; then all of them are subscribed."""
    tape = Tape()
    async with serving(tape.bell, generous) as server, resting(tape.bell) as rest:
        rest.listings["spot"] = "ETH BTC"
        collected = collector(tape, server, rest)
        assert not collected.status.planned
        async with running(collected.run()):
            await tape.bell.until(lambda: len(tape.data()) == 2)
            await eventually(lambda: [s.flowing for s in collected.status.sessions] == [True])
            assert collected.status.planned
    assert server.heard == ["sub BTC", "sub ETH"]
    assert tape.answers[0].received_ns <= tape.facts[0].received_ns
    assert rest.asked == ["/instruments"]


async def test_a_failed_listing_is_tried_again_until_it_comes() -> None:
    """A venue whose REST interface fails for a while is planned as soon as it answers."""
    tape = Tape()
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        rest.failures = 3
        collected = collector(tape, server, rest)
        async with running(collected.run()):
            await tape.bell.until(lambda: server.heard == ["sub BTC"])
            assert collected.status.rest_failures == 3
            assert collected.status.rest_error == "instruments spot: 500 "
    assert [answer.status for answer in tape.answers] == [500, 500, 500, 200]


TWO = venue(
    products=("spot", "swap"),
    listings=(
        Poll("instruments", "spot", f"{REST}/instruments?of=spot", 3600.0),
        Poll("instruments", "swap", f"{REST}/instruments?of=swap", 3600.0),
    ),
)


async def test_one_products_failing_listing_does_not_hold_up_the_other() -> None:
    """What is listed is planned; a product that answers nonsense is asked again, alone."""
    tape = Tape()
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        rest.listings["swap"] = ""
        async with running(collector(tape, server, rest, TWO).run()):
            await tape.bell.until(lambda: server.heard == ["sub BTC"])
            await tape.bell.until(lambda: len(rest.asked) >= 4)
            assert rest.asked.count("/instruments?of=spot") == 1
            rest.listings["swap"] = "BTC-SWAP"
            await tape.bell.until(lambda: server.heard == ["sub BTC", "sub BTC-SWAP"])
    assert len(server.sockets) == 1


async def test_a_restored_table_is_planned_from_at_once() -> None:
    """With instruments from a state snapshot, no listing is waited for."""
    tape = Tape()
    tape.table.replace("spot", [listed("BTC")])
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        rest.failures = 10_000
        async with running(collector(tape, server, rest).run()):
            await tape.bell.until(lambda: server.heard == ["sub BTC"])
    assert all(answer.status == 500 for answer in tape.answers)


async def test_new_listings_are_subscribed_and_delistings_dropped() -> None:
    """An early refresh changes the topics on the living connection, without a restart."""
    tape = Tape()
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        rest.listings["spot"] = "BTC OLD"
        collected = collector(tape, server, rest)
        async with running(collected.run()):
            await tape.bell.until(lambda: len(server.heard) == 2)
            rest.listings["spot"] = "BTC NEW"
            collected.refresh_listings()
            await tape.bell.until(lambda: len(server.heard) == 4)
    assert server.heard == ["sub BTC", "sub OLD", "drop OLD", "sub NEW"]
    assert len(server.sockets) == 1


async def test_listings_are_repeated_every_hour_of_market_time() -> None:
    """At speed 36,000 an hour is a tenth of a second: listings come again and again."""
    tape = Tape()
    clock = MarketClock(speed=36_000.0)
    async with (
        serving(tape.bell, attentive) as server,
        resting(tape.bell) as rest,
        running(collector(tape, server, rest, clock=clock).run()),
    ):
        await tape.bell.until(lambda: len(tape.answers) == 4)
    stamps = [answer.received_ns for answer in tape.answers]
    assert all(later - earlier >= 0.9 * 3600e9 for earlier, later in pairwise(stamps))


async def test_early_refreshes_are_rare() -> None:
    """However often an unknown instrument is reported, a second refresh waits its time."""
    tape = Tape()
    clock = MarketClock(speed=100.0)
    patience = msgspec.structs.replace(QUICK, refresh_every_s=50.0)
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        collected = collector(tape, server, rest, clock=clock, patience=patience)
        async with running(collected.run()):
            await tape.bell.until(lambda: len(server.heard) == 1)
            first_ns = clock.now_ns()
            collected.refresh_listings()
            await tape.bell.until(lambda: len(tape.answers) == 2)
            for _ in range(100):
                collected.refresh_listings()
            await tape.bell.until(lambda: len(tape.answers) == 3)
            assert tape.answers[2].received_ns - first_ns >= 50e9
            assert len(rest.asked) == 3


def plan_by_asset(table: InstrumentTable, _: frozenset[str]) -> tuple[Session, ...]:
    """A session for each symbol."""
    return tuple(session((each.symbol,), each.symbol) for each in table)


async def test_sessions_and_polls_come_and_go_with_the_plan() -> None:
    """What the plan no longer names is ended; what it newly names is begun; the rest stays."""
    tape = Tape()

    def polls(table: InstrumentTable, _: frozenset[str]) -> tuple[Poll, ...]:
        return tuple(
            Poll("open_interest", each.symbol, f"{REST}/interest?symbol={each.symbol}", 0.02)
            for each in table
        )

    planned = venue(plan=plan_by_asset, polls=polls)
    async with serving(tape.bell, generous) as server, resting(tape.bell) as rest:
        rest.listings["spot"] = "BTC OLD"
        collected = collector(tape, server, rest, planned)
        async with running(collected.run()):
            await tape.bell.until(lambda: len(tape.data()) == 2)
            await tape.bell.until(lambda: "/interest?symbol=OLD" in rest.asked)
            rest.listings["spot"] = "BTC NEW"
            collected.refresh_listings()
            await tape.bell.until(lambda: len(tape.data()) == 3)
            await tape.bell.until(lambda: "/interest?symbol=NEW" in rest.asked)
            asked = len(rest.asked)
            await tape.bell.until(lambda: len(rest.asked) > asked + 10)
            assert {*rest.asked[asked + 2 :]} == {"/interest?symbol=BTC", "/interest?symbol=NEW"}
            assert [status.session for status in collected.status.sessions] == ["BTC", "NEW"]
            ended = [f.session for f in tape.facts if f.kind is FactKind.DISCONNECTED]
            assert ended == ["OLD"]
    assert server.heard == ["sub BTC", "sub OLD", "sub NEW"]


async def closing(_: Server, socket: ServerConnection) -> None:
    """Accept and close."""
    await socket.close()


async def test_one_venues_trouble_is_nobody_elses() -> None:
    """Beside a venue that accepts and closes, another is connected once and goes on."""
    bell = Bell()
    good, bad = Tape(bell), Tape(bell)
    async with (
        serving(bell, generous) as giving,
        serving(bell, closing) as shut,
        resting(bell) as rest,
    ):
        well = collector(good, giving, rest)
        ill = collector(bad, shut, rest)
        async with running(well.run()), running(ill.run()):
            await bell.until(lambda: bad.count(FactKind.DISCONNECTED) >= 6)
            await eventually(lambda: well.status.sessions[0].flowing)
            assert not ill.status.sessions[0].flowing
            assert ill.status.sessions[0].attempts >= 5
    assert len(giving.sockets) == 1
    assert good.details(FactKind.DISCONNECTED) == ["stopped"]


async def test_a_bug_in_a_plan_leaves_the_collector() -> None:
    """What is no trouble of the venue's but our own mistake ends the program loudly."""

    def mistaken(_: InstrumentTable, __: frozenset[str]) -> tuple[Session, ...]:
        raise KeyError("mistaken")

    tape = Tape()
    async with serving(tape.bell, attentive) as server, resting(tape.bell) as rest:
        with pytest.raises(ExceptionGroup) as caught:
            await collector(tape, server, rest, venue(plan=mistaken)).run()
    assert caught.group_contains(KeyError)


async def test_tasks_are_named_after_what_they_collect() -> None:
    """A person looking at a hung program sees which venue and session a task is about."""
    tape = Tape()
    async with (
        serving(tape.bell, generous) as server,
        resting(tape.bell) as rest,
        running(collector(tape, server, rest).run()),
    ):
        await tape.bell.until(lambda: len(tape.data()) == 1)
        names = {task.get_name() for task in asyncio.all_tasks()}
    assert {"collect:test/main", "collect:test/main#1"} <= names
