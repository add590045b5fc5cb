"""What Binance's messages mean, on frames typed from its documents."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.events import (
    Book,
    Event,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues import by_name
from monitor.venues.contract import Session, Venue
from monitor.venues.lines import record

FIXTURES = Path(__file__).parent / "fixtures"
RECEIVED_NS = 1_790_000_100_000_000_000
REASONS = {"not json", "wrong shape", "bad value"}

# https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Exchange-Information
USDM_BODY = {
    "exchangeFilters": [],
    "rateLimits": [],
    "symbols": [
        {
            "symbol": symbol,
            "pair": symbol.partition("_")[0],
            "contractType": kind,
            "status": status,
            "baseAsset": base,
            "quoteAsset": quote,
            "marginAsset": quote,
            "underlyingType": underlying,
            "underlyingSubType": [],
        }
        for symbol, kind, status, base, quote, underlying in (
            ("BTCUSDT", "PERPETUAL", "TRADING", "BTC", "USDT", "COIN"),
            ("BTCUSDC", "PERPETUAL", "TRADING", "BTC", "USDC", "COIN"),
            ("ETHUSDT", "PERPETUAL", "TRADING", "ETH", "USDT", "COIN"),
            ("ETHBTC", "PERPETUAL", "TRADING", "ETH", "BTC", "COIN"),
            ("1000PEPEUSDT", "PERPETUAL", "TRADING", "1000PEPE", "USDT", "COIN"),
            ("BTCUSDT_261225", "CURRENT_QUARTER", "TRADING", "BTC", "USDT", "COIN"),
            ("XAUUSDT", "TRADIFI_PERPETUAL", "TRADING", "XAU", "USDT", "COMMODITY"),
            ("BTCDOMUSDT", "PERPETUAL", "TRADING", "BTCDOM", "USDT", "INDEX"),
            ("SRMUSDT", "PERPETUAL", "SETTLING", "SRM", "USDT", "COIN"),
        )
    ],
}
# https://developers.binance.com/docs/derivatives/coin-margined-futures/market-data/rest-api/Exchange-Information
COINM_BODY = {
    "symbols": [
        {
            "symbol": symbol,
            "pair": "BTCUSD",
            "contractType": kind,
            "contractStatus": status,
            "contractSize": 100,
            "baseAsset": "BTC",
            "quoteAsset": "USD",
            "marginAsset": "BTC",
        }
        for symbol, kind, status in (
            ("BTCUSD_PERP", "PERPETUAL", "TRADING"),
            ("BTCUSD_200925", "CURRENT_QUARTER", "TRADING"),
            ("BTCUSD_200626", "CURRENT_QUARTER", "DELIVERED"),
        )
    ],
}
# https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints
SPOT_BODY = {
    "symbols": [
        {"symbol": base + quote, "status": status, "baseAsset": base, "quoteAsset": quote}
        for base, quote, status in (
            ("ETH", "USDT", "TRADING"),
            ("ETH", "BTC", "TRADING"),
            ("BTC", "USDT", "TRADING"),
            ("1000SATS", "USDT", "TRADING"),
            ("LUNA", "USDT", "HALT"),
        )
    ],
}
BODIES = {"usdm": USDM_BODY, "coinm": COINM_BODY, "spot": SPOT_BODY}


def table_of(venue: Venue) -> InstrumentTable:
    """The venue's instruments, read from the bodies above."""
    table = InstrumentTable(venue.name)
    for poll in venue.listings:
        body = json.dumps(BODIES[poll.key]).encode()
        for event in venue.answer(poll.name, poll.key, body, RECEIVED_NS, table):
            assert isinstance(event, Listing)
            table.replace(event.product, event.instruments)
    return table


def frames_of(name: str) -> list[bytes]:
    """The frames of a fixture."""
    lines = (FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["frame"].encode() for line in lines]


def read_all(name: str, frames: list[bytes]) -> list[tuple[Event, ...]]:
    """Events of these frames, all on one connection."""
    venue = by_name(name)
    reader = venue.reader("market", table_of(venue), RECEIVED_NS)
    return [tuple(reader.read(frame, RECEIVED_NS)) for frame in frames]


