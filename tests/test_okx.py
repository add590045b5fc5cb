import datetime as dt
import gzip
import json
import math
from collections import Counter
from typing import Any

import msgspec
import pytest

from monitor.events import (
    Completeness,
    Event,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    Position,
    Trade,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues import by_name
from monitor.venues.contract import Reader, Venue
from monitor.venues.okx import OKX, OKX_SPOT
from tests.frames import (
    RECEIVED_NS,
    RECORDED,
    expected,
    fill,
    frames,
    golden_pairs,
    live_frames,
    needs_recorded,
    notes,
    read_all,
)

OPENED_NS = 1_791_000_000_000_000_000


def contract(inst_id: str, value: str, currency: str, **fields: object) -> dict[str, object]:
    """A row of the instruments, in the shape of the vendor's sample."""
    parts = inst_id.split("-")
    inverse = parts[1] == "USD"
    row: dict[str, object] = {
        "alias": "",
        "baseCcy": "",
        "ctMult": "1",
        "ctType": "inverse" if inverse else "linear",
        "ctVal": value,
        "ctValCcy": currency,
        "expTime": "",
        "instCategory": "1",
        "instFamily": "-".join(parts[:2]),
        "instId": inst_id,
        "instType": "SWAP" if parts[-1] == "SWAP" else "FUTURES",
        "lever": "100",
        "quoteCcy": "",
        "settleCcy": parts[0] if inverse else parts[1],
        "state": "live",
        "uly": "-".join(parts[:2]),
    }
    return row | fields


def pair(inst_id: str) -> dict[str, object]:
    """A spot row of the instruments."""
    base, quote = inst_id.split("-")
    return {
        "baseCcy": base,
        "quoteCcy": quote,
        "ctVal": "",
        "ctMult": "",
        "ctValCcy": "",
        "ctType": "",
        "instId": inst_id,
        "instType": "SPOT",
        "settleCcy": "",
        "state": "live",
        "uly": "",
        "instCategory": "1",
    }


def answer(*rows: object) -> bytes:
    """An answer of the instruments with these rows."""
    return json.dumps({"code": "0", "data": rows, "msg": ""}).encode()


SWAPS = answer(
    contract("BTC-USDT-SWAP", "0.01", "BTC"),
    contract("BTC-USD-SWAP", "100", "USD"),
    contract("ETH-USDT-SWAP", "0.1", "ETH"),
    contract("XAU-USDT-SWAP", "0.001", "XAU", instCategory="4"),
)
FUTURES = answer(
    contract("XRP-USD-261225", "10", "USD"),
    contract("BTC-USDT-261225", "0.01", "BTC"),
)
SPOT = answer(pair("BTC-USDT"), pair("ETH-BTC"))


def contracts() -> InstrumentTable:
    """The instruments that the fixtures trade."""
    table = InstrumentTable("okx")
    fill(table, OKX, "swap", SWAPS)
    fill(table, OKX, "futures", FUTURES)
    return table


def pairs() -> InstrumentTable:
    """The spot pairs that the fixtures trade."""
    table = InstrumentTable("okx_spot")
    fill(table, OKX_SPOT, "spot", SPOT)
    return table


def reader_of(name: str) -> Reader:
    """A fresh Reader for the fixture of that venue."""
    if name == "okx":
        return OKX.reader("liquidations", contracts(), OPENED_NS)
    return OKX_SPOT.reader("market-1", pairs(), OPENED_NS)


VENUES = ("okx", "okx_spot")


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
        b"",
        b"\xff\xfe",
        b'{"event":"\xff"}',
        b"[" * 100_000,
        b'{"arg":' + b"[" * 100_000,
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":{}}',
        b"null",
        b"7",
        b"{}",
    ],
)
def test_what_is_no_message_is_malformed(frame: bytes) -> None:
    """Bytes that are no message of the venue give one `Malformed` of a known reason."""
    (event,) = reader_of("okx").read(frame, RECEIVED_NS)
    assert isinstance(event, Malformed)
    assert event.reason in {"not json", "wrong shape", "bad value"}
    assert len(event.detail) <= 200


