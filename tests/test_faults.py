"""Every fault of the simulation, seen by real clients: the others must not feel it."""

import asyncio
import json

import aiohttp
import pytest
import websockets
from websockets.asyncio.client import ClientConnection

from monitor.errors import ConfigError
from monitor.simulate import client as reading
from monitor.simulate import servers as serving
from monitor.simulate.faults import VENUES, Fault, FaultKind, parse_fault
from monitor.simulate.servers import Servers
from tests.simulating import (
    ASKING,
    DEADLINE_S,
    LINEAR,
    LISTINGS,
    OKX,
    advance,
    asked,
    connected,
    fetched,
    heard,
    local,
    routed,
    said,
    served,
)


async def others_flow(servers: Servers, broken: str) -> None:
    """Every other venue acknowledges, sends data and lists instruments."""
    for venue in VENUES:
        if venue == broken:
            continue
        url, wish = ASKING[venue]
        async with connected(servers, url) as socket:
            await asked(socket, wish)
            advance(servers, servers.counts()["seconds"] + 4.0)
            data = await said(socket)
            assert "result" not in data
        assert (await fetched(servers, LISTINGS[venue]))[0] == 200


@pytest.mark.parametrize("venue", VENUES)
async def test_accept_and_close(venue: str) -> None:
    """The faulty venue accepts a connection and closes it at once; the others work."""
    async with served(f"accept-and-close@{venue}") as servers:
        async with connected(servers, ASKING[venue][0]) as socket:
            with pytest.raises(websockets.ConnectionClosed):
                await heard(socket)
        await others_flow(servers, venue)


@pytest.mark.parametrize("venue", VENUES)
async def test_ack_no_data(venue: str) -> None:
    """The faulty venue acknowledges and stays silent; the others work."""
    url, wish = ASKING[venue]
    async with served(f"ack-no-data@{venue}") as servers:
        async with connected(servers, url) as socket:
            first = await asked(socket, wish)
            advance(servers, 30.0)
            assert await asked(socket, wish) == first
        await others_flow(servers, venue)


@pytest.mark.parametrize("status", [429, 451])
@pytest.mark.parametrize("venue", ["binance", "bybit_spot", "okx"])
async def test_http_refusals(venue: str, status: int) -> None:
    """The faulty venue refuses handshakes and requests with a status; the others work."""
    async with served(f"http-{status}@{venue}") as servers:
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with connected(servers, ASKING[venue][0]):
                pass
        assert caught.value.response.status_code == status
        assert (await fetched(servers, LISTINGS[venue]))[0] == status
        await others_flow(servers, venue)


@pytest.mark.parametrize("fault", ["garbage", "truncated"])
@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
async def test_damaged_frames(venue: str, fault: str) -> None:
    """The faulty venue's data frames are no JSON, its answers are; the others work."""
    url, wish = ASKING[venue]
    async with served(f"{fault}@{venue}") as servers:
        async with connected(servers, url) as socket:
            await asked(socket, wish)
            advance(servers, 10.0)
            for _ in range(3):
                with pytest.raises(json.JSONDecodeError):
                    json.loads(await heard(socket))
        await others_flow(servers, venue)


async def test_oversized_frames() -> None:
    """The faulty venue sends a frame beyond the client's bound, which closes with 1009."""
    url, wish = ASKING["bybit"]
    async with served("oversized@bybit") as servers:
        async with connected(servers, url) as socket:
            await asked(socket, wish)
            advance(servers, 10.0)
            with pytest.raises(websockets.ConnectionClosedError) as caught:
                await heard(socket)
            sent = caught.value.sent
            assert sent is not None
            assert sent.code == 1009
        await others_flow(servers, "bybit")


async def test_mute_and_mended_at_run_time() -> None:
    """A muted venue sends trades but no liquidations, until it is mended by a POST."""
    liquidations = {"op": "subscribe", "args": ["allLiquidation.BTCUSDT", "publicTrade.BTCUSDT"]}
    async with served("mute@bybit") as servers, connected(servers, LINEAR) as socket:
        assert (await asked(socket, liquidations))["success"]
        advance(servers, 160.0)
        assert await topics_until_pong(socket) == {"publicTrade.BTCUSDT"}
        body = {"fault": "mute@bybit", "on": False}
        async with aiohttp.ClientSession() as session:
            async with session.post(local(servers, "/fault"), json=body) as answer:
                assert await answer.json() == {"faults": []}
            async with session.post(local(servers, "/fault"), json={"fault": "x@y"}) as answer:
                assert answer.status == 400
        advance(servers, 200.0)
        assert "allLiquidation.BTCUSDT" in await topics_until_pong(socket)


async def topics_until_pong(socket: ClientConnection) -> set[str]:
    """The topics of everything that was sent before the answer to a ping."""
    await socket.send('{"op":"ping"}')
    topics: set[str] = set()
    while True:
        message = await said(socket)
        if message.get("op") == "ping":
            return topics
        topics.add(message["topic"])


async def test_switched_on_faults_end_open_connections() -> None:
    """A venue that begins to refuse drops the connections it has, and no other venue's."""
    async with (
        served() as servers,
        connected(servers, LINEAR) as bybit,
        connected(servers, OKX) as okx,
    ):
        await bybit.send('{"op":"ping"}')
        await said(bybit)
        servers.set_fault(Fault(FaultKind.HTTP_429, "bybit"), on=True)
        with pytest.raises(websockets.ConnectionClosed):
            await heard(bybit)
        await okx.send("ping")
        assert await heard(okx) == b"pong"


async def test_a_slow_reader_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not read is cut off when its bound is reached; it is counted."""
    monkeypatch.setattr(reading, "MOST_PENDING", 20)
    monkeypatch.setattr(serving, "OVERSIZED_EVERY", 2)
    async with served("oversized@bybit") as servers:
        address = routed(servers, LINEAR)
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            await socket.send_str('{"op":"subscribe","args":["publicTrade.BTCUSDT"]}')
            assert json.loads((await socket.receive()).data)["success"]
            async with asyncio.timeout(DEADLINE_S):
                while not servers.counts().get("slow_readers_dropped"):
                    advance(servers, servers.counts()["seconds"] + 1.0)
                    await asyncio.sleep(0)
        assert servers.counts()["slow_readers_dropped"] == 1


def test_faults_are_parsed_or_refused() -> None:
    """`NAME@VENUE` gives a fault; anything else names what there is."""
    assert str(parse_fault("mute@okx")) == "mute@okx"
    for wrong in ("mute", "mute@", "mute@kraken", "@okx", "nap@okx", ""):
        with pytest.raises(ConfigError, match="expected NAME@VENUE"):
            parse_fault(wrong)
