"""Rules that every venue keeps; a venue is held to them from the moment it is registered."""

import datetime as dt
import math
import pkgutil
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.venues
from monitor.errors import ConfigError
from monitor.events import (
    Completeness,
    Event,
    Liquidation,
    Listing,
    Malformed,
    NotUsed,
    Unused,
)
from monitor.instruments import Instrument, InstrumentTable
from monitor.simulate.listing import WATCHED, contracts
from monitor.venues import VENUES, by_name
from monitor.venues.contract import Reader, Venue
from tests import tapes
from tests.damage import damaged

WATCH = frozenset({"BTC", "ETH", "SOL", "PEPE"})
REASONS = {"not json", "wrong shape", "bad value"}
MOST_DETAIL = 200
# The largest client frame that the venues' own pages allow is 4 KiB (OKX) to 8 KiB.
MOST_CLIENT_FRAME = 8_192

# Fields that may be NaN, "not known": by the rules of `monitor.events`, and a liquidation's
# price where the venue sends an order without one.
MAY_BE_NAN = {
    "Liquidation": {"quantity_base", "notional_usd", "price"},
    "Trade": {"quantity_base"},
    "OpenInterest": {"open_interest_base"},
    "Mark": {"index_price"},
    "BookTop": {"bid_base", "ask_base"},
    "Book": {"bids", "asks"},
}
# Open interest may be a measured zero; an interval, and the time of a next funding, not known.
MAY_BE_ZERO = {"open_interest", "open_interest_base", "interval_s", "next_funding_ns"}

_STAMP_MS = re.compile(r"(?<!\d)\d{13}(?!\d)")
_STAMP_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_SHARD = re.compile(r"-\d+$")

every_venue = pytest.mark.parametrize("venue", VENUES, ids=[venue.name for venue in VENUES])


def listed(venue: Venue) -> InstrumentTable:
    """The venue's instruments: from the answers in its fixture, or as the simulation lists."""
    table = InstrumentTable(venue.name)
    for number, line in enumerate(tapes.lines(venue.name)):
        if line.frame is None:
            tapes.answer(venue, table, line, number)
    if not len(table):
        simulated = [c.instrument for c in contracts(tapes.STARTED_NS, WATCHED)]
        for product in venue.products:
            table.replace(
                product,
                [i for i in simulated if (i.venue, i.product) == (venue.name, product)],
            )
    if not len(table):
        pytest.skip(f"no listing of {venue.name}: neither in its fixture nor simulated")
    return table


def frames(venue: Venue) -> list[bytes]:
    """The frames of its fixture, in order."""
    return [line.frame.encode() for line in tapes.lines(venue.name) if line.frame is not None]


def reader_kinds(venue: Venue, table: InstrumentTable) -> list[str]:
    """One session name of each kind, since a Reader may go by it."""
    return sorted({_SHARD.sub("", session.name) for session in venue.plan(table, WATCH)})


def read(reader: Reader, tape: Sequence[bytes], start: int = 0) -> list[list[Event]]:
    """The events of each frame, received a second apart."""
    return [
        list(reader.read(frame, tapes.received_ns(number)))
        for number, frame in enumerate(tape, start)
    ]


def fresh(venue: Venue, table: InstrumentTable, kind: str) -> Reader:
    """A Reader of a connection opened long before the fixture."""
    return venue.reader(f"{kind}-1", table, 0)


def numbers(event: Event) -> Iterator[tuple[str, float]]:
    """Every number of an event by its field, those in rows of a book included."""
    for name, value in msgspec.structs.asdict(event).items():
        if isinstance(value, tuple):
            for row in value:
                yield from ((name, part) for part in row if isinstance(part, float))
        elif isinstance(value, float | int) and not isinstance(value, bool):
            yield name, value


