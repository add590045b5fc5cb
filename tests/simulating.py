"""A small simulated market behind real servers, and clients that talk to it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import websockets
from websockets.asyncio.client import ClientConnection

from monitor.clock import NS, MarketClock
from monitor.simulate.cascade import Cascade
from monitor.simulate.faults import parse_fault
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.scripted import ScriptedMarket
from monitor.simulate.servers import Servers

EPOCH_NS = 1_795_392_000 * NS
DEADLINE_S = 10.0
MARKET_STREAM = "wss://fstream.binance.com/market/stream"
PUBLIC_STREAM = "wss://fstream.binance.com/public/stream"
SPOT_STREAM = "wss://data-stream.binance.vision/stream"
LINEAR = "wss://stream.bybit.com/v5/public/linear"
BYBIT_SPOT = "wss://stream.bybit.com/v5/public/spot"
OKX = "wss://ws.okx.com:8443/ws/v5/public"
# By venue: a socket, a subscription that soon brings data, and a liquidation's topic.
ASKING = {
    "binance": (MARKET_STREAM, {"method": "SUBSCRIBE", "params": ["btcusdt@aggTrade"], "id": 1}),
    "binance_spot": (
        SPOT_STREAM,
        {"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1},
    ),
    "bybit": (LINEAR, {"op": "subscribe", "args": ["publicTrade.BTCUSDT"]}),
    "bybit_spot": (BYBIT_SPOT, {"op": "subscribe", "args": ["orderbook.1.BTCUSDT"]}),
    "okx": (
        OKX,
        {"op": "subscribe", "args": [{"channel": "bbo-tbt", "instId": "BTC-USDT-SWAP"}]},
    ),
}
LISTINGS = {
    "binance": "https://fapi.binance.com/fapi/v1/exchangeInfo",
    "binance_spot": "https://data-api.binance.vision/api/v3/exchangeInfo",
    "bybit": "https://api.bybit.com/v5/market/instruments-info?category=linear",
    "bybit_spot": "https://api.bybit.com/v5/market/instruments-info?category=spot",
    "okx": "https://openapi.okx.com/api/v5/public/instruments?instType=SWAP",
}


@asynccontextmanager
async def served(*faults: str, onset_s: int = 60) -> AsyncIterator[Servers]:
    """Servers of a small market that stands still until the test advances it."""
    market = ScriptedMarket(5, EPOCH_NS, (*WATCHED[:2], OTHERS[0]), (Cascade(onset_s=onset_s),))
    later = MarketClock(EPOCH_NS, time.time_ns() + 3600 * NS, 1.0)
    async with Servers(market, later, faults=[parse_fault(fault) for fault in faults]) as servers:
        yield servers


def routed(servers: Servers, url: str) -> str:
    """Where the simulation serves a venue's address."""
    for origin, place in servers.endpoints().items():
        if url.startswith(f"{origin}/"):
            return place + url.removeprefix(origin)
    raise AssertionError(url)


@asynccontextmanager
async def connected(servers: Servers, url: str) -> AsyncIterator[ClientConnection]:
    """A client of a venue's socket."""
    async with websockets.connect(
        routed(servers, url), proxy=None, compression=None, max_size=1 << 20, close_timeout=1.0
    ) as socket:
        yield socket


async def heard(socket: ClientConnection) -> bytes:
    """The next frame, whatever it is."""
    async with asyncio.timeout(DEADLINE_S):
        return await socket.recv(decode=False)


async def said(socket: ClientConnection) -> Any:
    """The next frame, decoded."""
    return json.loads(await heard(socket))


async def asked(socket: ClientConnection, request: object) -> Any:
    """The answer to a request, which must be the very next frame."""
    await socket.send(json.dumps(request))
    return await said(socket)


async def fetched(servers: Servers, url: str) -> tuple[int, Any]:
    """Status and JSON body of a GET request."""
    address = routed(servers, url) if url.startswith("https") else url
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        return answer.status, json.loads(await answer.read() or b"null")


def local(servers: Servers, path: str) -> str:
    """Address of one of the simulation's own pages."""
    return f"http://127.0.0.1:{servers.port}{path}"


def advance(servers: Servers, seconds: float) -> None:
    """Bring the market to so many seconds after its epoch."""
    servers.advance(EPOCH_NS + int(seconds * NS))
