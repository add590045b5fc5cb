"""The simulation's servers, through real clients on loopback: protocols, faults, truth."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import websockets
from typer.testing import CliRunner
from websockets.asyncio.client import ClientConnection

from monitor.cli import app
from monitor.clock import NS, MarketClock
from monitor.errors import ConfigError, ListenError
from monitor.simulate import client as reading
from monitor.simulate import servers as serving
from monitor.simulate.cascade import Cascade
from monitor.simulate.faults import VENUES, Fault, FaultKind, parse_fault
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.scenarios import SCENARIOS
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


async def test_binance_subscribes_lists_and_unsubscribes() -> None:
    """Binance acknowledges, sends combined frames, lists what is held and stops on request."""
    async with served() as servers, connected(servers, MARKET_STREAM) as socket:
        stream = "btcusdt@markPrice@1s"
        wish = {"method": "SUBSCRIBE", "params": [stream], "id": 7}
        assert await asked(socket, wish) == {"result": None, "id": 7}
        advance(servers, 2.5)
        frames = [await said(socket) for _ in range(3)]
        assert [frame["stream"] for frame in frames] == [stream] * 3
        stamps = [frame["data"]["E"] for frame in frames]
        assert stamps == [EPOCH_NS // 1_000_000 + 1000 * second for second in range(3)]
        listed = {"method": "LIST_SUBSCRIPTIONS", "id": 8}
        assert await asked(socket, listed) == {"result": [stream], "id": 8}
        assert (await asked(socket, wish | {"method": "UNSUBSCRIBE"}))["result"] is None
        advance(servers, 6.0)
        assert await asked(socket, listed) == {"result": [], "id": 8}


async def test_binance_bare_form_and_streams_in_the_address() -> None:
    """On `/ws/<stream>` frames come bare, on `/stream?streams=` wrapped, without a request."""
    async with served() as servers:
        bare = "wss://fstream.binance.com/market/ws/btcusdt@markPrice@1s"
        combined = "wss://fstream.binance.com/market/stream?streams=btcusdt@markPrice@1s"
        async with connected(servers, bare) as one, connected(servers, combined) as other:
            advance(servers, 0.0)
            message = await said(one)
            assert message["e"] == "markPriceUpdate"
            assert await said(other) == {"stream": "btcusdt@markPrice@1s", "data": message}


@pytest.mark.parametrize(
    ("url", "stream"),
    [
        (MARKET_STREAM, "btcusdt@bookTicker"),
        (PUBLIC_STREAM, "btcusdt@aggTrade"),
        ("wss://fstream.binance.com/stream", "!forceOrder@arr"),
    ],
)
async def test_wrong_route_is_acknowledged_and_silent(url: str, stream: str) -> None:
    """A stream on another route than its own is acknowledged, listed, and never sent."""
    async with served() as servers, connected(servers, url) as socket:
        wish = {"method": "SUBSCRIBE", "params": [stream], "id": 1}
        assert await asked(socket, wish) == {"result": None, "id": 1}
        advance(servers, 100.0)
        listed = {"method": "LIST_SUBSCRIPTIONS", "id": 2}
        assert await asked(socket, listed) == {"result": [stream], "id": 2}


async def test_binance_refuses_what_it_does_not_understand() -> None:
    """An unknown method and broken JSON are answered with an error, the connection stays."""
    async with served() as servers, connected(servers, MARKET_STREAM) as socket:
        assert (await asked(socket, {"method": "JUMP", "id": 1}))["error"]["code"] == 2
        await socket.send("{")
        assert (await said(socket))["error"]["code"] == 3
        wish = {"method": "SUBSCRIBE", "params": [], "id": 2}
        assert await asked(socket, wish) == {"result": None, "id": 2}


async def test_bybit_pings_snapshots_deltas_and_refusals() -> None:
    """Bybit answers pings, starts a topic with its snapshot, refuses unknown topics whole."""
    async with served() as servers, connected(servers, LINEAR) as socket:
        advance(servers, 3.0)
        pong = await asked(socket, {"req_id": "4", "op": "ping"})
        assert (pong["success"], pong["ret_msg"], pong["req_id"]) == (True, "pong", "4")
        wish = {"op": "subscribe", "args": ["tickers.BTCUSDT", "tickers.NOPE"]}
        refused = await asked(socket, wish)
        assert not refused["success"]
        assert refused["ret_msg"] == "error:handler not found,topic:tickers.NOPE"
        assert (await asked(socket, wish | {"args": ["tickers.BTCUSDT"]}))["success"]
        snapshot = await said(socket)
        assert snapshot["type"] == "snapshot"
        assert {"markPrice", "singleOpenInterest", "fundingRate"} <= set(snapshot["data"])
        advance(servers, 4.0)
        delta = await said(socket)
        assert delta["type"] == "delta"
        assert set(delta["data"]) < set(snapshot["data"])


async def test_bybit_book_deltas_lead_to_the_next_snapshot() -> None:
    """A held book with all deltas applied equals what a new subscriber is sent."""
    wish = {"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}
    async with served() as servers, connected(servers, LINEAR) as socket:
        advance(servers, 1.0)
        assert (await asked(socket, wish))["success"]
        first = await said(socket)
        held = {side: dict(first["data"][side]) for side in "ab"}
        advance(servers, 11.0)
        await socket.send('{"op":"ping"}')
        expected = first["data"]["u"]
        while (delta := await said(socket)).get("op") != "ping":
            expected += 1
            assert delta["data"]["u"] == expected
            for side in "ab":
                for price, size in delta["data"][side]:
                    if size == "0":
                        del held[side][price]
                    else:
                        held[side][price] = size
        assert expected >= first["data"]["u"] + 4
        async with connected(servers, LINEAR) as newcomer:
            assert (await asked(newcomer, wish))["success"]
            fresh = (await said(newcomer))["data"]
            assert fresh["u"] == expected
            assert held == {side: dict(fresh[side]) for side in "ab"}


async def test_bybit_spot_takes_ten_topics_at_a_time() -> None:
    """More than ten topics in one spot request are refused."""
    async with served() as servers, connected(servers, BYBIT_SPOT) as socket:
        wish = {"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 11}
        assert (await asked(socket, wish))["ret_msg"] == "args size >10"


async def test_okx_pings_present_values_and_refusals() -> None:
    """OKX answers the text ping, confirms each argument, starts with the present value."""
    async with served() as servers, connected(servers, OKX) as socket:
        advance(servers, 1.0)
        await socket.send("ping")
        assert await heard(socket) == b"pong"
        known = {"channel": "open-interest", "instId": "BTC-USDT-SWAP"}
        unknown = {"channel": "open-interest", "instId": "NOPE-USDT-SWAP"}
        await socket.send(json.dumps({"op": "subscribe", "args": [unknown, known]}))
        assert (await said(socket))["code"] == "60018"
        confirmed = await said(socket)
        assert (confirmed["event"], confirmed["arg"]) == ("subscribe", known)
        present = await said(socket)
        assert (present["arg"], present["data"][0]["instType"]) == (known, "SWAP")


async def test_okx_replays_past_orders_on_subscribe() -> None:
    """Who subscribes to liquidation-orders in mid-cascade first gets orders of the past."""
    async with served() as servers, connected(servers, OKX) as socket:
        advance(servers, 150.0)
        channel = {"channel": "liquidation-orders", "instType": "SWAP"}
        assert (await asked(socket, {"op": "subscribe", "args": [channel]}))["arg"] == channel
        past = await said(socket)
        stamps = [int(d["ts"]) for row in past["data"] for d in row["details"]]
        assert 1 < len(stamps) <= 10
        assert max(stamps) < (EPOCH_NS + 150 * NS) // 1_000_000


async def test_sampled_venues_print_the_largest_order_a_second() -> None:
    """Binance and OKX print one order a contract and second, Bybit all of them."""
    async with served() as servers, connected(servers, MARKET_STREAM) as socket:
        wish = {"method": "SUBSCRIBE", "params": ["!forceOrder@arr"], "id": 1}
        await asked(socket, wish)
        advance(servers, 260.0)
        counts = servers.counts()
        printed = counts["printed_binance"]
        orders = [(await said(socket))["data"]["o"] for _ in range(printed)]
        seconds = [(order["s"], order["T"] // 1000) for order in orders]
        assert len(seconds) == len(set(seconds))
        assert counts["printed_bybit"] == pytest.approx(counts["forced_bybit"], abs=20)
        assert printed < 0.5 * counts["forced_binance"]
        assert counts["printed_okx"] < counts["forced_okx"]


@pytest.mark.parametrize("venue", VENUES)
async def test_rest_listings_name_instruments(venue: str) -> None:
    """Each venue's listing answers at its own address, with bitcoin in it."""
    async with served() as servers:
        status, body = await fetched(servers, LISTINGS[venue])
        assert status == 200
        assert "BTC" in json.dumps(body)


