"""The simulation's servers, through real clients on loopback: protocols, REST, truth, clock."""

import asyncio
import json
import time

import pytest

from monitor.clock import NS, MarketClock
from monitor.errors import ListenError
from monitor.simulate.faults import VENUES
from monitor.simulate.listing import WATCHED
from monitor.simulate.scripted import ScriptedMarket
from monitor.simulate.servers import Servers
from tests.simulating import (
    BYBIT_SPOT,
    EPOCH_NS,
    LINEAR,
    LISTINGS,
    MARKET_STREAM,
    OKX,
    PUBLIC_STREAM,
    advance,
    asked,
    connected,
    fetched,
    heard,
    local,
    said,
    served,
)


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
