"""The venues' frames: against documented shapes, and through the venues' own Readers."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from monitor.clock import NS
from monitor.events import (
    Book,
    BookTop,
    Event,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    MarketEvent,
    NotUsed,
    OpenInterest,
    Position,
    Trade,
)
from monitor.instruments import InstrumentTable
from monitor.simulate.cascade import Cascade
from monitor.simulate.listing import OTHERS, WATCHED
from monitor.simulate.scripted import ScriptedMarket
from monitor.simulate.wire import VenueWire, schedule
from monitor.simulate.wire_binance import BinanceWire
from monitor.simulate.wire_bybit import BybitWire
from monitor.simulate.wire_okx import OkxWire
from monitor.venues import by_name
from monitor.venues.contract import Reader

EPOCH_NS = 1_795_392_000 * NS
SECONDS = 150
ASSETS = (WATCHED[0], WATCHED[1], WATCHED[-1], OTHERS[0])
WATCH = frozenset(asset.name for asset in ASSETS if asset.watched)
NAMES = ("binance", "binance_spot", "bybit", "bybit_spot", "okx", "okx_spot")
FIXTURES = Path(__file__).parent / "fixtures"


def wire_of(venue: str, market: ScriptedMarket) -> VenueWire:
    """A venue's wire, with everything that its exchange lists."""
    exchange = venue.removesuffix("_spot")
    listing = [i for i in market.listing() if i.venue.removesuffix("_spot") == exchange]
    if exchange == "binance":
        return BinanceWire(listing)
    return BybitWire(listing) if exchange == "bybit" else OkxWire(listing)


def cascading() -> ScriptedMarket:
    """A market with a cascade that begins soon."""
    return ScriptedMarket(3, EPOCH_NS, ASSETS, (Cascade(onset_s=40),))


def endpoint(url: str) -> str:
    """Host and path of a session's address, as the simulation names them."""
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path}"


def asked(wire: VenueWire, url: str, now_ns: int) -> bytes:
    """The body of a REST request."""
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    answer = wire.get(parts.hostname or "", parts.path, query, now_ns)
    assert answer.status == 200, answer.body
    return answer.body


def listed(name: str, market: ScriptedMarket) -> InstrumentTable:
    """A venue's instruments, as it reads them from the simulation's REST answers."""
    venue, wire, table = by_name(name), wire_of(name, market), InstrumentTable(name)
    for poll in (*venue.listings, *venue.polls(table, WATCH)):
        body = asked(wire, poll.url, EPOCH_NS)
        for event in venue.answer(poll.name, poll.key, body, EPOCH_NS, table):
            assert isinstance(event, Listing), event
            table.replace(event.product, event.instruments)
    return table


class Heard:
    """What a venue's Readers made of the frames, and what the market had made."""

    def __init__(self) -> None:
        self.made: list[MarketEvent] = []
        self.read: list[Event] = []
        self.frames: dict[str, list[bytes]] = defaultdict(list)


@cache
def heard(name: str) -> Heard:
    """Two and a half minutes of a market, through a venue's frames and its own Readers."""
    market, venue, heard = cascading(), by_name(name), Heard()
    wire, table = wire_of(name, market), listed(name, market)
    topics: dict[tuple[str, str], Reader] = {}
    for session in venue.plan(table, WATCH):
        reader = venue.reader(session.name, table, EPOCH_NS)
        for topic in session.topics:
            # A control topic is in every session; the first one reads it.
            topics.setdefault((endpoint(session.url), topic), reader)
    polls = [poll for poll in venue.polls(table, WATCH) if poll.name == "open_interest"]
    for index in range(SECONDS):
        for at_ns, event in schedule(market.second(index)):
            if event.instrument.venue != name:
                continue
            heard.made.append(event)
            for frame in wire.frames([event], lambda where, topic: (where, topic) in topics):
                heard.frames[frame.topic].append(frame.payload)
                reader = topics[frame.endpoint, frame.topic]
                heard.read += reader.read(frame.payload, at_ns)
        for poll in polls:
            body = asked(wire, poll.url, EPOCH_NS + index * NS)
            heard.read += venue.answer(poll.name, poll.key, body, EPOCH_NS, table)
    return heard


