import datetime as dt
import json
import math
from typing import Any

import msgspec
import pytest

from monitor.events import (
    BookTop,
    Completeness,
    Liquidation,
    Listing,
    Malformed,
    NotUsed,
    OpenInterest,
    Position,
    Trade,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues import by_name
from monitor.venues.bybit import BYBIT, BYBIT_SPOT
from monitor.venues.contract import Reader, Venue
from tests.frames import (
    RECEIVED_NS,
    expected,
    fill,
    frames,
    golden_pairs,
    live_frames,
    needs_recorded,
    notes,
    read_all,
)


def listed(symbol: str, base: str, quote: str, **fields: object) -> dict[str, object]:
    """A row of instruments-info, in the shape of the vendor's sample."""
    row: dict[str, object] = {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": base,
        "quoteCoin": quote,
        "launchTime": "1585526400000",
        "deliveryTime": "0",
        "priceScale": "2",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00"},
        "fundingInterval": 480,
        "settleCoin": quote,
        "symbolType": "",
    }
    return row | fields


def page(*rows: object, category: str = "linear", cursor: str = "") -> bytes:
    """An answer of instruments-info with these rows."""
    result = {"category": category, "list": rows, "nextPageCursor": cursor}
    answer = {"retCode": 0, "retMsg": "OK", "result": result, "time": 1735809771618}
    return json.dumps(answer).encode()


LINEAR = page(
    listed("BTCUSDT", "BTC", "USDT"),
    listed("BTCPERP", "BTC", "USDC"),
    listed("1000PEPEUSDT", "1000PEPE", "USDT", fundingInterval=240),
    listed("BTCUSDT-25DEC26", "BTC", "USDT", contractType="LinearFutures", fundingInterval=0),
    listed("TSLAUSDT", "TSLA", "USDT", symbolType="stock"),
)
INVERSE = page(
    listed("BTCUSD", "BTC", "USD", contractType="InversePerpetual", settleCoin="BTC"),
    category="inverse",
)
SPOT = page(
    {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading"},
    {"symbol": "ETHBTC", "baseCoin": "ETH", "quoteCoin": "BTC", "status": "Trading"},
    category="spot",
)


def contracts() -> InstrumentTable:
    """The instruments that the fixtures trade."""
    table = InstrumentTable("bybit")
    fill(table, BYBIT, "linear", LINEAR)
    fill(table, BYBIT, "inverse", INVERSE)
    return table


def pairs() -> InstrumentTable:
    """The spot pairs that the fixtures trade."""
    table = InstrumentTable("bybit_spot")
    fill(table, BYBIT_SPOT, "spot", SPOT)
    return table


def reader_of(name: str) -> Reader:
    """A fresh Reader for the fixture of that venue."""
    if name == "bybit":
        return BYBIT.reader("linear-1", contracts(), RECEIVED_NS)
    return BYBIT_SPOT.reader("spot-1", pairs(), RECEIVED_NS)


VENUES = ("bybit", "bybit_spot")


@pytest.mark.parametrize("name", VENUES)
def test_each_frame_gives_exactly_its_events(name: str) -> None:
    """The events of each typed frame are those that the expected file states, field by field."""
    read = read_all(reader_of(name), frames(name))
    wanted = expected(name)
    assert len(read) == len(wanted)
    for note, got, want in zip(notes(name), read, wanted, strict=True):
        assert got == want, note


@pytest.mark.parametrize(
    "frame",
    [
        b"\xff\xfe",
        b'{"topic":"kline.\xff"}',
        b"[" * 100_000,
        b'{"topic":' + b"[" * 100_000,
        b'{"topic":"tickers.X","type":"snapshot","ts":1e999,"data":{"symbol":"X"}}',
        b"null",
        b"7",
    ],
)
def test_what_is_no_message_is_malformed(frame: bytes) -> None:
    """Bytes that are no message of the venue give one `Malformed` of a known reason."""
    (event,) = reader_of("bybit").read(frame, RECEIVED_NS)
    assert isinstance(event, Malformed)
    assert event.reason in {"not json", "wrong shape", "bad value"}
    assert len(event.detail) <= 200


def test_a_message_without_rows_is_told() -> None:
    """An empty list of rows is not nothing: it is one message that was not used."""
    frame = b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1,"data":[]}'
    events = reader_of("bybit").read(frame, RECEIVED_NS)
    assert events == (NotUsed(Unused.OTHER, "message without rows"),)


def test_a_thousand_trades_are_read_in_order() -> None:
    """A message of the documented maximum of 1024 trades gives them all, in their order."""
    rows = [
        {"T": 1791000000000 + n, "s": "BTCUSDT", "S": "Buy", "v": str(n + 1), "p": "60000"}
        for n in range(1024)
    ]
    frame = json.dumps({"topic": "publicTrade.BTCUSDT", "ts": 1, "data": rows}).encode()
    events = reader_of("bybit").read(frame, RECEIVED_NS)
    assert [event.quantity for event in events if isinstance(event, Trade)] == [
        float(n + 1) for n in range(1024)
    ]


def test_an_overgrown_book_is_dropped() -> None:
    """Deltas that only ever add rows are damage: the book is given up at its bound."""
    reader = reader_of("bybit")

    def frame(kind: str, bids: list[list[str]], update: int) -> bytes:
        body = {"s": "BTCUSDT", "b": bids, "a": [["70000", "1"]], "u": update}
        message = {"topic": "orderbook.50.BTCUSDT", "type": kind, "ts": 1791000000000}
        return json.dumps(message | {"data": body}).encode()

    reader.read(frame("snapshot", [["1", "1"]], 1), RECEIVED_NS)
    many = [[str(price), "1"] for price in range(2, 600)]
    (event,) = reader.read(frame("delta", many, 2), RECEIVED_NS)
    assert event == NotUsed(Unused.OTHER, "book delta out of sequence")
    (event,) = reader.read(frame("delta", [], 3), RECEIVED_NS)
    assert event == NotUsed(Unused.OTHER, "book delta without its snapshot")


def test_a_reader_of_the_inverse_session_names_its_product() -> None:
    """An instrument that is not known is of the product whose session it came by."""
    frame = frames("bybit")[7]
    (event,) = BYBIT.reader("inverse-1", InstrumentTable("bybit"), 0).read(frame, RECEIVED_NS)
    assert isinstance(event, Liquidation)
    assert event.instrument == Instrument("bybit", "inverse", "ROSEUSDT")
    assert event.instrument.unknown_reason == "unknown_instrument"


def test_a_new_listing_is_known_to_an_open_connection() -> None:
    """A Reader asks the table each time, so a later listing counts from the next frame on."""
    table = contracts()
    reader = BYBIT.reader("linear-1", table, 0)
    frame = frames("bybit")[7]
    (before,) = reader.read(frame, RECEIVED_NS)
    fill(table, BYBIT, "linear", page(listed("ROSEUSDT", "ROSE", "USDT")))
    (after,) = reader.read(frame, RECEIVED_NS)
    assert isinstance(before, Liquidation)
    assert isinstance(after, Liquidation)
    assert math.isnan(before.notional_usd)
    assert after.notional_usd == 20000 * 0.04499


def test_the_listing_tells_units_and_assets() -> None:
    """Linear quantities are coins, inverse ones dollars; counts in names become multipliers."""
    table = contracts()
    assert table.get("1000PEPEUSDT") == Instrument(
        "bybit",
        "linear",
        "1000PEPEUSDT",
        asset="PEPE",
        quote="USDT",
        settle="USDT",
        unit=Unit.BASE,
        multiplier=1000.0,
        perpetual=True,
        funding_interval_s=14_400,
    )
    assert table.get("BTCUSD") == Instrument(
        "bybit",
        "inverse",
        "BTCUSD",
        asset="BTC",
        quote="USD",
        settle="BTC",
        unit=Unit.QUOTE,
        perpetual=True,
        funding_interval_s=28_800,
    )
    stock, dated = table.get("TSLAUSDT"), table.get("BTCUSDT-25DEC26")
    assert stock is not None
    assert stock.tradfi
    assert dated is not None
    assert not dated.perpetual


def test_a_damaged_listing_row_spoils_no_other() -> None:
    """What cannot be read of a listing is told beside it; what does not trade is left out."""
    body = page(
        listed("BTCUSDT", "BTC", "USDT"),
        listed("OLDUSDT", "OLD", "USDT", status="Settling"),
        {"symbol": "HALF"},
        listed("NOBASEUSDT", "", "USDT"),
        cursor="first%3DBTCUSDT",
    )
    listing, *others = BYBIT.answer("instruments", "linear", body, 5, InstrumentTable("bybit"))
    assert isinstance(listing, Listing)
    assert (listing.venue, listing.product, listing.received_ns) == ("bybit", "linear", 5)
    assert [instrument.symbol for instrument in listing.instruments] == ["BTCUSDT"]
    assert [event.reason for event in others if isinstance(event, Malformed)] == [
        "wrong shape",
        "bad value",
    ]
    assert NotUsed(Unused.OTHER, "listing truncated: a further page was announced") in others


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"retCode":10006,"retMsg":"Too many visits."}', Unused.REFUSED),
        (page(), Unused.OTHER),
        (b"<html>", "not json"),
        (b'{"retCode":0,"result":{"list":7}}', "wrong shape"),
        (b"", "not json"),
    ],
)
def test_an_answer_without_a_listing_lists_nothing(body: bytes, event: str) -> None:
    """A refusal, an empty page and damage give no listing that would empty the table."""
    (got,) = BYBIT.answer("instruments", "linear", body, RECEIVED_NS, InstrumentTable("bybit"))
    assert isinstance(got, Malformed | NotUsed)
    assert got.reason == event