async def test_binance_open_interest_follows_the_market() -> None:
    """Open interest by REST is that of the market's present second; a stranger is an error."""
    address = "https://fapi.binance.com/fapi/v1/openInterest?symbol="
    async with served() as servers:
        advance(servers, 1.0)
        _, before = await fetched(servers, f"{address}BTCUSDT")
        advance(servers, 600.0)
        _, after = await fetched(servers, f"{address}BTCUSDT")
        assert float(after["openInterest"]) / float(before["openInterest"]) == pytest.approx(
            0.92, abs=0.005
        )
        assert after["time"] - before["time"] == pytest.approx(599_000, abs=5000)
        assert (await fetched(servers, f"{address}NOPE"))[0] == 400


async def test_truth_and_counts_are_told() -> None:
    """`/truth` tells the cascade in milliseconds, `/counts` what was forced and printed."""
    async with served() as servers:
        advance(servers, 600.0)
        _, truth = await fetched(servers, local(servers, "/truth"))
        assert [(row["asset"], row["position"]) for row in truth] == [("BTC", "long")]
        assert truth[0]["onset_time_ms"] == (EPOCH_NS + 60 * NS) // 1_000_000
        assert truth[0]["forced_usd"] > 1e8
        _, counts = await fetched(servers, local(servers, "/counts"))
        assert counts["seconds"] == 601
        assert counts["printed_binance"] < counts["forced_binance"]