def figures(event: MarketEvent) -> tuple[object, ...]:
    """What an event says of whom and when, its figures to nine digits."""
    said: list[object] = [event.instrument.venue, event.instrument.product]
    said += [event.instrument.symbol, event.event_ns]
    match event:
        case Liquidation():
            said += [event.position, event.price_basis, event.completeness]
            numbers = [event.quantity, event.quantity_base, event.notional_usd, event.price]
        case Trade():
            said.append(event.taker_bought)
            numbers = [event.quantity, event.quantity_base, event.price]
        case BookTop():
            numbers = [event.bid_price, event.bid_base, event.ask_price, event.ask_base]
        case Book():
            numbers = [number for row in event.bids + event.asks for number in row]
        case OpenInterest():
            numbers = [event.open_interest, event.open_interest_base]
        case Funding():
            numbers = [event.rate_ratio, event.interval_s, event.next_funding_ns]
        case Mark():
            numbers = [event.mark_price]
    return (*said, *(f"{number:.9g}" for number in numbers))


def told(events: Sequence[object], kind: type[MarketEvent]) -> set[tuple[object, ...]]:
    """The figures of all events of a kind."""
    return {figures(event) for event in events if isinstance(event, kind)}


@pytest.mark.parametrize("name", NAMES)
def test_readers_read_every_frame(name: str) -> None:
    """A venue's own Readers find nothing damaged in the simulation's frames, nor without use."""
    unread = [
        event
        for event in heard(name).read
        if isinstance(event, Malformed)
        or (isinstance(event, NotUsed) and "index price" not in event.detail)
    ]
    assert unread == []


@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_liquidations_come_through_whole(name: str) -> None:
    """Every printed forced order, watched or not, is read with the figures it was made with."""
    made, read = (told(events, Liquidation) for events in (heard(name).made, heard(name).read))
    assert read == made
    symbols = {(row[1], row[2]) for row in made}
    assert len(made) > 100
    assert len(symbols) > 2


@pytest.mark.parametrize("name", NAMES)
def test_trades_come_through_whole(name: str) -> None:
    """Trades of watched perpetuals and pairs are read as made, and none that was not made."""
    made, read = (told(events, Trade) for events in (heard(name).made, heard(name).read))
    assert read <= made
    dated = {row for row in made - read if str(row[2])[-6:].isdigit()}
    assert made - read == dated
    assert len(read) > 100


@pytest.mark.parametrize("name", NAMES)
def test_books_come_through_whole(name: str) -> None:
    """Best prices and books are read as made, as far as the venue's feed reaches."""
    made, read = heard(name).made, heard(name).read
    if name == "binance_spot":  # whose messages carry no time
        return
    assert told(read, BookTop)
    assert told(read, BookTop) <= told(made, BookTop)
    if name == "okx":
        made = [
            Book(e.instrument, e.event_ns, e.received_ns, e.bids[:5], e.asks[:5])
            if isinstance(e, Book)
            else e
            for e in made
        ]
    assert told(read, Book) <= told(made, Book)
    assert bool(told(read, Book)) == (not name.endswith("spot"))


def test_spot_books_of_binance_come_through_without_their_time() -> None:
    """Binance's spot messages carry no time: prices and sizes are read as made."""
    made, read = heard("binance_spot").made, heard("binance_spot").read
    for kind in (BookTop, Book):
        untimed = [{row[:3] + row[4:] for row in told(events, kind)} for events in (made, read)]
        assert untimed[0] == untimed[1]
        assert untimed[0]