def test_the_listings_ask_for_each_product_once() -> None:
    """One poll a product, of the whole listing in one page."""
    polls = {(poll.name, poll.key): poll.url for poll in BYBIT.listings + BYBIT_SPOT.listings}
    address = "https://api.bybit.com/v5/market/instruments-info?limit=1000&category="
    assert polls == {
        ("instruments", product): address + product for product in ("linear", "inverse", "spot")
    }


def test_the_plan_subscribes_liquidations_of_all_and_market_data_of_the_watched() -> None:
    """Liquidation topics cover every coin contract; market data is apart and follows the watch."""
    sessions = {s.name: s for s in BYBIT.plan(contracts(), frozenset({"BTC"}))}
    assert list(sessions) == ["linear-1", "linear-market-1", "inverse-1", "inverse-market-1"]
    assert sessions["linear-1"].topics == (
        "tickers.BTCUSDT",
        "allLiquidation.1000PEPEUSDT",
        "allLiquidation.BTCPERP",
        "allLiquidation.BTCUSDT",
        "allLiquidation.BTCUSDT-25DEC26",
    )
    assert set(sessions["linear-market-1"].topics) == {
        *(
            f"{kind}.{symbol}"
            for kind in ("tickers", "publicTrade", "orderbook.1", "orderbook.50")
            for symbol in ("BTCUSDT", "BTCPERP")
        ),
        "tickers.BTCUSDT-25DEC26",
    }
    assert sessions["inverse-1"].topics == ("tickers.BTCUSD", "allLiquidation.BTCUSD")
    assert set(sessions["inverse-market-1"].topics) == {
        "tickers.BTCUSD",
        "publicTrade.BTCUSD",
        "orderbook.1.BTCUSD",
    }
    assert sessions["inverse-1"].url == "wss://stream.bybit.com/v5/public/inverse"


