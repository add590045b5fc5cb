"""Binance as it was recorded, against a second reading that shares no code with ours."""

import gzip
import json
import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from monitor.events import (
    BookTop,
    Event,
    Liquidation,
    Malformed,
    NotUsed,
    OpenInterest,
    PriceBasis,
    Trade,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues import by_name

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="recorded data is not here: expected ../shared/data"
)

USDM = Instrument("binance", "usdm", "BTCUSDT", "BTC", "USDT", "USDT", Unit.BASE, perpetual=True)
COINM = Instrument(
    "binance", "coinm", "BTCUSD_PERP", "BTC", "USD", "BTC", Unit.QUOTE, 100.0, perpetual=True
)
SPOT = Instrument("binance_spot", "spot", "BTCUSDT", "BTC", "USDT", "USDT", Unit.BASE)
STREAMS = {
    "binance_usdm_btcusdt_20240808.gz": USDM,
    "binance_cm_btcusd_perp_20240808.gz": COINM,
    "binance_spot_btcusdt_20240808.gz": SPOT,
}
# What a message of each kind is to us; the kinds of these files, by their own `e`.
MEANING = {
    "bookTicker": "top",
    "trade": "trade",
    "aggTrade": "trade",
    "depthUpdate": "depth diff",
    "kline": "kline",
    "snapshot": "depth snapshot without a symbol",
}


def recorded(name: str) -> Iterator[tuple[int, bytes]]:
    """Receive stamp and frame of each line of a raw file."""
    with gzip.open(DATA / "streams" / name) as lines:
        for line in lines:
            stamp, _, frame = line.rstrip().partition(b" ")
            yield int(stamp), frame


def kind_of(message: dict[str, Any]) -> str:
    """The kind of a message by its own words; a spot top has none."""
    if "lastUpdateId" in message:
        return "snapshot"
    return str(message.get("e", "bookTicker"))


def meaning_of(event: Event) -> str:
    """The same of an event."""
    match event:
        case BookTop():
            return "top"
        case Trade():
            return "trade"
        case NotUsed():
            return event.detail
        case _:
            return repr(event)


def assert_same(message: dict[str, Any], received_ns: int, event: Event) -> None:
    """An event says what its message says, reckoned in decimals."""
    time_ms = message.get("T")
    match event:
        case Trade(instrument=instrument):
            price, quantity = Decimal(message["p"]), Decimal(message["q"])
            assert (event.price, event.quantity) == (float(price), float(quantity))
            assert event.taker_bought is (message["m"] is False)
            assert event.quantity_base == coins(instrument, quantity, price)
        case BookTop(instrument=instrument):
            bid, ask = Decimal(message["b"]), Decimal(message["a"])
            assert (event.bid_price, event.ask_price) == (float(bid), float(ask))
            assert event.bid_base == coins(instrument, Decimal(message["B"]), bid)
            assert event.ask_base == coins(instrument, Decimal(message["A"]), ask)
        case _:
            return
    assert event.instrument.symbol == message["s"]
    assert event.received_ns == received_ns
    assert event.event_ns == (received_ns if time_ms is None else time_ms * 1_000_000)


def coins(instrument: Instrument, quantity: Decimal, price: Decimal) -> Any:
    """Coins in a native quantity: contracts of COIN-M are worth 100 dollars."""
    exact = quantity * 100 / price if instrument is COINM else quantity
    return pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize(("name", "instrument"), STREAMS.items())
def test_recorded_frames_are_read_whole_and_right(name: str, instrument: Instrument) -> None:
    """Every frame is read; kinds agree in number, trades and tops in content; none is damaged."""
    venue = by_name(instrument.venue)
    table = InstrumentTable(venue.name)
    table.replace(instrument.product, [instrument])
    reader = venue.reader("market", table, 0)
    theirs: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    for received_ns, frame in recorded(name):
        message = json.loads(frame)
        message = message.get("data", message)
        [event] = reader.read(frame, received_ns)
        assert_same(message, received_ns, event)
        theirs[MEANING[kind_of(message)]] += 1
        ours[meaning_of(event)] += 1
    assert ours == theirs
    assert {"top", "trade", "depth diff", "depth snapshot without a symbol"} == set(ours)


@pytest.mark.parametrize("product", ["FUTURES", "DELIVERY"])
def test_captures_of_2021_are_read_without_damage(product: str) -> None:
    """Frames of another year, many symbols and none of them listed, are all understood."""
    reader = by_name("binance").reader("market", InstrumentTable("binance"), 0)
    theirs: Counter[str] = Counter()
    ours: Counter[str] = Counter()
    with gzip.open(DATA / "streams" / f"cryptofeed_BINANCE_{product}.ws.1.0.gz") as lines:
        for line in lines:
            if b" <-> " in line:
                continue
            _, _, frame = line.rstrip().partition(b": ")
            message = json.loads(frame)["data"]
            [event] = reader.read(frame, 7)
            theirs[MEANING[kind_of(message)]] += 1
            ours[meaning_of(event)] += 1
            if isinstance(event, Trade | BookTop):
                assert event.instrument.symbol == message["s"]
                assert event.event_ns == message["T"] * 1_000_000
            if isinstance(event, Trade):
                assert (event.price, event.quantity) == (float(message["p"]), float(message["q"]))
                assert math.isnan(event.quantity_base)
    assert ours == theirs
    assert ours["top"] > 0
    assert ours["trade"] > 0