def unsound(event: Event) -> list[str]:
    """What is wrong with an event's numbers, or with how it tells of damage."""
    kind = type(event).__name__
    if isinstance(event, Malformed):
        wrong = [] if event.reason in REASONS else [f"reason {event.reason!r}"]
        return wrong if len(event.detail) <= MOST_DETAIL else [*wrong, "detail too long"]
    if isinstance(event, NotUsed):
        return [] if len(event.detail) <= MOST_DETAIL else ["detail too long"]
    if isinstance(event, Listing):
        return []
    problems = []
    for name, value in numbers(event):
        if math.isnan(value):
            fine = name in MAY_BE_NAN.get(kind, set())
        elif math.isinf(value):
            fine = False
        elif name == "rate_ratio":
            fine = True
        else:
            fine = value > 0.0 or (value == 0.0 and name in MAY_BE_ZERO)
        if not fine:
            problems.append(f"{kind}.{name} = {value}")
    return problems


def same(one: object, other: object) -> bool:
    """Whether two events, or trees of them, are equal with every NaN equal to itself."""
    return repr(one) == repr(other)


def test_every_venue_module_is_registered() -> None:
    """A module of the folder that defines a venue has that venue in the registry, and no other."""
    defined = set()
    for module in pkgutil.iter_modules(monitor.venues.__path__):
        members = vars(import_module(f"monitor.venues.{module.name}"))
        defined |= {value.name for value in members.values() if isinstance(value, Venue)}
    assert sorted(venue.name for venue in VENUES) == sorted(defined)


def test_a_venue_is_found_by_its_name() -> None:
    """Each name gives its venue; another name gives an error that tells the known ones."""
    assert tuple(by_name(venue.name) for venue in VENUES) == VENUES
    with pytest.raises(ConfigError, match=r"binance, .*was 'mtgox'"):
        by_name("mtgox")


@every_venue
def test_a_venue_describes_itself(venue: Venue) -> None:
    """Its docs and listings are https pages, its limits positive, its polls told apart."""
    assert re.fullmatch(r"[a-z][a-z0-9]*(_spot)?", venue.name)
    assert urlsplit(venue.docs).scheme == "https"
    assert venue.products
    assert min(msgspec.structs.astuple(venue.limits)) > 0
    assert {poll.key for poll in venue.listings} >= set(venue.products)
    for poll in (*venue.listings, *venue.polls(listed(venue), WATCH)):
        assert urlsplit(poll.url).scheme == "https"
        assert poll.period_s > 0.0
        assert poll.weight > 0
    named = [(poll.name, poll.key) for poll in venue.polls(listed(venue), WATCH)]
    assert len(named) == len(set(named))


@every_venue
def test_polls_fit_the_rest_budget(venue: Venue) -> None:
    """All repeated requests together stay within the venue's weight a minute."""
    polls = venue.polls(listed(venue), WATCH)
    hourly = sum(poll.weight * 60.0 / poll.period_s for poll in (*venue.listings, *polls))
    assert hourly <= venue.limits.rest_weight_per_min


@every_venue
def test_fixtures_say_where_they_are_from(venue: Venue) -> None:
    """Every line has an https source and a note that tells it from the others of its source."""
    tape = tapes.lines(venue.name)
    assert [line.note for line in tape if urlsplit(line.source).scheme != "https"] == []
    assert [line.source for line in tape if not line.note] == []
    assert len(tapes.expected(venue.name)) == len(tape)


@every_venue
def test_fixtures_show_what_a_connection_meets(venue: Venue) -> None:
    """They hold an acknowledgement, a pong where the client pings, an order where there is one."""
    table = listed(venue)
    found: list[Event] = []
    for kind in reader_kinds(venue, table):
        for events in read(fresh(venue, table, kind), frames(venue)):
            found += events
    reasons = {event.reason for event in found if isinstance(event, NotUsed)}
    assert Unused.ACKNOWLEDGED in reasons
    if any(session.ping for session in venue.plan(table, WATCH)):
        assert Unused.PONG in reasons
    orders = {event.completeness for event in found if isinstance(event, Liquidation)}
    assert orders == ({venue.completeness} - {Completeness.NONE})
    assert any(isinstance(event, Malformed) for event in found)