@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_marks_come_through_whole(name: str) -> None:
    """Mark prices of watched contracts are read as made."""
    made, read = (told(events, Mark) for events in (heard(name).made, heard(name).read))
    assert read <= made
    assert len(read) > 200


@pytest.mark.parametrize("name", ["bybit", "okx"])
def test_streamed_open_interest_comes_through_whole(name: str) -> None:
    """Open interest of watched contracts, counted once a contract, is read as made."""
    made, read = (
        {(row[2], row[3]): (row[4], row[5]) for row in told(events, OpenInterest)}
        for events in (heard(name).made, heard(name).read)
    )
    both = set(made) & set(read)
    assert len(both) > 100
    for key in both:
        expected, found = made[key], read[key]
        assert found[0] == expected[0]
        # Coins of inverse contracts are priced at the last mark, some seconds old.
        assert float(str(found[1])) == pytest.approx(float(str(expected[1])), rel=2e-3)


def test_polled_open_interest_is_what_was_last_made() -> None:
    """Binance's REST answers state open interest in contracts, with its own time."""
    made, read = (
        {row[2:5] for row in told(events, OpenInterest)}
        for events in (heard("binance").made, heard("binance").read)
    )
    assert read <= made
    assert {row[0] for row in read} >= {"BTCUSDT", "BTCUSD_PERP", "1000PEPEUSDT"}


@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_funding_comes_through(name: str) -> None:
    """Funding rates, when they are due and for how long are read as made."""
    made, read = (
        {(row[2], *row[4:]) for row in told(events, Funding)}
        for events in (heard(name).made, heard(name).read)
    )
    assert read
    assert read <= made


@pytest.mark.parametrize("name", NAMES)
def test_listings_are_read_as_listed(name: str) -> None:
    """A venue's own reading of the listing gives the market's instruments."""
    market = cascading()
    # OKX tells the funding interval with each funding, not in its listing.
    expected = {
        i if name != "okx" else msgspec.structs.replace(i, funding_interval_s=0)
        for i in market.listing()
        if i.venue == name
    }
    assert set(listed(name, market)) == expected


def shape(value: Any) -> Any:
    """What a JSON value is made of: keys, types, and whether a text is a number."""
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case [first, *_]:
            return [shape(first)]
        case bool() | None:
            return type(value).__name__
        case str():
            try:
                return "number as text" if math.isfinite(float(value)) else "text"
            except ValueError:
                return "text"
    return type(value).__name__


def frames_of(name: str, kind: str) -> Iterator[Any]:
    """The simulation's frames of one kind of topic."""
    for topic, payloads in heard(name).frames.items():
        symbol, _, stream = topic.partition("@")
        if (topic if symbol.startswith("!") or not stream else stream).startswith(kind):
            yield from (json.loads(payload) for payload in payloads)


def documented(name: str, words: str) -> Any:
    """A frame of the venue's fixture, typed from its documents, found by its note."""
    for line in (FIXTURES / f"{name}.jsonl").read_text().splitlines():
        sample = json.loads(line)
        if words in sample["note"]:
            return json.loads(sample["frame"])
    raise AssertionError(f"no fixture of {name} says {words!r}")