def test_without_a_time_of_opening_nothing_is_history() -> None:
    """A connection whose opening is not known drops no order as replayed."""
    frame = frames("okx")[5]
    assert reader_of("okx").read(frame, RECEIVED_NS) == [NotUsed(Unused.REPLAYED)] * 2
    events = OKX.reader("liquidations", contracts(), 0).read(frame, RECEIVED_NS)
    assert [event.quantity for event in events if isinstance(event, Liquidation)] == [3.0, 4.0]


@pytest.mark.parametrize(
    ("inst_id", "product"),
    [("IOST-USDT-SWAP", "swap"), ("IOST-USD-261225", "futures"), ("IOST-USDT", "spot")],
)
def test_an_unknown_instrument_shows_its_product_by_its_name(inst_id: str, product: str) -> None:
    """Before its listing an instrument is of the product that its id is formed like."""
    row = {"instId": inst_id, "px": "1", "sz": "2", "side": "buy", "ts": "1791000000000"}
    frame = {"arg": {"channel": "trades", "instId": inst_id}, "data": [row]}
    (event,) = reader_of("okx").read(json.dumps(frame).encode(), RECEIVED_NS)
    assert not isinstance(event, Malformed | NotUsed | Listing)
    assert event.instrument == Instrument("okx", product, inst_id)
    assert event.instrument.unknown_reason == "unknown_instrument"


def test_contracts_margined_in_any_dollar_take_the_index_in_dollars() -> None:
    """BTC-USD_UM-SWAP follows the index of BTC-USD, as its underlying says."""
    reader = reader_of("okx")
    index = b'{"arg":{"channel":"index-tickers","instId":"BTC-USD"},"data":[{"instId":"BTC-USD","idxPx":"60001","ts":"1791000000000"}]}'  # noqa: E501 a frame is one line
    mark = b'{"arg":{"channel":"mark-price","instId":"BTC-USD_UM-SWAP"},"data":[{"instId":"BTC-USD_UM-SWAP","markPx":"60002","ts":"1791000000000"}]}'  # noqa: E501 a frame is one line
    reader.read(index, RECEIVED_NS)
    (event,) = reader.read(mark, RECEIVED_NS)
    assert isinstance(event, Mark)
    assert event.index_price == 60001.0


def test_the_listing_tells_units_and_sizes() -> None:
    """A linear contract is a piece of coin, an inverse one a number of dollars."""
    table = contracts()
    assert table.get("BTC-USDT-SWAP") == Instrument(
        "okx",
        "swap",
        "BTC-USDT-SWAP",
        asset="BTC",
        quote="USDT",
        settle="USDT",
        unit=Unit.BASE,
        contract_size=0.01,
        perpetual=True,
    )
    assert table.get("XRP-USD-261225") == Instrument(
        "okx",
        "futures",
        "XRP-USD-261225",
        asset="XRP",
        quote="USD",
        settle="XRP",
        unit=Unit.QUOTE,
        contract_size=10.0,
    )
    assert pairs().get("ETH-BTC") == Instrument(
        "okx_spot",
        "spot",
        "ETH-BTC",
        asset="ETH",
        quote="BTC",
        settle="BTC",
        unit=Unit.BASE,
    )
    metal = table.get("XAU-USDT-SWAP")
    assert metal is not None
    assert metal.tradfi


def test_sizes_multiply_and_foreign_sizes_are_not_converted() -> None:
    """`ctVal` times `ctMult` is a contract; one sized in a third currency converts to nothing."""
    table = InstrumentTable("okx")
    rows = (
        contract("LTC-USDT-SWAP", "2", "LTC", ctMult="5"),
        contract("ETH-USDT-SWAP", "0.1", "BTC"),
        contract("BTC-USD_UM-SWAP", "0.01", "BTC", uly="BTC-USD", ctType="linear"),
    )
    fill(table, OKX, "swap", answer(*rows))
    five, quanto, any_dollar = (table.get(str(row["instId"])) for row in rows)
    assert five is not None
    assert five.contract_size == 10.0
    assert quanto is not None
    assert quanto.unknown_reason == "unit_not_convertible"
    assert math.isnan(quanto.coins(1.0, 1.0))
    assert any_dollar is not None
    assert (any_dollar.asset, any_dollar.quote, any_dollar.unit) == ("BTC", "USD", Unit.BASE)