def test_the_spot_plan_follows_the_watch() -> None:
    """Only watched pairs priced in dollars are subscribed, trades and tops of each."""
    (session,) = BYBIT_SPOT.plan(pairs(), frozenset({"BTC", "ETH"}))
    assert set(session.topics) == {"publicTrade.BTCUSDT", "orderbook.1.BTCUSDT"}
    assert BYBIT_SPOT.plan(pairs(), frozenset({"DOGE"})) == ()


def test_every_session_keeps_the_limits_and_a_control_topic() -> None:
    """With 2,000 symbols no connection exceeds its characters, and each has topic and ping."""
    table = InstrumentTable("bybit")
    rows = [listed(f"COIN{n:04}USDT", f"COIN{n:04}", "USDT") for n in range(2000)]
    fill(table, BYBIT, "linear", page(*rows))
    watch = frozenset(f"COIN{n:04}" for n in range(1000))
    sessions = BYBIT.plan(table, watch)
    assert len({session.name for session in sessions}) == len(sessions)
    wanted = {f"allLiquidation.COIN{n:04}USDT" for n in range(2000)}
    assert wanted <= {topic for session in sessions for topic in session.topics}
    for session in sessions:
        assert len(set(session.topics)) == len(session.topics)
        assert len(json.dumps(session.topics)) <= 21_000
        assert session.control in session.topics
        assert session.ping is not None
        assert json.loads(session.ping) == {"op": "ping"}
        assert 0 < session.ping_interval_s <= 20
        for frame in BYBIT.subscribe(session, session.topics):
            assert len(json.loads(frame)["args"]) <= 200


@pytest.mark.parametrize(("venue", "most"), [(BYBIT, 200), (BYBIT_SPOT, 10)])
def test_requests_carry_every_topic_once(venue: Venue, most: int) -> None:
    """Requests are split at the venue's number of arguments; no topic is lost or repeated."""
    (session, *_) = BYBIT.plan(contracts(), frozenset())
    topics = tuple(f"publicTrade.X{n}" for n in range(2 * most + 1))
    for op, requests in (
        ("subscribe", venue.subscribe(session, topics)),
        ("unsubscribe", venue.unsubscribe(session, topics)),
    ):
        bodies = [json.loads(request) for request in requests]
        assert [len(body["args"]) for body in bodies] == [most, most, 1]
        assert {body["op"] for body in bodies} == {op}
        assert tuple(topic for body in bodies for topic in body["args"]) == topics
    assert venue.subscribe(session, ()) == ()


