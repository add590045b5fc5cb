"""What BitMEX's tables mean: the life of a forced order, deltas, and three kinds of contract."""

import datetime as dt
import json
import math
from collections import Counter
from typing import Any

import msgspec
import pytest

from monitor.events import (
    BookTop,
    Event,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Position,
    Trade,
    Unused,
)
from monitor.instruments import InstrumentTable, Unit
from monitor.venues.bitmex import BITMEX
from monitor.venues.contract import Reader
from tests import tapes
from tests.frames import RECORDED, golden_pairs, needs_recorded


def started() -> tuple[Reader, InstrumentTable]:
    """A Reader whose table holds the fixture's listing."""
    table = InstrumentTable("bitmex")
    for number, line in enumerate(tapes.lines("bitmex")):
        if line.frame is None:
            tapes.answer(BITMEX, table, line, number)
    return BITMEX.reader("realtime", table, 0), table


def liquidation(action: str, **row: object) -> bytes:
    """A frame of the liquidation table with one row."""
    return msgspec.json.encode({"table": "liquidation", "action": action, "data": [row]})


def forced(reader: Reader, frame: bytes) -> list[Liquidation]:
    """The forced orders that a frame tells of."""
    return [e for e in reader.read(frame, tapes.STARTED_NS) if isinstance(e, Liquidation)]


def test_each_line_of_the_fixture_gives_what_is_expected() -> None:
    """The fixture's events equal the expected ones, which a person has read against the docs."""
    table = InstrumentTable("bitmex")
    read = tapes.read(BITMEX, BITMEX.reader("realtime", table, 0), table, tapes.lines("bitmex"))
    assert [tapes.records(events) for events in read] == tapes.expected("bitmex")


def test_a_contract_has_the_size_that_the_listing_states() -> None:
    """Inverse contracts count dollars, linear ones parts of a coin, quanto ones neither."""
    _, table = started()
    listed = {i.symbol: (i.asset, i.quote, i.unit, i.contract_size, i.multiplier) for i in table}
    assert listed == {
        "XBTUSD": ("BTC", "USD", Unit.QUOTE, 1.0, 1.0),
        "XBTUSDT": ("BTC", "USDT", Unit.BASE, 1e-6, 1.0),
        "ETHUSD": ("ETH", "USD", Unit.UNKNOWN, 1.0, 1.0),
        "ETHUSDT": ("ETH", "USDT", Unit.BASE, 1e-5, 1.0),
        "ETHXBT": ("ETH", "BTC", Unit.BASE, 1.0, 1.0),
        "XBTZ26": ("BTC", "USD", Unit.QUOTE, 1.0, 1.0),
        "1000PEPEUSDT": ("PEPE", "USDT", Unit.BASE, 0.1, 1000.0),
        "EURUSDT": ("EUR", "USDT", Unit.BASE, 0.001, 1.0),
    }
    assert {i.symbol: i.settle for i in table if i.asset == "BTC"} == {
        "XBTUSD": "BTC",
        "XBTUSDT": "USDT",
        "XBTZ26": "BTC",
    }
    assert {i.symbol for i in table if not i.perpetual} == {"XBTZ26"}
    assert {i.symbol for i in table if i.tradfi} == {"EURUSDT"}
    assert {i.funding_interval_s for i in table if i.perpetual} == {28_800}


def test_a_quanto_contract_says_why_it_has_no_notional() -> None:
    """Its quantity is kept; coins and dollars are not known, with the reason."""
    reader, _ = started()
    frame = liquidation(
        "insert", orderID="a", symbol="ETHUSD", side="Buy", price=3000, leavesQty=40
    )
    (order,) = forced(reader, frame)
    assert order.quantity == 40.0
    assert math.isnan(order.quantity_base)
    assert math.isnan(order.notional_usd)
    assert order.instrument.unknown_reason == "unit_not_convertible"


def test_an_order_counts_once_in_its_life() -> None:
    """Insert counts; update, repeated insert and delete do not; a new life counts again."""
    reader, _ = started()
    part: dict[str, object] = {"orderID": "a", "symbol": "XBTUSD"}
    row = part | {"side": "Sell", "price": 60000, "leavesQty": 500}
    lives: list[tuple[str, dict[str, object], float | None]] = [
        ("insert", row, 500.0),
        ("update", part | {"leavesQty": 400}, None),
        ("update", part | {"price": 59000}, None),
        ("insert", row, None),
        ("update", part | {"leavesQty": 0}, None),
        ("delete", part, None),
        ("delete", part, None),
        ("update", part | {"leavesQty": 9}, None),
        ("insert", row, 500.0),
    ]
    for action, fields, counted in lives:
        orders = forced(reader, liquidation(action, **fields))
        assert [order.quantity for order in orders] == ([] if counted is None else [counted])


