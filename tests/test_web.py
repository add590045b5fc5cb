"""The HTTP server: what it answers, to whom, and for how long."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry

from monitor.errors import ListenError
from monitor.publish.metrics import Metrics
from monitor.publish.web import MOST_CONNECTIONS, Readiness, Web
from tests import samples

WELL = Readiness(kernels=True, state=True, broker=True, venues={"okx": True}, degraded=())


def some_metrics() -> Handler:
    """The handler of a daemon that looks at a market."""
    metrics = Metrics(CollectorRegistry(), "0.1.0", "0123456789abcdef")
    metrics.watch_market(samples.market_view)
    return metrics.handler


@asynccontextmanager
async def serving(
    readiness: Callable[[], Readiness] = lambda: WELL,
    metrics: Handler | None = None,
    idle_s: float = 30.0,
    answer_s: float = 10.0,
) -> AsyncIterator[tuple[Web, aiohttp.ClientSession]]:
    """A server on a free port, and a client that knows its address."""
    server = Web(
        "127.0.0.1",
        0,
        metrics or some_metrics(),
        readiness,
        idle_s=idle_s,
        answer_s=answer_s,
    )
    async with (
        server,
        aiohttp.ClientSession(
            f"http://127.0.0.1:{server.port}", timeout=aiohttp.ClientTimeout(10)
        ) as client,
    ):
        yield server, client


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    """The text format by default, OpenMetrics if asked for."""
    async with serving() as (_server, client):
        async with client.get("/metrics") as answer:
            text = await answer.text()
            assert answer.status == 200
            assert answer.content_type == "text/plain"
        assert 'liqmon_price_usd{asset="BTC"} 115250.5\n' in text
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with client.get("/metrics", headers=accept) as answer:
            assert answer.content_type == "application/openmetrics-text"
            assert (await answer.text()).endswith("# EOF\n")


async def test_live_says_that_the_process_answers() -> None:
    """It is well even when nothing else is."""
    nothing = Readiness(False, False, False, {}, ("kernels", "state", "broker"))
    async with serving(lambda: nothing) as (_server, client), client.get("/live") as answer:
        assert (answer.status, await answer.json()) == (200, {"live": True})


@pytest.mark.parametrize(
    ("readiness", "status"),
    [
        (WELL, 200),
        (Readiness(True, True, True, {"okx": True, "bybit": False}, ("venue bybit",)), 200),
        (Readiness(False, True, True, {"okx": True}, ("kernels",)), 503),
        (Readiness(True, False, True, {"okx": True}, ("state",)), 503),
        (Readiness(True, True, False, {"okx": True}, ("broker",)), 503),
        (Readiness(True, True, True, {"okx": False}, ("venue okx",)), 503),
        (Readiness(True, True, True, {}, ("no venue",)), 503),
    ],
)
async def test_ready_names_what_is_degraded(readiness: Readiness, status: int) -> None:
    """503 only without kernels, state, broker or any venue; the names are there either way."""
    async with serving(lambda: readiness) as (_server, client), client.get("/ready") as answer:
        assert answer.status == status
        assert await answer.json() == {
            "ready": status == 200,
            "degraded": list(readiness.degraded),
        }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/metrics/x", 404),
        ("POST", "/nothing", 404),
        ("POST", "/metrics", 405),
        ("PUT", "/live", 405),
        ("DELETE", "/ready", 405),
        ("HEAD", "/live", 200),
    ],
)
async def test_nothing_else_is_served(method: str, path: str, status: int) -> None:
    """Other paths are 404 and other methods 405; HEAD goes with GET."""
    async with serving() as (_server, client), client.request(method, path) as answer:
        assert answer.status == status


async def test_a_port_in_use_is_one_clear_line() -> None:
    """The operator reads which address, why, and what to do."""
    async with serving() as (server, _client):
        other = Web("127.0.0.1", server.port, some_metrics(), lambda: WELL)
        with pytest.raises(ListenError) as caught:
            await other.__aenter__()
    assert str(caught.value) == (
        f"http: expected to listen on 127.0.0.1:{server.port}, was refused: "
        "Address already in use; set http.port or end what uses it"
    )


async def test_a_name_that_is_no_address_is_one_clear_line() -> None:
    """What cannot be resolved is refused like what cannot be bound."""
    with pytest.raises(ListenError, match=r"expected to listen on no\.such\.host\.invalid:0"):
        await Web("no.such.host.invalid", 0, some_metrics(), lambda: WELL).__aenter__()


async def test_a_client_that_asks_nothing_is_left() -> None:
    """Neither silence nor a request that comes by drops keeps a connection."""
    async with serving(idle_s=0.3) as (server, _client):
        silent, silent_writer = await asyncio.open_connection("127.0.0.1", server.port)
        slow, slow_writer = await asyncio.open_connection("127.0.0.1", server.port)
        slow_writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\nX: ")
        async with asyncio.timeout(5):
            assert await silent.read() == b""
            assert await slow.read() == b""
        silent_writer.close()
        slow_writer.close()


async def test_a_client_that_does_not_read_is_left() -> None:
    """An answer that is not read within its time ends the connection, and the next is served."""

    async def huge(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 50_000_000)

    async with serving(metrics=huge, answer_s=0.3) as (server, client):
        _reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        await writer.drain()
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):  # noqa: PT012 - writing fails once it is aborted
                while True:
                    writer.write(b"x")
                    await writer.drain()
                    await asyncio.sleep(0.01)
        writer.transport.abort()
        async with client.get("/live") as answer:
            assert answer.status == 200


async def test_connections_are_few() -> None:
    """One above the bound is turned away; once one has gone there is room again."""
    async with serving() as (server, client):
        streams = [
            await asyncio.open_connection("127.0.0.1", server.port)
            for _ in range(MOST_CONNECTIONS)
        ]
        with pytest.raises(aiohttp.ClientError):
            await client.get("/live")
        for _reader, writer in streams:
            writer.close()
            await writer.wait_closed()
        deadline = time.monotonic() + 5
        while True:
            try:
                async with client.get("/live") as answer:
                    assert answer.status == 200
                    break
            except aiohttp.ClientError:
                assert time.monotonic() < deadline