def test_a_damaged_listing_row_spoils_no_other() -> None:
    """What cannot be read of a listing is told beside it; what does not trade is left out."""
    body = answer(
        contract("BTC-USDT-SWAP", "0.01", "BTC"),
        contract("NEW-USDT-SWAP", "1", "NEW", state="post_only"),
        contract("OLD-USDT-SWAP", "1", "OLD", state="suspend"),
        {"instId": "HALF"},
        contract("NIL-USDT-SWAP", "0", "NIL"),
        contract("NAN-USDT-SWAP", "", "NAN"),
    )
    listing, *others = OKX.answer("instruments", "swap", body, 5, InstrumentTable("okx"))
    assert isinstance(listing, Listing)
    assert (listing.venue, listing.product, listing.received_ns) == ("okx", "swap", 5)
    symbols = [instrument.symbol for instrument in listing.instruments]
    assert symbols == ["BTC-USDT-SWAP", "NEW-USDT-SWAP"]
    assert [event.reason for event in others if isinstance(event, Malformed)] == [
        "wrong shape",
        "bad value",
        "bad value",
    ]


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"code":"50011","msg":"Too Many Requests","data":[]}', Unused.REFUSED),
        (answer(), Unused.OTHER),
        (b"<html>", "not json"),
        (b'{"code":"0","data":7}', "wrong shape"),
        (b"", "not json"),
    ],
)
def test_an_answer_without_a_listing_lists_nothing(body: bytes, event: str) -> None:
    """A refusal, an empty list and damage give no listing that would empty the table."""
    (got,) = OKX.answer("instruments", "swap", body, RECEIVED_NS, InstrumentTable("okx"))
    assert isinstance(got, Malformed | NotUsed)
    assert got.reason == event


def test_the_listings_ask_for_each_product_once() -> None:
    """One poll a product, of its instrument type."""
    polls = {(poll.name, poll.key): poll.url for poll in OKX.listings + OKX_SPOT.listings}
    address = "https://openapi.okx.com/api/v5/public/instruments?instType="
    assert polls == {
        ("instruments", product): address + product.upper()
        for product in ("swap", "futures", "spot")
    }


def test_the_plan_subscribes_liquidations_apart_from_market_data() -> None:
    """Two topics hold all liquidations; the watched contracts' market data is apart."""
    liquidations, market = OKX.plan(contracts(), frozenset({"BTC"}))
    assert liquidations.name == "liquidations"
    assert liquidations.topics == (
        "mark-price:BTC-USDT-SWAP",
        "liquidation-orders:SWAP",
        "liquidation-orders:FUTURES",
    )
    assert market.name == "market-1"
    channels = ("mark-price", "open-interest", "funding-rate", "trades", "bbo-tbt", "books5")
    assert set(market.topics) == {
        *(f"{channel}:BTC-USDT-SWAP" for channel in channels),
        *(f"{channel}:BTC-USD-SWAP" for channel in channels),
        "mark-price:BTC-USDT-261225",
        "open-interest:BTC-USDT-261225",
        "index-tickers:BTC-USDT",
        "index-tickers:BTC-USD",
    }
    assert OKX.plan(InstrumentTable("okx"), frozenset({"BTC"})) == ()


def test_the_spot_plan_follows_the_watch() -> None:
    """Only watched pairs priced in dollars are subscribed, trades and tops of each."""
    (session,) = OKX_SPOT.plan(pairs(), frozenset({"BTC", "ETH"}))
    assert set(session.topics) == {"trades:BTC-USDT", "bbo-tbt:BTC-USDT"}
    assert OKX_SPOT.plan(pairs(), frozenset({"DOGE"})) == ()