@pytest.mark.parametrize(
    ("name", "kind", "words", "newer"),
    [
        # Keys that stand in frames of 2026 and not in the sample, or the other way round.
        ("binance", "!forceOrder@arr", "st and ps within o", ()),
        ("binance", "aggTrade", "the page's sample with a stamp of today", ()),
        ("binance", "markPrice", "mark, index and funding", ("ap", "st")),
        ("binance", "bookTicker", "of ETHUSDT", ("ps", "st")),
        ("binance", "depth20", "bids best first as on the wire", ("ps", "st")),
        ("binance_spot", "aggTrade", "of a listed pair", ()),
        ("binance_spot", "bookTicker", "neither kind nor time", ()),
        ("binance_spot", "depth20", "the symbol is in the stream's name", ()),
        ("bybit", "allLiquidation", "a long position was liquidated", ()),
        ("bybit", "publicTrade", "the taker bought, then sold", ()),
        ("bybit", "orderbook.1.", "best bid and ask", ()),
        ("bybit", "orderbook.50.", "snapshot, said at once", ()),
        ("bybit", "tickers", "snapshot: mark, funding", ("tickDirection", "fundingCap")),
        ("bybit_spot", "publicTrade", "the taker bought, then sold", ()),
        ("bybit_spot", "orderbook.1.", "best bid and ask", ()),
        ("okx", "liquidation-orders", "a short position", ()),
        ("okx", "trades", "the taker bought", ()),
        ("okx", "open-interest", "contracts and coins", ()),
        ("okx", "mark-price", "a mark before any index", ()),
        ("okx", "index-tickers", "the index of a pair is kept", ()),
        ("okx", "funding-rate", "funding each eight hours", ()),
        ("okx", "bbo-tbt", "best bid and ask", ()),
        ("okx", "books5", "five levels", ()),
        ("okx_spot", "trades", "coins, bought", ()),
        ("okx_spot", "bbo-tbt", "best bid and ask", ()),
    ],
)
def test_frames_have_the_documented_shape(
    name: str, kind: str, words: str, newer: tuple[str, ...]
) -> None:
    """Keys and types of values are those of the frames typed from the vendor's documents."""
    expected = _flat(shape(documented(name, words)), newer)
    said: list[Any] = []
    for frame in frames_of(name, kind):
        if kind == "markPrice" and frame["data"]["T"] == 0:
            continue  # a dated contract, which is not funded
        if kind == "tickers":
            # Deltas leave out what is unchanged: together they have every field.
            said = said or [shape(frame)]
            said[0]["data"] |= shape(frame["data"])
        else:
            said.append(shape(frame))
    assert said
    for one in said:
        assert _flat(one, newer) == expected


def _flat(said: Any, left_out: tuple[str, ...], path: str = "") -> Mapping[str, str]:
    """Paths of a shape to its types; sides of a book may be empty in a delta."""
    if isinstance(said, dict):
        merged: dict[str, str] = {}
        for key, inner in said.items():
            if key not in left_out:
                merged |= _flat(inner, left_out, f"{path}.{key}")
        return merged
    if isinstance(said, list):
        return _flat(said[0], left_out, f"{path}[]") if said else {path: "list"}
    return {path: str(said)}


def test_merged_stream_tells_the_products_apart() -> None:
    """On Binance's merged stream contracts of COIN-M carry st 2 and their pair, within `o`."""
    orders = [frame["data"]["o"] for frame in frames_of("binance", "!forceOrder")]
    coinm = {o["s"]: (o["st"], o["ps"]) for o in orders if o["s"].startswith("BTCUSD_")}
    assert coinm["BTCUSD_PERP"] == (2, "BTCUSD")
    assert {o["st"] for o in orders if o["s"] == "BTCUSDT"} == {1}


def test_longs_are_named_as_each_venue_names_them() -> None:
    """A forced long is SELL on Binance, Buy on Bybit, and sell beside posSide long on OKX."""
    market = cascading()
    long = next(
        event
        for index in range(60)
        for event in market.second(index)
        if isinstance(event, Liquidation) and event.position is Position.LONG
    )
    perpetuals = {i.venue: i for i in market.listing() if i.asset == "BTC" and i.perpetual}
    said = {}
    for venue, instrument in perpetuals.items():
        order = msgspec.structs.replace(long, instrument=instrument)
        frames = wire_of(venue, market).frames([order], lambda *_: True)
        said[venue] = json.loads(next(iter(frames)).payload)
    assert said["binance"]["data"]["o"]["S"] == "SELL"
    assert said["bybit"]["data"][0]["S"] == "Buy"
    detail = said["okx"]["data"][0]["details"][0]
    assert (detail["side"], detail["posSide"]) == ("sell", "long")