def test_orders_open_at_the_subscription_are_history_for_life() -> None:
    """The partial's orders are told as replayed, and no later frame about them counts."""
    reader, _ = started()
    row = {"orderID": "a", "symbol": "XBTUSD", "side": "Sell", "price": 60000, "leavesQty": 500}
    (first,) = reader.read(liquidation("partial", **row), tapes.STARTED_NS)
    assert isinstance(first, NotUsed)
    assert first.reason is Unused.REPLAYED
    assert forced(reader, liquidation("insert", **row)) == []
    assert forced(reader, liquidation("update", orderID="a", symbol="XBTUSD", leavesQty=1)) == []


def test_open_orders_are_bounded() -> None:
    """A venue that never deletes makes the oldest orders forgotten, each told of."""
    reader, _ = started()
    rows = [
        {"orderID": str(n), "symbol": "XBTUSD", "side": "Sell", "price": 60000, "leavesQty": 1}
        for n in range(5_003)
    ]
    frame = msgspec.json.encode({"table": "liquidation", "action": "insert", "data": rows})
    events = reader.read(frame, tapes.STARTED_NS)
    kinds = Counter(type(event).__name__ for event in events)
    assert kinds == {"Liquidation": 5_003, "NotUsed": 3}
    held = msgspec.to_builtins(reader.state)["orders"]
    assert list(held) == [str(n) for n in range(3, 5_003)]


def test_a_liquidation_is_stamped_on_receipt() -> None:
    """BitMEX gives no time, so a forced order's time is when its frame came in."""
    reader, _ = started()
    frame = liquidation(
        "insert", orderID="a", symbol="XBTUSDT", side="Sell", price=60000, leavesQty=1_000_000
    )
    (order,) = reader.read(frame, 1_791_234_567_890_123_456)
    assert isinstance(order, Liquidation)
    assert order.event_ns == order.received_ns == 1_791_234_567_890_123_456
    assert (order.position, order.quantity_base, order.notional_usd) == (
        Position.LONG,
        1.0,
        60_000.0,
    )


def test_a_damaged_row_changes_nothing_that_is_held() -> None:
    """Open interest after a damaged row is still priced by the mark from before it."""
    reader, _ = started()
    for row in ({"markPrice": 60_000}, {"markPrice": 50_000, "fundingRate": "a lot"}):
        action = "partial" if row == {"markPrice": 60_000} else "update"
        message = {"table": "instrument", "action": action, "data": [{"symbol": "XBTUSD"} | row]}
        reader.read(msgspec.json.encode(message), tapes.STARTED_NS)
    message = {
        "table": "instrument",
        "action": "update",
        "data": [{"symbol": "XBTUSD", "openInterest": 120_000}],
    }
    (interest,) = reader.read(msgspec.json.encode(message), tapes.STARTED_NS)
    assert isinstance(interest, OpenInterest)
    assert interest.open_interest_base == pytest.approx(2.0)


def test_watched_contracts_are_followed_on_one_socket() -> None:
    """Coins of the watch list in dollars get three topics each; liquidations come of all."""
    _, table = started()
    (session,) = BITMEX.plan(table, frozenset({"BTC", "EUR"}))
    assert session.topics == (
        "liquidation",
        "instrument:XBTUSD",
        *("trade:XBTUSD", "quote:XBTUSD"),
        *("instrument:XBTUSDT", "trade:XBTUSDT", "quote:XBTUSDT"),
        *("instrument:XBTZ26", "trade:XBTZ26", "quote:XBTZ26"),
    )
    assert session.control == "instrument:XBTUSD"
    assert BITMEX.unsubscribe(session, ("trade:XBTUSD",)) == (
        b'{"op":"unsubscribe","args":["trade:XBTUSD"]}',
    )


def test_a_subscription_asks_for_twenty_topics_at_a_time() -> None:
    """More topics than BitMEX takes in one request are asked for in several."""
    _, table = started()
    (session,) = BITMEX.plan(table, frozenset())
    topics = tuple(f"trade:C{number}" for number in range(45))
    asked = [json.loads(frame)["args"] for frame in BITMEX.subscribe(session, topics)]
    assert [len(part) for part in asked] == [20, 20, 5]
    assert [topic for part in asked for topic in part] == list(topics)


def test_an_empty_or_refused_listing_is_no_listing() -> None:
    """Nothing listed, an error or a broken page leaves the instruments as they were."""
    table = InstrumentTable("bitmex")
    for body in (b"[]", b'{"error":{"message":"no","name":"HTTPError"}}', b"<html>"):
        events = BITMEX.answer("instruments", "contracts", body, tapes.STARTED_NS, table)
        assert [type(event) for event in events if isinstance(event, Listing)] == []