def test_every_session_keeps_the_limits_and_a_control_topic() -> None:
    """With 500 watched swaps no connection exceeds 64 KB, and each has topic and ping."""
    table = InstrumentTable("okx")
    rows = [contract(f"COIN{n:04}-USDT-SWAP", "1", f"COIN{n:04}") for n in range(500)]
    fill(table, OKX, "swap", answer(*rows))
    sessions = OKX.plan(table, frozenset(f"COIN{n:04}" for n in range(500)))
    assert len({session.name for session in sessions}) == len(sessions)
    topics = [topic for session in sessions for topic in session.topics]
    assert {f"trades:COIN{n:04}-USDT-SWAP" for n in range(500)} <= set(topics)
    for session in sessions:
        assert len(set(session.topics)) == len(session.topics)
        assert session.control in session.topics
        assert session.ping == b"ping"
        assert 0 < session.ping_interval_s < 30
        requests = OKX.subscribe(session, session.topics)
        arguments = [arg for request in requests for arg in json.loads(request)["args"]]
        assert len(arguments) == len(session.topics)
        assert len(json.dumps(arguments, separators=(",", ":"))) <= 64_000


@pytest.mark.parametrize("venue", [OKX, OKX_SPOT])
def test_requests_carry_every_topic_once(venue: Venue) -> None:
    """Our topics become the vendor's arguments, by instrument or by its type."""
    (session, *_) = OKX.plan(contracts(), frozenset())
    topics = ("trades:BTC-USDT-SWAP", "liquidation-orders:SWAP", "index-tickers:BTC-USDT")
    for op, requests in (
        ("subscribe", venue.subscribe(session, topics)),
        ("unsubscribe", venue.unsubscribe(session, topics)),
    ):
        (request,) = requests
        assert json.loads(request) == {
            "op": op,
            "args": [
                {"channel": "trades", "instId": "BTC-USDT-SWAP"},
                {"channel": "liquidation-orders", "instType": "SWAP"},
                {"channel": "index-tickers", "instId": "BTC-USDT"},
            ],
        }
    many = tuple(f"trades:X{n}-USDT" for n in range(401))
    bodies = [json.loads(request) for request in venue.subscribe(session, many)]
    assert [arg["instId"] for body in bodies for arg in body["args"]] == [
        topic.partition(":")[2] for topic in many
    ]
    assert venue.subscribe(session, ()) == ()


def test_the_registry_names_both_venues() -> None:
    """Both are found by name, with the completeness that their documents allow."""
    assert by_name("okx") is OKX
    assert by_name("okx_spot") is OKX_SPOT
    assert OKX.completeness is Completeness.ONE_PER_SECOND
    assert OKX_SPOT.completeness is Completeness.NONE
    assert OKX.polls(contracts(), frozenset({"BTC"})) == ()


class Stamped(msgspec.Struct):
    """A time as the recorded records state it."""

    at: dt.datetime


def stamp_ns(record: dict[str, Any]) -> int:
    """Nanoseconds of a record's time."""
    parsed = msgspec.convert({"at": record["timestamp"]}, Stamped, strict=False)
    return round(parsed.at.timestamp() * 1000) * 1_000_000


# The read channels whose recorded records state the same thing as our events.
_COMPARED = {"trades", "liquidation-orders", "open-interest", "mark-price", "bbo-tbt"}


