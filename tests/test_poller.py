"""REST: deadlines, budgets, holds, and that every outcome is in the log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
import pytest
from aiohttp import web
from blockbuster import blockbuster_ctx

from monitor.clock import NS, MarketClock
from monitor.collect.budget import Patience
from monitor.collect.poller import Poller
from monitor.events import Answer
from monitor.venues.contract import Limits, Poll
from tests.collecting import QUICK, REST, WALL, Tape, dice, log_onto, running, venue

INTEREST = Poll("open_interest", "BTC", f"{REST}/interest?symbol=BTC", 15.0, 1)


@pytest.fixture(autouse=True)
def loop_is_never_blocked() -> Iterator[None]:
    """Fail whatever waits for disk or network on the loop."""
    with blockbuster_ctx("monitor.collect"):
        yield


@asynccontextmanager
async def polling(
    tape: Tape,
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
    patience: Patience = QUICK,
    clock: MarketClock = WALL,
    weight_per_min: int = 6000,
) -> AsyncIterator[Poller]:
    """A poller of a REST server that answers so."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    timeout = aiohttp.ClientTimeout(total=patience.answer_timeout_s)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            yield Poller(
                venue(limits=Limits(1000, 100.0, weight_per_min)),
                log_onto(tape, clock),
                clock,
                http,
                {REST: f"http://127.0.0.1:{port}"},
                dice(),
                patience,
            )
    finally:
        await runner.cleanup()


async def echo(request: web.Request) -> web.Response:
    """Answer with the request's own path."""
    return web.Response(text=request.path_qs)


async def test_an_answer_is_in_the_log_as_it_came() -> None:
    """Venue, poll, key, status and the whole body are entered; the address keeps its query."""
    tape = Tape()
    async with polling(tape, echo) as poller:
        answer = await poller.fetch(INTEREST)
    assert tape.answers == [answer]
    expected = Answer(
        answer.received_ns, "test", "open_interest", "BTC", 200, b"/interest?symbol=BTC"
    )
    assert answer == expected
    assert (poller.failures, poller.last_error) == (0, "")


async def test_a_bad_status_is_in_the_log_with_its_reason() -> None:
    """A venue's error comes with its code and the beginning of what it says."""
    tape = Tape()

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500, text="x" * 5000)

    async with polling(tape, broken) as poller:
        answer = await poller.fetch(INTEREST)
    assert (answer.status, answer.body) == (500, b"x" * 1024)
    assert poller.failures == 1
    assert poller.last_error == "open_interest BTC: 500 " + "x" * 100


async def test_no_answer_in_time_is_in_the_log() -> None:
    """A request that hangs ends at its deadline, as status 0."""
    tape = Tape()

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    patience = msgspec.structs.replace(QUICK, answer_timeout_s=0.1)
    async with polling(tape, hang, patience) as poller:
        answer = await poller.fetch(INTEREST)
    assert (answer.status, answer.body) == (0, b"no answer in 0.1 s")


async def test_a_connection_that_breaks_off_is_in_the_log() -> None:
    """An answer that stops in the middle is none: status 0 and why."""
    tape = Tape()

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with polling(tape, cut) as poller:
        answer = await poller.fetch(INTEREST)
    assert answer.status == 0
    assert answer.body.startswith(b"no answer: ")


async def test_an_endless_answer_is_cut_at_the_bound() -> None:
    """No more than `max_answer_bytes` are ever held."""
    tape = Tape()

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 10_000)
        return response

    patience = msgspec.structs.replace(QUICK, max_answer_bytes=50_000)
    async with polling(tape, endless, patience) as poller:
        answer = await poller.fetch(INTEREST)
    assert (answer.status, answer.body) == (0, b"answer of more than 50000 bytes")


async def test_slow_down_stops_every_request_for_as_long_as_asked() -> None:
    """After 429 nothing is asked of that venue until Retry-After is over, in market time."""
    tape = Tape()
    clock = MarketClock(speed=20.0)

    async def limited(_: web.Request) -> web.Response:
        if len(tape.answers) == 0:
            return web.Response(status=429, headers={"Retry-After": "4"})
        return web.Response(text="ok")

    begun_ns = clock.now_ns()
    async with polling(tape, limited, clock=clock) as poller:
        await poller.fetch(INTEREST)
        other = msgspec.structs.replace(INTEREST, key="ETH")
        await asyncio.gather(poller.fetch(INTEREST), poller.fetch(other))
    assert [answer.status for answer in tape.answers] == [429, 200, 200]
    assert all(answer.received_ns - begun_ns >= 4e9 for answer in tape.answers[1:])


async def test_requests_keep_within_the_weight_of_a_minute() -> None:
    """Of 60 weight a minute, the seventh request of 20 waits two minutes of market time."""
    tape = Tape()
    clock = MarketClock(speed=300.0)
    heavy = msgspec.structs.replace(INTEREST, weight=20)
    begun_ns = clock.now_ns()
    async with polling(tape, echo, clock=clock, weight_per_min=60) as poller:
        await asyncio.gather(*(poller.fetch(heavy) for _ in range(7)))
    after_s = [(answer.received_ns - begun_ns) / NS for answer in tape.answers]
    assert [after >= 60.0 for after in after_s[3:]] == [True] * 4
    assert after_s[6] >= 120.0


async def test_no_more_than_the_bound_are_under_way() -> None:
    """However many requests are due, only `answers_at_once` are open together."""
    tape = Tape()
    together: list[int] = []
    under_way = 0

    async def slow(_: web.Request) -> web.Response:
        nonlocal under_way
        under_way += 1
        together.append(under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        return web.Response(text="ok")

    patience = msgspec.structs.replace(QUICK, answers_at_once=3)
    async with polling(tape, slow, patience) as poller:
        await asyncio.gather(*(poller.fetch(INTEREST) for _ in range(10)))
    assert max(together) == 3
    assert len(tape.answers) == 10


async def test_a_poll_is_repeated_once_a_period_of_market_time() -> None:
    """Failures do not end it, and its period is that of the market clock, give or take 5 %."""
    tape = Tape()
    clock = MarketClock(speed=100.0)

    async def moody(_: web.Request) -> web.Response:
        return web.Response(status=200 if len(tape.answers) % 2 else 503, text="ok")

    begun_ns = clock.now_ns()
    async with polling(tape, moody, clock=clock) as poller, running(poller.repeat(INTEREST)):
        await tape.bell.until(lambda: len(tape.answers) == 6)
    assert [answer.status for answer in tape.answers][:6] == [503, 200] * 3
    assert tape.answers[5].received_ns - begun_ns >= 5 * 0.95 * 15e9
    assert poller.failures == 3