def numbers(event: Event) -> Iterator[float]:
    """Every figure of an event."""
    for field in event.__struct_fields__:
        match getattr(event, field):
            case bool():
                pass
            case float() | int() as value:
                yield value
            case tuple() as rows if isinstance(event, Book):
                for row in rows:
                    yield from row


@pytest.mark.parametrize("name", ["binance", "binance_spot"])
def test_fixture_frames_mean_what_the_documents_say(name: str) -> None:
    """Each documented frame gives exactly the events written beside it, content for content."""
    lines = (FIXTURES / f"{name}.expected.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line) for line in lines]
    read = [
        json.loads(json.dumps([record(event) for event in events]))
        for events in read_all(name, frames_of(name))
    ]
    assert expected == read


@pytest.mark.parametrize("name", ["binance", "binance_spot"])
def test_equal_frames_give_equal_events(name: str) -> None:
    """Two Readers of the same frames say the same."""
    frames = frames_of(name)
    assert repr(read_all(name, frames)) == repr(read_all(name, frames))


@pytest.mark.parametrize("name", ["binance", "binance_spot"])
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_damaged_frames_never_raise_and_never_give_nonsense(
    name: str, data: st.DataObject
) -> None:
    """Flipped, cut and doubled bytes give events with possible figures, or a known reason."""
    frame = bytearray(data.draw(st.sampled_from(frames_of(name))))
    for place in data.draw(st.lists(st.integers(0, len(frame) - 1), max_size=4)):
        frame[place] = data.draw(st.sampled_from(b'0123456789eE.-+{}[]",:\\NIna\x00\xff '))
    cut = data.draw(st.integers(0, len(frame)))
    whole = bytes(frame)
    for damaged in (whole, whole[:cut], whole[cut:], whole[:cut] + whole):
        for event in read_all_with(name, damaged):
            check_possible(event)


READERS = {
    name: by_name(name).reader("market", table_of(by_name(name)), RECEIVED_NS)
    for name in ("binance", "binance_spot")
}


def read_all_with(name: str, frame: bytes) -> tuple[Event, ...]:
    """Events of one frame; the Readers of Binance keep no state, so one serves all."""
    return tuple(READERS[name].read(frame, RECEIVED_NS))


def check_possible(event: Event) -> None:
    """An event has figures that can be true, or a reason of the closed set."""
    match event:
        case Malformed():
            assert event.reason in REASONS
            assert len(event.detail) <= 200
        case NotUsed():
            assert len(event.detail) <= 200
        case Funding():
            assert math.isfinite(event.rate_ratio)
            assert event.interval_s >= 0
        case _:
            assert all(value > 0 or math.isnan(value) for value in numbers(event))
            assert all(not math.isinf(value) for value in numbers(event))


@pytest.mark.parametrize("frame", [b"", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"5"])
@pytest.mark.parametrize("name", ["binance", "binance_spot"])
def test_hostile_frames_are_malformed(name: str, frame: bytes) -> None:
    """Emptiness, other encodings, and nesting without end are damage like any other."""
    [event] = read_all_with(name, frame)
    assert isinstance(event, Malformed)
    assert event.reason in REASONS


def test_listing_says_what_contracts_are() -> None:
    """Units, multiples, perpetuals and stocks come out of exchangeInfo; closed ones do not."""
    table = table_of(by_name("binance"))
    assert Instrument(
        "binance", "usdm", "1000PEPEUSDT", "PEPE", "USDT", "USDT", Unit.BASE, 1.0, 1000.0,
        perpetual=True,
    ) == table.get("1000PEPEUSDT")  # fmt: skip
    assert Instrument(
        "binance", "coinm", "BTCUSD_PERP", "BTC", "USD", "BTC", Unit.QUOTE, 100.0, perpetual=True
    ) == table.get("BTCUSD_PERP")
    dated = table.get("BTCUSDT_261225")
    assert dated is not None
    assert not dated.perpetual
    assert {"XAUUSDT", "BTCDOMUSDT"} == {i.symbol for i in table if i.tradfi}
    assert table.get("SRMUSDT") is None
    assert table.get("BTCUSD_200626") is None


def test_spot_listing_says_what_pairs_are() -> None:
    """Spot pairs trade coins of their base, and never fund."""
    table = table_of(by_name("binance_spot"))
    assert Instrument(
        "binance_spot", "spot", "1000SATSUSDT", "SATS", "USDT", "USDT", Unit.BASE, 1.0, 1000.0
    ) == table.get("1000SATSUSDT")
    assert table.get("LUNAUSDT") is None


def test_damaged_row_of_a_listing_leaves_the_others() -> None:
    """One bad row is reported; the rest of the listing stands."""
    venue = by_name("binance")
    body = {"symbols": [{"symbol": "BAD"}, *COINM_BODY["symbols"]]}
    damaged, listing = venue.answer(
        "instruments", "coinm", json.dumps(body).encode(), 1, InstrumentTable("binance")
    )
    assert isinstance(damaged, Malformed)
    assert isinstance(listing, Listing)
    assert [i.symbol for i in listing.instruments] == ["BTCUSD_PERP", "BTCUSD_200925"]


@pytest.mark.parametrize("body", [b'{"symbols":[]}', b"<html>", b"[]", b"{}", b"", b"\xff"])
@pytest.mark.parametrize(
    "poll",
    ["instruments usdm", "instruments coinm", "open_interest BTCUSDT", "funding_intervals usdm"],
)
def test_answers_that_say_nothing_wipe_out_nothing(poll: str, body: bytes) -> None:
    """A body without instruments makes no listing, whatever it is, and nothing raises."""
    name, _, key = poll.partition(" ")
    events = by_name("binance").answer(name, key, body, 1, InstrumentTable("binance"))
    assert events
    assert all(isinstance(event, Malformed | NotUsed) for event in events)


def test_refusals_of_rest_are_not_damage() -> None:
    """An error body is the venue's refusal, in its words."""
    body = b'{"code":-1121,"msg":"Invalid symbol."}'
    table = InstrumentTable("binance")
    expected = (NotUsed(Unused.REFUSED, '-1121 "Invalid symbol."'),)
    assert expected == by_name("binance").answer("open_interest", "X", body, 1, table)


def test_funding_intervals_are_eight_hours_unless_adjusted() -> None:
    """FundingInfo lists the adjusted ones; a listing read after it keeps what it said."""
    venue = by_name("binance")
    table = table_of(venue)
    unknown = {i.funding_interval_s for i in table}
    body = b'[{"symbol":"ETHUSDT","fundingIntervalHours":4,"disclaimer":false}]'
    [listing] = venue.answer("funding_intervals", "usdm", body, 1, table)
    assert isinstance(listing, Listing)
    table.replace("usdm", listing.instruments)
    usdm = json.dumps(USDM_BODY).encode()
    [again] = venue.answer("instruments", "usdm", usdm, 2, table)
    assert isinstance(again, Listing)
    hours = {i.symbol: i.funding_interval_s // 3600 for i in again.instruments}
    assert {0} == unknown
    assert (hours["ETHUSDT"], hours["BTCUSDT"], hours["BTCUSDT_261225"]) == (4, 8, 0)


def test_funding_carries_the_interval_of_its_contract() -> None:
    """A funding rate without its interval cannot be compared, so it brings it along."""
    venue = by_name("binance")
    table = table_of(venue)
    [listing] = venue.answer("funding_intervals", "usdm", b"[]", 1, table)
    assert isinstance(listing, Listing)
    table.replace("usdm", listing.instruments)
    frame = (
        b'{"stream":"btcusdt@markPrice@1s","data":{"e":"markPriceUpdate","E":1562305380000,'
        b'"s":"BTCUSDT","p":"11794.15","i":"11784.62","r":"-0.0002","T":1562306400000}}'
    )
    mark, funding = venue.reader("market", table, 0).read(frame, RECEIVED_NS)
    btc = table.named("BTCUSDT", "usdm")
    at_ns = 1_562_305_380_000_000_000
    assert Mark(btc, at_ns, RECEIVED_NS, 11794.15, 11784.62) == mark
    assert Funding(btc, at_ns, RECEIVED_NS, -0.0002, 28800, 1_562_306_400_000_000_000) == funding


def test_plan_keeps_routes_apart_and_proves_each() -> None:
    """Every session has its own route, its control stream, and the watched contracts."""
    venue = by_name("binance")
    sessions = venue.plan(table_of(venue), frozenset({"BTC", "PEPE", "XAU"}))
    topics = {session.name: (session.url, session.topics) for session in sessions}
    market, public = (
        "wss://fstream.binance.com/market/stream",
        "wss://fstream.binance.com/public/stream",
    )
    assert {
        "liquidations": (market, ("btcusdt@markPrice@1s", "!forceOrder@arr")),
        "market": (
            market,
            (
                "btcusdt@markPrice@1s",
                "1000pepeusdt@aggTrade",
                "1000pepeusdt@markPrice@1s",
                "btcusdc@aggTrade",
                "btcusdc@markPrice@1s",
                "btcusdt@aggTrade",
                "btcusdt_261225@markPrice@1s",
            ),
        ),
        "public": (
            public,
            (
                "btcusdt@bookTicker",
                "1000pepeusdt@bookTicker",
                "1000pepeusdt@depth20@500ms",
                "btcusdc@bookTicker",
                "btcusdc@depth20@500ms",
                "btcusdt@depth20@500ms",
            ),
        ),
        "coinm-market": (
            "wss://dstream.binance.com/market/stream",
            (
                "btcusd_perp@markPrice@1s",
                "btcusd_200925@markPrice@1s",
                "btcusd_perp@aggTrade",
            ),
        ),
        "coinm-public": (
            "wss://dstream.binance.com/public/stream",
            ("btcusd_perp@bookTicker",),
        ),
    } == topics
    assert all(session.control == session.topics[0] for session in sessions)
    assert all(0 < session.lifetime_s < 24 * 3600 for session in sessions)


def test_plan_of_an_empty_table_still_has_the_liquidations() -> None:
    """The liquidations of every symbol need no listing."""
    venue = by_name("binance")
    [session] = venue.plan(InstrumentTable("binance"), frozenset({"BTC"}))
    assert "!forceOrder@arr" in session.topics


def many(count: int, venue: str, product: str) -> InstrumentTable:
    """A long listing of USDT perpetuals, one asset each."""
    table = InstrumentTable(venue)
    table.replace(
        product,
        [
            Instrument(
                venue, product, f"A{n:03}USDT", f"A{n:03}", "USDT", "USDT", Unit.BASE,
                perpetual=True,
            )
            for n in range(count)
        ],
    )  # fmt: skip
    return table


@pytest.mark.parametrize(("name", "product"), [("binance", "usdm"), ("binance_spot", "spot")])
def test_long_watch_lists_are_split_within_the_limits(name: str, product: str) -> None:
    """No session exceeds 200 streams, none is lost or asked for twice, names stay distinct."""
    venue = by_name(name)
    table = many(400, name, product)
    sessions = venue.plan(table, frozenset(i.asset for i in table))
    assert all(len(session.topics) <= 200 for session in sessions)
    assert len({session.name for session in sessions}) == len(sessions)
    asked = [topic for s in sessions for topic in s.topics if topic != s.control]
    assert len(set(asked)) == len(asked)
    channels = {"usdm": 4, "spot": 3}[product]
    assert len(asked) - ("!forceOrder@arr" in asked) == 400 * channels


def test_subscriptions_are_sent_in_frames_of_a_hundred() -> None:
    """Frames are JSON, numbered, small enough, and name every stream once."""
    venue = by_name("binance")
    topics = tuple(f"币安人生{n}usdt@aggTrade" for n in range(150))
    session = Session("market", "wss://x", topics)
    frames = [json.loads(frame) for frame in venue.subscribe(session, topics)]
    assert [frame["id"] for frame in frames] == [1, 2]
    assert [len(frame["params"]) for frame in frames] == [100, 50]
    assert list(topics) == [topic for frame in frames for topic in frame["params"]]
    assert {"SUBSCRIBE"} == {frame["method"] for frame in frames}
    [dropped] = venue.unsubscribe(session, topics[:2])
    expected = {"method": "UNSUBSCRIBE", "params": list(topics[:2]), "id": 1}
    assert expected == json.loads(dropped)


def test_polls_ask_for_the_interest_of_watched_contracts() -> None:
    """USDT perpetuals are asked for each 10 s, all others each 30 s, each at its own host."""
    venue = by_name("binance")
    polls = venue.polls(table_of(venue), frozenset({"BTC"}))
    asked = {p.key: (p.url, p.period_s) for p in polls if p.name == "open_interest"}
    fapi = "https://fapi.binance.com/fapi/v1/openInterest?symbol="
    dapi = "https://dapi.binance.com/dapi/v1/openInterest?symbol="
    assert {
        "BTCUSDT": (fapi + "BTCUSDT", 10.0),
        "BTCUSDC": (fapi + "BTCUSDC", 30.0),
        "BTCUSDT_261225": (fapi + "BTCUSDT_261225", 30.0),
        "BTCUSD_PERP": (dapi + "BTCUSD_PERP", 30.0),
        "BTCUSD_200925": (dapi + "BTCUSD_200925", 30.0),
    } == asked


@pytest.mark.parametrize("count", [20, 400])
def test_polls_stay_within_half_of_the_weight(count: int) -> None:
    """However long the watch list, open interest never eats the budget of the rest."""
    venue = by_name("binance")
    table = many(count, "binance", "usdm")
    polls = venue.polls(table, frozenset(i.asset for i in table))
    weight_per_min = sum(60.0 / poll.period_s * poll.weight for poll in polls)
    assert weight_per_min <= venue.limits.rest_weight_per_min * 0.51


def test_symbols_are_url_encoded_in_rest() -> None:
    """A symbol in Chinese characters is percent-encoded UTF-8 in a URL."""
    venue = by_name("binance")
    table = InstrumentTable("binance")
    symbol = "币安人生USDT"
    listed = Instrument(
        "binance", "usdm", symbol, "币安人生", "USDT", "USDT", Unit.BASE, perpetual=True
    )
    table.replace("usdm", [listed])
    [poll] = [p for p in venue.polls(table, frozenset({"币安人生"})) if p.key == symbol]
    assert poll.url.isascii()
    assert unquote(poll.url).endswith(f"symbol={symbol}")


def test_open_interest_of_coins_and_of_contracts() -> None:
    """USD-M counts coins; COIN-M counts contracts, whose coins need a price it does not send."""
    venue = by_name("binance")
    table = table_of(venue)
    body = b'{"openInterest":"10659.509","symbol":"BTCUSDT","time":1589437530011}'
    linear = venue.answer("open_interest", "BTCUSDT", body, RECEIVED_NS, table)
    btc, at_ns = table.named("BTCUSDT", "usdm"), 1_589_437_530_011_000_000
    assert (OpenInterest(btc, at_ns, RECEIVED_NS, 10659.509, 10659.509),) == linear
    body = b'{"openInterest":"15004","symbol":"BTCUSD_PERP","time":1589437530011}'
    [inverse] = venue.answer("open_interest", "BTCUSD_PERP", body, RECEIVED_NS, table)
    assert isinstance(inverse, OpenInterest)
    assert inverse.open_interest == 15004
    assert math.isnan(inverse.open_interest_base)


def test_new_listings_are_known_to_open_connections() -> None:
    """A Reader sees what its table learns after it was made."""
    venue = by_name("binance")
    table = InstrumentTable("binance")
    reader = venue.reader("liquidations", table, 0)
    frame = frames_of("binance")[0]
    [before] = reader.read(frame, 1)
    known = table_of(venue)
    table.replace("usdm", [i for i in known if i.product == "usdm"])
    [after] = reader.read(frame, 1)
    assert isinstance(before, Liquidation)
    assert isinstance(after, Liquidation)
    assert math.isnan(before.notional_usd)
    assert after.notional_usd == pytest.approx(0.014 * 9910)


def test_reader_state_is_nothing_and_can_be_carried_over() -> None:
    """A fresh Reader given the state of another goes on as that one would have."""
    venue = by_name("binance")
    table = table_of(venue)
    frames = frames_of("binance")
    whole = venue.reader("market", table, 0)
    first = venue.reader("market", table, 0)
    expected = [repr(whole.read(frame, 1)) for frame in frames]
    read = [repr(first.read(frame, 1)) for frame in frames[:10]]
    second = venue.reader("market", table, 0)
    second.state = msgspec.convert(msgspec.to_builtins(first.state), type(first.state))
    read += [repr(second.read(frame, 1)) for frame in frames[10:]]
    assert expected == read