@every_venue
def test_every_frame_gives_an_event_with_true_numbers(venue: Venue) -> None:
    """No frame is passed over in silence; numbers are finite and positive, or known unknowns."""
    table = listed(venue)
    for kind in reader_kinds(venue, table):
        for frame, events in zip(
            frames(venue), read(fresh(venue, table, kind), frames(venue)), strict=True
        ):
            assert events, frame
            assert [problem for event in events for problem in unsound(event)] == [], frame


@every_venue
def test_symbols_and_venue_of_events_are_its_own(venue: Venue) -> None:
    """An event's instrument is the table's own, or one of the venue that says it is unknown."""
    table = listed(venue)
    for kind in reader_kinds(venue, table):
        for events in read(fresh(venue, table, kind), frames(venue)):
            for event in events:
                instrument = getattr(event, "instrument", None)
                if instrument is None:
                    continue
                assert instrument.venue == venue.name
                assert instrument.product in venue.products
                unknown = Instrument(venue.name, instrument.product, instrument.symbol)
                assert instrument in {table.get(instrument.symbol), unknown}


@every_venue
def test_an_event_is_as_old_as_its_frame_says(venue: Venue) -> None:
    """The time of an event stands in its frame, in milliseconds, or is that of receipt."""
    table = listed(venue)
    for kind in reader_kinds(venue, table):
        reader = fresh(venue, table, kind)
        for frame in frames(venue):
            text = frame.decode()
            stamps = {int(stamp) * 1_000_000 for stamp in _STAMP_MS.findall(text)} | {
                round(dt.datetime.fromisoformat(stamp).timestamp() * 1000) * 1_000_000
                for stamp in _STAMP_ISO.findall(text)
            }
            for event in reader.read(frame, tapes.STARTED_NS):
                event_ns = getattr(event, "event_ns", tapes.STARTED_NS)
                assert event_ns in {*stamps, tapes.STARTED_NS}, frame
                assert getattr(event, "received_ns", tapes.STARTED_NS) == tapes.STARTED_NS


@every_venue
def test_the_same_frames_give_the_same_events(venue: Venue) -> None:
    """Reading a fixture twice with fresh Readers gives equal events: nothing is remembered."""
    table = listed(venue)
    for kind in reader_kinds(venue, table):
        first = read(fresh(venue, table, kind), frames(venue))
        assert same(first, read(fresh(venue, table, kind), frames(venue)))


@every_venue
def test_a_reader_goes_on_from_its_state(venue: Venue) -> None:
    """Its state, packed at any frame and put into a fresh Reader, gives the same later events."""
    table, tape = listed(venue), frames(venue)
    for kind in reader_kinds(venue, table):
        whole = read(fresh(venue, table, kind), tape)
        reader = fresh(venue, table, kind)
        for cut, frame in enumerate(tape):
            packed = msgspec.msgpack.encode(reader.state)
            other = fresh(venue, table, kind)
            other.state = msgspec.msgpack.decode(packed, type=type(other.state))
            assert same(read(other, tape[cut:], cut), whole[cut:]), frame
            reader.read(frame, tapes.received_ns(cut))


@every_venue
def test_states_of_connections_are_apart(venue: Venue) -> None:
    """What one connection learned is not known to another: no state is shared."""
    table = listed(venue)
    for kind in reader_kinds(venue, table):
        untouched = msgspec.msgpack.encode(fresh(venue, table, kind).state)
        reader = fresh(venue, table, kind)
        for frame in frames(venue):
            reader.read(frame, tapes.STARTED_NS)
            assert msgspec.msgpack.encode(fresh(venue, table, kind).state) == untouched, frame