async def test_a_taken_port_is_one_clear_error() -> None:
    """A port in use is refused with its address."""
    async with served() as servers:
        market = ScriptedMarket(5, EPOCH_NS, WATCHED[:1])
        with pytest.raises(ListenError, match=f"127.0.0.1:{servers.port}"):
            async with Servers(market, MarketClock(), port=servers.port):
                pass


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


async def test_the_market_follows_its_clock() -> None:
    """`run` makes the seconds of the market clock, and spreads a second's frames over it."""
    market = ScriptedMarket(5, EPOCH_NS, WATCHED[:1])
    clock = MarketClock(EPOCH_NS, time.time_ns(), 5.0)
    async with Servers(market, clock) as servers, connected(servers, OKX) as socket:
        topic = {"channel": "bbo-tbt", "instId": "BTC-USDT-SWAP"}
        trades = {"channel": "trades", "instId": "BTC-USDT-SWAP"}
        running = asyncio.create_task(servers.run())
        await socket.send(json.dumps({"op": "subscribe", "args": [topic, trades]}))
        lags: list[int] = []
        while len(lags) < 12:
            message = await said(socket)
            if "data" in message:
                lags.append(clock.now_ns() - int(message["data"][0]["ts"]) * 1_000_000)
        running.cancel()
        assert min(lags) >= 0
        assert servers.counts()["seconds"] >= 4


def test_faults_are_parsed_or_refused() -> None:
    """`NAME@VENUE` gives a fault; anything else names what there is."""
    assert str(parse_fault("mute@okx")) == "mute@okx"
    for wrong in ("mute", "mute@", "mute@kraken", "@okx", "nap@okx", ""):
        with pytest.raises(ConfigError, match="expected NAME@VENUE"):
            parse_fault(wrong)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a command run in this process."""
    result = CliRunner().invoke(app, ["simulate", *arguments])
    if isinstance(result.exception, ConfigError):
        return 2, str(result.exception)
    return result.exit_code, result.stdout


def test_told_without_serving() -> None:
    """Without --serve the command tells events, forced orders and truth as JSON, repeatably."""
    code, first = run("cascade", "--duration", "200", "--seed", "3", "--asset", "ETH")
    assert code == 0
    told = json.loads(first)
    assert told["truth"][0]["asset"] == "ETH"
    assert told["truth"][0]["forced_usd"] > 0.0
    assert told["forced"]["bybit"] == told["printed"]["bybit"]
    assert run("cascade", "--duration", "200", "--seed", "3", "--asset", "ETH")[1] == first


def test_usage_errors() -> None:
    """An unknown scenario or fault is a usage error that names what there is."""
    code, message = run("quake")
    assert code == 2
    assert "expected one of calm, cascade, two-waves, silent-venue, muted-venue" in message
    assert run("calm", "--fault", "nap@okx")[0] == 2


def test_help_names_every_scenario() -> None:
    """The command's help tells what each scenario is."""
    text = " ".join(run("--help")[1].split())
    assert [known.name for known in SCENARIOS if f"{known.name}:" not in text] == []


@pytest.mark.parametrize("ending", ["stdin", "sigterm", "duration"])
async def test_served_by_the_command(ending: str) -> None:
    """`--serve` prints one line with port and clock, serves, and ends cleanly when told to."""
    options: Sequence[str] = ("--serve", "--speed", "50", "--seed", "9", "--until-stdin-closes")
    if ending == "duration":
        options = (*options, "--duration", "0.5")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "simulate", "calm", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(3 * DEADLINE_S):
        line = json.loads(await process.stdout.readline())
        assert set(line) == {"port", "endpoints", "epoch_ns", "start_ns", "speed", "seed"}
        assert (line["speed"], line["seed"]) == (50.0, 9)
        assert line["epoch_ns"] == line["start_ns"]
        if ending != "duration":
            truth = f"http://127.0.0.1:{line['port']}/truth"
            async with aiohttp.ClientSession() as session, session.get(truth) as answer:
                assert await answer.json() == []
        if ending == "stdin":
            process.stdin.close()
        elif ending == "sigterm":
            process.send_signal(signal.SIGTERM)
        assert await process.stdout.read() == b""
        assert await process.wait() == 0