def golden(test: str) -> list[tuple[bytes, list[dict[str, Any]]]]:
    """Raw messages and what a well-kept normaliser makes of them."""
    pairs = []
    with (DATA / "wire" / "golden_pairs.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            pair = json.loads(line)
            if pair["test"] == test:
                pairs.append((json.dumps(pair["raw"]).encode(), pair["expected"]))
    return pairs


def time_ns(stamp: str) -> int:
    """Nanoseconds of an ISO stamp in milliseconds."""
    return round(datetime.fromisoformat(stamp).timestamp() * 1000) * 1_000_000


@pytest.mark.parametrize(
    ("test", "venue", "counts"),
    [
        ("map binance futures messages", "binance", (1, 2, 1, 1)),
        ("map binance delivery messages", "binance", (1, 1, 1, 1)),
        ("map binance messages", "binance_spot", (0, 2, 1, 0)),
    ],
)
def test_golden_pairs_agree(test: str, venue: str, counts: tuple[int, int, int, int]) -> None:
    """Liquidations, trades, tops and open interest agree with another's reading of them.

    Its price of a liquidation is the order's limit; ours is the average fill.
    """
    reader = by_name(venue).reader("market", InstrumentTable(venue), 0)
    agreed: Counter[str] = Counter()
    for raw, expected in golden(test):
        events = reader.read(raw, 7)
        assert events
        assert not any(isinstance(event, Malformed) for event in events)
        for theirs in expected:
            for ours in events:
                agreed[agreement(ours, theirs)] += 1
    assert counts == (agreed["liquidation"], agreed["trade"], agreed["top"], agreed["interest"])


def agreement(ours: Event, theirs: dict[str, Any]) -> str:
    """What both agree on, "" where theirs has no counterpart; raises where they differ."""
    match ours, theirs["type"]:
        case Liquidation(), "liquidation":
            assert ours.position == {"sell": "long", "buy": "short"}[theirs["side"]]
            assert (ours.instrument.symbol, ours.quantity) == (theirs["symbol"], theirs["amount"])
            assert ours.event_ns == time_ns(theirs["timestamp"])
            assert ours.price_basis is PriceBasis.AVERAGE
            return "liquidation"
        case Trade(), "trade":
            assert ours.taker_bought is (theirs["side"] == "buy")
            assert (ours.instrument.symbol, ours.price, ours.quantity) == (
                theirs["symbol"],
                theirs["price"],
                theirs["amount"],
            )
            assert ours.event_ns == time_ns(theirs["timestamp"])
            return "trade"
        case BookTop(), "book_ticker":
            assert (ours.instrument.symbol, ours.bid_price, ours.ask_price) == (
                theirs["symbol"],
                theirs["bidPrice"],
                theirs["askPrice"],
            )
            return "top"
        case OpenInterest(), "derivative_ticker":
            assert (ours.instrument.symbol, ours.open_interest) == (
                theirs["symbol"],
                theirs["openInterest"],
            )
            return "interest"
        case _:
            return ""


def test_forced_trades_of_the_insurance_fund_are_not_trades() -> None:
    """Fills by the insurance fund and by ADL are named as such and make no trade."""
    reader = by_name("binance").reader("market", InstrumentTable("binance"), 0)
    told = [
        reader.read(raw, 7)[0]
        for test in ("map binance futures messages", "map binance delivery messages")
        for raw, _ in golden(test)
        if b'"X": "INSURANCE_FUND"' in raw or b'"X": "ADL"' in raw
    ]
    assert told == [NotUsed(Unused.OTHER, "INSURANCE_FUND"), NotUsed(Unused.OTHER, "ADL")]


def test_frames_of_2026_are_read() -> None:
    """Today's liquidations and tops, wrapped and bare, with fields the documents lack."""
    reader = by_name("binance").reader("liquidations", InstrumentTable("binance"), 0)
    seen: Counter[str] = Counter()
    with (DATA / "wire" / "live_2026.jsonl").open(encoding="utf-8") as lines:
        frames = [json.loads(line) for line in lines]
    for line in frames:
        if line["venue"] != "binance-usdm":
            continue
        [event] = reader.read(line["raw"].encode(), 7)
        message = json.loads(line["raw"])
        message = message.get("data", message)
        seen[line["kind"]] += 1
        if isinstance(event, BookTop):
            assert (event.bid_price, event.ask_price) == (float(message["b"]), float(message["a"]))
            assert event.event_ns == message["T"] * 1_000_000
            continue
        order = message["o"]
        assert isinstance(event, Liquidation)
        assert event.position == {"SELL": "long", "BUY": "short"}[order["S"]]
        assert (event.instrument.product, event.instrument.symbol) == ("usdm", order["s"])
        assert event.event_ns == order["T"] * 1_000_000
        assert (event.quantity, event.price) == (float(order["z"]), float(order["ap"]))
    assert seen == {"liquidation": 2, "bookTicker": 1}