def compare(channel: str, events: Any, record: dict[str, Any]) -> None:
    """Compare the event of one recorded message with the record expected of it."""
    (event,) = events
    assert channel == "bbo-tbt" or event.instrument.symbol == record["symbol"]
    if channel in {"liquidation-orders", "trades"}:
        if channel == "trades":
            side = "buy" if event.taker_bought else "sell"
        else:
            side = "sell" if event.position is Position.LONG else "buy"
        assert (side, event.event_ns) == (record["side"], stamp_ns(record))
        assert (event.quantity, event.price) == (record["amount"], record["price"])
    elif channel == "open-interest":
        assert event.open_interest == record["openInterest"]
    elif channel == "mark-price":
        assert event.mark_price == record["markPrice"]
    else:
        assert event.event_ns == stamp_ns(record)
        assert (event.bid_price, event.ask_price) == (record["bidPrice"], record["askPrice"])


@needs_recorded
def test_recorded_messages_agree_with_a_well_kept_normaliser() -> None:
    """Liquidations, trades, interest and marks of current channels agree; the dead are told."""
    tests = ("map okex messages", "map okex-futures messages", "map okex-swap messages")
    compared: Counter[str] = Counter()
    dead = 0
    for frame, records in golden_pairs(*tests, "map okex-spreads messages"):
        reader = OKX.reader("market-1", contracts(), 0)
        events = reader.read(frame, RECEIVED_NS)
        assert not [event for event in events if isinstance(event, Malformed)]
        message = json.loads(frame)
        channel = message.get("arg", {}).get("channel", "")
        if "table" in message or channel == "liquidations":
            assert events == (NotUsed(Unused.RETIRED_TOPIC, message.get("table", channel)),)
            dead += 1
        elif channel in _COMPARED and "event" not in message and records:
            compare(channel, events, records[0])
            compared[channel] += 1
    assert compared == {
        "trades": 3,
        "liquidation-orders": 1,
        "open-interest": 2,
        "mark-price": 3,
        "bbo-tbt": 1,
    }
    assert dead == 39


@needs_recorded
def test_frames_of_2026_are_read_as_they_came() -> None:
    """Verbatim liquidations give their positions, times and contracts."""
    reader = OKX.reader("liquidations", contracts(), 0)
    events: list[Event] = []
    for frame in live_frames("okx"):
        events += reader.read(frame, RECEIVED_NS)
    bitcoin, unlisted = events
    assert isinstance(bitcoin, Liquidation)
    assert bitcoin.instrument.symbol == "BTC-USDT-SWAP"
    assert bitcoin.position is Position.LONG
    assert (bitcoin.event_ns, bitcoin.quantity) == (1791565600771_000_000, 8.55)
    assert bitcoin.notional_usd == pytest.approx(8.55 * 0.01 * 82655.7)
    assert isinstance(unlisted, Liquidation)
    assert unlisted.instrument.symbol == "CNPY-USDT-SWAP"
    assert unlisted.position is Position.SHORT
    assert (unlisted.event_ns, unlisted.quantity) == (1789669898955_000_000, 2137.0)
    assert math.isnan(unlisted.notional_usd)


@needs_recorded
def test_a_recorded_session_is_read_without_damage() -> None:
    """Half a minute of a recorded session gives every trade, and nothing of it is malformed."""
    reader = OKX.reader("market-1", contracts(), 0)
    kinds: Counter[str] = Counter()
    trades: list[tuple[str, float, float, int]] = []
    path = RECORDED / "streams" / "cryptofeed_OKX.ws.1.0.gz"
    wanted: list[tuple[str, float, float, int]] = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            if "<-" in line:
                continue
            stamp, _, frame = line.rstrip("\n").partition(": ")
            message = json.loads(frame)
            if message.get("arg", {}).get("channel") == "trades":
                wanted += [
                    (row["instId"], float(row["px"]), float(row["sz"]), int(row["ts"]))
                    for row in message.get("data", [])
                ]
            for event in reader.read(frame.encode(), int(float(stamp) * 1e9)):
                kinds[type(event).__name__] += 1
                if isinstance(event, Trade):
                    event_ms = event.event_ns // 1_000_000
                    symbol = event.instrument.symbol
                    trades.append((symbol, event.price, event.quantity, event_ms))
    assert kinds["Malformed"] == 0
    assert trades == wanted
    assert len(trades) == kinds["Trade"] > 50