def test_the_registry_names_both_venues() -> None:
    """Both are found by name, with the completeness that their documents allow."""
    assert by_name("bybit") is BYBIT
    assert by_name("bybit_spot") is BYBIT_SPOT
    assert BYBIT.completeness is Completeness.FULL
    assert BYBIT_SPOT.completeness is Completeness.NONE
    assert BYBIT.polls(contracts(), frozenset({"BTC"})) == ()


class Stamped(msgspec.Struct):
    """A time as the recorded records state it."""

    at: dt.datetime


def order_side(position: Position) -> str:
    """The side of the order that closed a position, as the recorded records state it."""
    return "sell" if position is Position.LONG else "buy"


@needs_recorded
def test_recorded_messages_agree_with_a_well_kept_normaliser() -> None:
    """Liquidations, trades, tops and interest of current topics agree; dead topics are told."""
    reader = BYBIT.reader("linear-1", contracts(), 0)
    dead = 0
    seen: set[str] = set()
    for frame, records in golden_pairs("map bybit messages"):
        events = reader.read(frame, RECEIVED_NS)
        assert not [event for event in events if isinstance(event, Malformed)]
        topic = json.loads(frame).get("topic", "")
        kind = topic.partition(".")[0]
        if kind in {"liquidation", "trade", "instrument_info"} or kind.startswith("orderBook"):
            assert events == (NotUsed(Unused.RETIRED_TOPIC, topic),)
            dead += 1
            continue
        seen.add(kind)
        if records:
            compare(kind, events, records)
    assert dead == 39
    assert seen == {"", "publicTrade", "orderbook", "tickers", "allLiquidation"}


def compare(kind: str, events: Any, records: list[dict[str, Any]]) -> None:
    """Compare the events of one recorded message with the records expected of it."""
    if kind == "allLiquidation":
        assert [
            (order_side(e.position), e.instrument.symbol, e.event_ns, e.quantity, e.price)
            for e in events
        ] == [
            (r["side"], r["symbol"], stamp_ns(r), float(r["amount"]), float(r["price"]))
            for r in records
        ]
    elif kind == "publicTrade":
        assert [
            ("buy" if e.taker_bought else "sell", e.instrument.symbol, e.event_ns, e.quantity)
            for e in events
        ] == [(r["side"], r["symbol"], stamp_ns(r), float(r["amount"])) for r in records]
    elif kind == "tickers":
        # The records count both sides of each contract.
        interest = [
            (e.instrument.symbol, e.event_ns, 2 * e.open_interest)
            for e in events
            if isinstance(e, OpenInterest)
        ]
        assert interest == [(r["symbol"], stamp_ns(r), float(r["openInterest"])) for r in records]
    elif events[0].__class__ is BookTop:
        assert [(e.bid_price, e.ask_price, e.event_ns) for e in events] == [
            (r["bidPrice"], r["askPrice"], stamp_ns(r)) for r in records
        ]


def stamp_ns(record: dict[str, Any]) -> int:
    """Nanoseconds of a record's time."""
    parsed = msgspec.convert({"at": record["timestamp"]}, Stamped, strict=False)
    return round(parsed.at.timestamp() * 1000) * 1_000_000


@needs_recorded
def test_recorded_spot_messages_agree_with_a_well_kept_normaliser() -> None:
    """Trades and tops of current spot topics agree; those of the interface before are told."""
    reader = BYBIT_SPOT.reader("spot-1", pairs(), 0)
    kinds: list[str] = []
    for frame, records in golden_pairs("map bybit spot messages"):
        events = reader.read(frame, RECEIVED_NS)
        kind, dot, _ = json.loads(frame)["topic"].partition(".")
        if not dot:
            assert events == (NotUsed(Unused.RETIRED_TOPIC, kind),)
        else:
            assert not [event for event in events if isinstance(event, Malformed)]
            compare(kind, events, records)
        kinds.append(kind + dot)
    assert kinds.count("publicTrade.") == 2
    assert kinds.count("orderbook.") == 4
    assert len(kinds) == 11


@needs_recorded
def test_frames_of_2026_are_read_as_they_came() -> None:
    """Verbatim frames of the current topics give their positions, times and quantities."""
    reader = BYBIT.reader("linear-1", contracts(), 0)
    got = [
        (e.instrument.symbol, e.position, e.event_ns // 1_000_000, e.quantity)
        for frame in live_frames("bybit-linear")
        for e in reader.read(frame, RECEIVED_NS)
        if isinstance(e, Liquidation)
    ]
    rows = [
        row
        for frame in live_frames("bybit-linear")
        for row in (json.loads(frame)["data"] if b"allLiquidation" in frame else [])
    ]
    assert got == [(r["s"], Position.LONG, r["T"], float(r["v"])) for r in rows]
    assert len(got) == 4