@needs_recorded
def test_a_recorded_session_of_orders_is_read_by_its_inserts() -> None:
    """Of a recorded session, each insert gives its order, and nothing else gives one."""
    reader, table = started()
    path = RECORDED / "wire" / "bitmex_liquidation_session_2024-11-13.jsonl"
    lines = path.read_bytes().splitlines()
    told: list[tuple[str, Position, float, float]] = []
    inserts: list[tuple[str, Position, float, float]] = []
    for line in lines:
        events = reader.read(line, tapes.STARTED_NS)
        assert [event for event in events if isinstance(event, Malformed)] == []
        told += [
            (event.instrument.symbol, event.position, event.price, event.quantity)
            for event in events
            if isinstance(event, Liquidation)
        ]
        message = json.loads(line)
        if message.get("action") == "insert":
            inserts += [
                (
                    row["symbol"],
                    Position.LONG if row["side"] == "Sell" else Position.SHORT,
                    row["price"],
                    row["leavesQty"],
                )
                for row in message["data"]
            ]
    assert told == inserts
    assert len(told) == 9
    assert msgspec.to_builtins(reader.state)["orders"] == {}
    assert table.named("XBTUSDT", "contracts").known


@needs_recorded
def test_recorded_messages_mean_what_a_normaliser_expects() -> None:
    """Orders, trades and tops of the golden messages agree in side, symbol, time and size."""
    reader, _ = started()
    for frame, wanted in golden_pairs("map bitmex messages"):
        told = [known(event) for event in reader.read(frame, tapes.STARTED_NS)]
        assert [fields for fields in told if fields] == [
            fields for fields in map(normalised, wanted) if fields
        ]


def known(event: Event) -> dict[str, object]:
    """What a normaliser tells too of an order, a trade or a top; empty for other events."""
    match event:
        case Liquidation():
            side = "sell" if event.position is Position.LONG else "buy"
            return {"symbol": event.instrument.symbol, "side": side, "amount": event.quantity}
        case Trade():
            return {
                "symbol": event.instrument.symbol,
                "side": "buy" if event.taker_bought else "sell",
                "amount": event.quantity,
                "price": event.price,
                "timestamp": stamp(event.event_ns),
            }
        case BookTop():
            return {
                "symbol": event.instrument.symbol,
                "bidPrice": event.bid_price,
                "askPrice": event.ask_price,
                "timestamp": stamp(event.event_ns),
            }
        case _:
            return {}


def normalised(fields: dict[str, Any]) -> dict[str, object]:
    """The same of a normaliser's record."""
    names = {
        "liquidation": ("symbol", "side", "amount"),
        "trade": ("symbol", "side", "amount", "price", "timestamp"),
        "book_ticker": ("symbol", "bidPrice", "askPrice", "timestamp"),
    }
    return {name: fields[name] for name in names.get(fields["type"], ())}


def stamp(event_ns: int) -> str:
    """A time as the normaliser writes it."""
    at = dt.datetime.fromtimestamp(event_ns // 1_000_000 / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@needs_recorded
def test_the_recorded_state_of_instruments_is_told() -> None:
    """A golden partial gives each instrument's mark, index and open interest as it has them."""
    reader, _ = started()
    messages = [
        json.loads(frame)
        for frame, _ in golden_pairs("map bitmex messages")
        if b'"table":"instrument","action":"partial"' in frame
    ]
    rows = [row for message in messages for row in message["data"]]
    told: dict[str, list[float]] = {row["symbol"]: [] for row in rows}
    for message in messages:
        for event in reader.read(msgspec.json.encode(message), tapes.STARTED_NS):
            if isinstance(event, Mark):
                told[event.instrument.symbol] += [event.mark_price, event.index_price]
            elif isinstance(event, OpenInterest):
                told[event.instrument.symbol].append(event.open_interest)
    assert rows
    assert told == {
        row["symbol"]: [row["markPrice"], row["indicativeSettlePrice"], row["openInterest"]]
        for row in rows
    }


@needs_recorded
def test_a_recorded_stream_is_read_whole() -> None:
    """No frame of a capture is damaged to us; trades and tops are those that it inserts."""
    reader, _ = started()
    path = RECORDED / "streams" / "cryptofeed_BITMEX.ws.1.0.gz"
    trades: list[tuple[str, float, float]] = []
    tops: list[tuple[str, float, float]] = []
    wanted: dict[str, list[tuple[str, float, float]]] = {"trade": [], "quote": []}
    for received_ns, frame in tapes.recorded_stream(path):
        events = reader.read(frame, received_ns)
        assert [event for event in events if isinstance(event, Malformed)] == []
        for event in events:
            if isinstance(event, Trade):
                trades.append((event.instrument.symbol, event.price, event.quantity))
            elif isinstance(event, BookTop):
                tops.append((event.instrument.symbol, event.bid_price, event.ask_price))
        message = json.loads(frame)
        if message.get("table") == "trade" and message["action"] == "insert":
            wanted["trade"] += [(r["symbol"], r["price"], r["size"]) for r in message["data"]]
        elif message.get("table") == "quote":
            wanted["quote"] += [
                (r["symbol"], r["bidPrice"], r["askPrice"]) for r in message["data"]
            ]
    assert trades == wanted["trade"]
    assert tops == wanted["quote"]
    assert trades
    assert tops