@every_venue
def test_a_plan_depends_on_the_listing_alone(venue: Venue) -> None:
    """Equal listings in another order give an equal plan, with names and topics told apart."""
    table = listed(venue)
    plan = venue.plan(table, WATCH)
    turned = InstrumentTable(venue.name)
    for product in venue.products:
        turned.replace(product, reversed([i for i in table if i.product == product]))
    assert venue.plan(turned, WATCH) == plan
    assert plan
    assert len({session.name for session in plan}) == len(plan)
    for session in plan:
        assert urlsplit(session.url).scheme == "wss"
        assert len(set(session.topics)) == len(session.topics)
        assert session.control == "" or session.control in session.topics
        assert session.quiet_s > 0.0
        assert session.ping is None or session.ping_interval_s > 0.0
    watched = [topic for session in plan for topic in session.topics if topic != session.control]
    assert len(set(watched)) == len(watched)


@every_venue
def test_a_plan_without_a_watch_list_still_hears_every_liquidation(venue: Venue) -> None:
    """Topics grow with the watch list; forced orders of all symbols are asked for without one."""
    table = listed(venue)
    none = {topic for session in venue.plan(table, frozenset()) for topic in session.topics}
    some = {topic for session in venue.plan(table, WATCH) for topic in session.topics}
    assert none <= some
    assert bool(none) or venue.completeness is Completeness.NONE


def requested(frames: Sequence[bytes]) -> list[str]:
    """What client frames ask for, item by item: the members of their list, or each frame."""
    items: list[Any] = []
    for frame in frames:
        message = msgspec.json.decode(frame)
        assert isinstance(message, dict)
        items += message.get("args") or message.get("params") or [message]
    return sorted(msgspec.json.encode(item, order="sorted").decode() for item in items)


@every_venue
def test_subscribing_covers_exactly_the_topics(venue: Venue) -> None:
    """Frames ask for each topic once and for no other, are JSON, and of a size venues take."""
    for session in venue.plan(listed(venue), WATCH):
        for ask in (venue.subscribe, venue.unsubscribe):
            together = ask(session, session.topics)
            apart = [item for t in session.topics for item in requested(ask(session, (t,)))]
            assert requested(together) == sorted(apart)
            assert len(set(apart)) == len(apart)
            assert max(map(len, together), default=0) <= MOST_CLIENT_FRAME
            assert ask(session, ()) == ()
        assert len(requested(venue.subscribe(session, session.topics))) == len(session.topics)


def test_topics_grow_by_shards_and_keep_their_names() -> None:
    """A watch list of everything plans more topics and keeps the names of the first sessions."""
    for venue in VENUES:
        table = listed(venue)
        every = frozenset(instrument.asset for instrument in table)
        few, many = venue.plan(table, WATCH), venue.plan(table, every)
        assert {session.name for session in few} <= {session.name for session in many}


@every_venue
@pytest.mark.parametrize("poll", ["instruments", "open_interest", "nonsense"])
def test_an_answer_of_any_bytes_is_told_not_raised(venue: Venue, poll: str) -> None:
    """A REST answer that is cut off, empty, deep or something else gives events, no error."""
    table = InstrumentTable(venue.name)
    for key in (*venue.products, "nonsense"):
        for body in (b"", b"null", b"[]", b"{}", b"[" * 50_000, b"\xff\xfe", b"1e999", b'{"a":'):
            for event in venue.answer(poll, key, body, tapes.STARTED_NS, table):
                assert isinstance(event, NotUsed | Malformed), (key, body[:20])
                assert unsound(event) == []


@every_venue
@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_damaged_bytes_never_raise_and_never_lie(venue: Venue, data: st.DataObject) -> None:
    """Whatever the bytes are, events come out, their numbers are sound, and reading goes on."""
    table = listed(venue)
    tape = frames(venue)
    kinds = reader_kinds(venue, table)
    reader = fresh(venue, table, data.draw(st.sampled_from(kinds)))
    for number in range(data.draw(st.integers(0, 3)) * 20):
        reader.read(tape[number % len(tape)], tapes.received_ns(number))
    for frame in data.draw(st.lists(damaged(tape), min_size=1, max_size=8)):
        events = reader.read(frame, tapes.STARTED_NS)
        assert events
        assert [problem for event in events for problem in unsound(event)] == []
    for event in (e for events in read(reader, tape) for e in events):
        assert unsound(event) == []
    msgspec.msgpack.encode(reader.state)
