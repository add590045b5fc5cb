import math

import numpy as np
import pytest

from kernels.dtypes import (
    BANDS_BP,
    BOOK_TOP,
    MARK,
    OPEN_INTEREST,
    ROWS_OF_ASSET,
    TRADE,
    Reals,
    Records,
)
from monitor.simulate.incidents import DAY_S, Incident, Kind, Natural, Rates
from monitor.simulate.observation import VENUES, Observer
from tests.showing import CALM, NS, START, changed, full, observer, of, orders, shown, tape

MS = 1_000_000
SPOT = ROWS_OF_ASSET - 1


class Scripted(Natural):
    """Incidents that a test wrote down."""

    def __init__(self, *incidents: Incident) -> None:
        self._incidents = incidents

    def between(self, start_s: int, end_s: int) -> list[Incident]:
        """Those that run in some of these seconds."""
        return [one for one in self._incidents if one.start_s < end_s and one.end_s > start_s]


def befallen(*incidents: Incident) -> Observer:
    """An observer of one asset, of full tapes, that these incidents befall."""
    one = observer(full(), assets=1)
    one._natural = Scripted(*incidents)
    return one


def seconds(events: Records) -> list[int]:
    """Seconds of the tape in which rows happened."""
    return sorted(set((events["event_ns"] // NS - START).tolist()))


def late_ms(events: Records) -> Reals:
    """From happening to arrival."""
    late: Reals = (events["received_ns"] - events["event_ns"]) / MS
    return late


# Delays.


def test_quotes_arrive_some_eighty_milliseconds_late() -> None:
    """A stream's delay has its median where it should be and a tail; it is never negative."""
    late = late_ms(of(shown(tape(1200)).events, BOOK_TOP))
    assert 80.0 <= np.median(late) <= 110.0
    assert late.min() > 0.0
    assert np.quantile(late, 0.999) > 250.0


def test_stress_makes_everything_later() -> None:
    """Delays grow with stress."""
    config = changed(CALM, stall_per_s=0.0)
    made = [of(shown(tape(600, stress=stress), config).events, BOOK_TOP) for stress in (0.0, 1.0)]
    calm, late = (late_ms(rows[rows["event_ns"] < (START + 600) * NS]) for rows in made)
    assert np.median(late) == pytest.approx(7.0 * np.median(calm), rel=0.15)


def test_a_thinned_second_is_sent_when_it_is_over() -> None:
    """A one-per-second venue sends behind the second's end, a full tape every half a second."""
    made = tape(600, burst=100)
    found = orders(shown(made).events)
    for venue, push_ns in ((0, NS), (1, NS // 2), (2, NS)):
        rows = found[found["row"] % ROWS_OF_ASSET == venue]
        sent_ns = (rows["event_ns"] // push_ns + 1) * push_ns
        late = (rows["received_ns"] - sent_ns) / MS
        assert late.min() > 0.0
        assert 80.0 <= np.median(late) <= 120.0


def test_a_batch_of_a_full_tape_arrives_at_once() -> None:
    """Orders of one contract and half second are received together, in order of time."""
    rows = orders(shown(tape(600, burst=100)).events, 1)
    rows = rows[rows["row"] == 1]
    batches = rows["event_ns"] // (NS // 2)
    for batch in np.unique(batches):
        inside = rows[batches == batch]
        assert len(set(inside["received_ns"].tolist())) == 1
        assert (np.diff(inside["event_ns"]) >= 0).all()


def test_a_stalled_stream_catches_up_at_once() -> None:
    """Under stress a contract may go silent; then all it sent comes, part of it over 30 s late."""
    made = tape(600, assets=1, burst=300, stress=1.0)
    config = changed(full(), stall_per_s=0.01, stall_s=(40.0, 50.0))
    rows = of(shown(made, config).events, BOOK_TOP, 0)
    late = late_ms(rows)
    assert late.max() > 35_000.0
    together = rows["received_ns"][late > 30_000.0]
    assert len(together) > 5 * len(set(together.tolist()))
    forced = late_ms(orders(shown(made, config).events))
    assert forced.max() > 30_000.0
    assert (forced > 0.0).all()


# Quotes, marks, trades.


def test_each_contract_quotes_once_a_second() -> None:
    """A quote a second for every contract and the spot pair, half a basis point to each side."""
    made = tape(600)
    events = shown(made).events
    for row in range(2 * ROWS_OF_ASSET):
        rows = of(events, BOOK_TOP, row)
        rows = rows[np.argsort(rows["event_ns"])][:600]
        assert (rows["event_ns"] // NS - START).tolist() == list(range(600))
        middle = (rows["a"] + rows["b"]) / 2
        assert ((rows["b"] - rows["a"]) / middle).tolist() == pytest.approx([1e-4] * 600)
        name = "spot" if row % ROWS_OF_ASSET == SPOT else "perp"
        off = middle / made[name][:, row // ROWS_OF_ASSET] - 1.0
        assert 0.1e-4 < off.std() < 0.5e-4


def test_marks_come_every_third_second() -> None:
    """Each perpetual tells the tape's mark and index every third second."""
    made = tape(300)
    events = shown(made).events
    assert not len(of(events, MARK, SPOT))
    for row in (0, 1, 2, ROWS_OF_ASSET):
        rows = of(events, MARK, row)
        rows = rows[rows["event_ns"] // NS < START + 300]
        at = np.sort(rows["event_ns"] // NS - START)
        assert set(np.diff(at).tolist()) == {3}
        line = made[rows["event_ns"] // NS - START, row // ROWS_OF_ASSET]
        assert rows["a"].tolist() == line["mark"].tolist()
        assert rows["b"].tolist() == line["spot"].tolist()


def test_taker_flow_is_shared_out() -> None:
    """One trade a second and contract with its part of the net flow, none where there is none."""
    made = tape(600)
    made["taker"][100:200] = 0.0
    events = shown(made).events
    for venue, share in enumerate(one.share for one in VENUES):
        rows = of(events, TRADE, venue)
        at = rows["event_ns"] // NS - START
        assert not ((at >= 100) & (at < 200)).any()
        parts = (rows["a"] / made["taker"][np.minimum(at, 599), 0])[at < 600]
        assert parts.mean() == pytest.approx(share, rel=0.05)
        assert parts.min() >= 0.5 * share
        assert parts.max() <= 1.5 * share
    spot = of(events, TRADE, SPOT)
    at = spot["event_ns"] // NS - START
    assert spot["a"][at < 600].tolist() == made["spot_taker"][at[at < 600], 0].tolist()


# Open interest.


def test_open_interest_is_polled_at_each_venues_interval() -> None:
    """Polls come at 10, 2 and 5 s; each tells the venue's part, nearly, as of its own second."""
    made = tape(1200)
    events = shown(made).events
    assert not len(of(events, OPEN_INTEREST, SPOT))
    for venue, (every_s, share) in enumerate((one.poll_s, one.share) for one in VENUES):
        rows = of(events, OPEN_INTEREST, venue)
        at = rows["event_ns"] // NS - START
        assert set(np.diff(at).tolist()) == {every_s}
        truth = made["interest"][np.minimum(at, 1199), 0] * share
        off = rows["a"] / truth - 1.0
        assert 1e-6 < np.abs(off).max() < 1e-3
        assert np.isnan(rows["b"]).all()
        # Rounded to a ten-millionth of a power of ten: 0.1 coins here.
        assert (rows["a"] * 10.0).tolist() == pytest.approx(np.rint(rows["a"] * 10.0).tolist())


def test_polls_fail_and_repeat_themselves_under_stress() -> None:
    """At full stress half of the polls fail and a tenth of the rest tell the old value."""
    made = tape(8000, assets=1, stress=1.0)
    rows = of(shown(made).events, OPEN_INTEREST, 1)
    rows = rows[rows["event_ns"] // NS < START + 8000]
    assert len(rows) == pytest.approx(2000, abs=120)
    repeated = (np.diff(rows["a"]) == 0.0).mean()
    assert 0.05 < repeated < 0.2


# Depth.


def test_books_reach_as_far_as_their_venue_shows() -> None:
    """Depth is known up to 25, 100 and 50 bp, never of spot, and once in a while not at all."""
    made = tape(900)
    depths = shown(made).depths[:900]
    assert np.isnan(depths[:, SPOT::ROWS_OF_ASSET]).all()
    for venue, one in enumerate(VENUES):
        known = ~np.isnan(depths[:, venue])
        reach = [band <= one.reach_bp for band in BANDS_BP]
        assert known.any(axis=0).tolist() == reach
        assert 0.02 < 1.0 - known[:, 0].mean() < 0.10
        usd = np.nanmean(depths[:, venue, reach], axis=0)
        expected = np.array(CALM.depth_profile)[reach] * 1e7 * one.share
        assert usd.tolist() == pytest.approx(expected.tolist(), rel=0.1)


@pytest.mark.parametrize(
    ("stress", "reached"), [(0.3, (2, 4, 3)), (0.6, (1, 3, 2)), (0.9, (1, 2, 1))]
)
def test_books_reach_less_far_under_stress(stress: float, reached: tuple[int, ...]) -> None:
    """Stress takes one band from each book, then another, but never the innermost."""
    config = changed(CALM, stall_per_s=0.0)
    depths = shown(tape(300, stress=stress), config).depths[:300]
    bands = (~np.isnan(depths[:, :SPOT])).any(axis=0).sum(axis=1)
    assert tuple(bands.tolist()) == reached


# What befalls venues.


def test_a_cut_is_silent_and_its_last_orders_come_with_the_next_connection() -> None:
    """Orders of the last minutes of a cut arrive as it ends, as history; the others are lost."""
    made = tape(900)
    made["forced_long"] = 30.0
    one = befallen(Incident(Kind.CUT, 1, START + 100, 400, 120))
    found = one.chunk(made[:, :1].copy(), START)
    rows = orders(found.events, 1)
    numbers = found.connections[(found.events["kind"] == 0) & (found.events["row"] == 1)]
    at = rows["event_ns"] // NS - START
    assert not ((at >= 100) & (at < 380)).any()
    replayed = (at >= 380) & (at < 500)
    assert replayed.any()
    assert ((rows["received_ns"] // NS)[replayed] == START + 500).all()
    assert rows["counts"][replayed].tolist() == (at[replayed] >= 495).astype(int).tolist()
    assert rows["counts"][~replayed].all()
    assert len(set(numbers[at < 100].tolist())) == 1
    assert set(numbers[at >= 380].tolist()) == {numbers[at < 100][0] + 4}
    for kind in (BOOK_TOP, TRADE, MARK):
        assert not {*range(100, 500)} & {*seconds(of(found.events, kind, 1))}
    assert np.isnan(found.depths[100:500, 1]).all()
    assert {*range(100, 500)} & {*seconds(of(found.events, OPEN_INTEREST, 1))}
    assert {*range(100, 500)} <= {*seconds(of(found.events, BOOK_TOP, 2))}


def test_a_gap_is_lost() -> None:
    """What a venue did in a gap never arrives; its open interest is still asked for."""
    made = tape(900)
    made["forced_short"] = 30.0
    one = befallen(Incident(Kind.GAP, 0, START + 100, 300))
    events = one.chunk(made[:, :1].copy(), START).events
    gap = {*range(100, 400)}
    assert not gap & {*seconds(orders(events, 0))}
    for row in (0, SPOT):
        assert not gap & {*seconds(of(events, BOOK_TOP, row))}
    assert gap & {*seconds(of(events, OPEN_INTEREST, 0))}
    assert gap <= {*seconds(of(events, BOOK_TOP, 1))}


def test_an_outage_takes_answers_too() -> None:
    """A venue that is gone answers nothing; the others go on."""
    one = befallen(Incident(Kind.OUTAGE, 2, START + 100, 500))
    events = one.chunk(tape(900, assets=1), START).events
    outage = {*range(100, 600)}
    assert not outage & {*seconds(events[events["row"] == 2])}
    assert outage <= {*seconds(of(events, BOOK_TOP, 0))}


def test_overlapping_connections_deliver_everything_twice() -> None:
    """While two connections are open each order comes over both, equal but for its arrival."""
    made = tape(600, assets=1)
    made["forced_long"] = 30.0
    one = befallen(Incident(Kind.OVERLAP, 1, START + 100, 200))
    found = one.chunk(made, START)
    forced = (found.events["kind"] == 0) & (found.events["row"] == 1)
    rows, numbers = found.events[forced], found.connections[forced]
    at = rows["event_ns"] // NS - START
    twice = (at >= 100) & (at < 300)
    first, second = sorted(set(numbers.tolist()))
    assert second == first + 1
    assert set(numbers[~twice].tolist()) == {first}
    names = ["event_ns", "a", "b", "position"]
    over = [np.sort(rows[names][twice & (numbers == n)]) for n in (first, second)]
    assert over[0].tolist() == over[1].tolist()
    assert len(over[0]) > 200


def test_incidents_come_at_their_rates_and_lengths() -> None:
    """Over a year each kind happens as often and lasts as long as its rates say."""
    rates = Rates()
    incidents = Natural(11, rates, 3).between(0, 365 * DAY_S)
    often = {Kind.CUT: 0.5, Kind.GAP: 0.3, Kind.OUTAGE: 0.1, Kind.OVERLAP: 1.0}
    lasts = {
        Kind.CUT: rates.cut_s,
        Kind.GAP: rates.gap_s,
        Kind.OUTAGE: rates.outage_s,
        Kind.OVERLAP: rates.overlap_s,
    }
    for kind, a_day in often.items():
        some = [one for one in incidents if one.kind is kind]
        expected = a_day * 365 * 3
        assert abs(len(some) - expected) < 4 * math.sqrt(expected)
        assert lasts[kind][0] <= min(one.seconds for one in some)
        assert max(one.seconds for one in some) <= lasts[kind][1]
        assert {one.venue for one in some} == {0, 1, 2}
        assert all(0 < one.replayed_s <= one.seconds for one in some if kind is Kind.CUT)


def test_incidents_do_not_depend_on_how_time_is_cut() -> None:
    """Hours put together hold what the whole holds; another root holds something else."""
    whole = Natural(5, Rates(), 3).between(START, START + 5 * DAY_S)
    hours = Natural(5, Rates(), 3)
    found = {
        one
        for hour in range(5 * 24)
        for one in hours.between(START + hour * 3600, START + (hour + 1) * 3600)
    }
    assert found == set(whole)
    assert found != set(Natural(6, Rates(), 3).between(START, START + 5 * DAY_S))


def test_an_observer_says_what_happened() -> None:
    """Each incident is listed once, though it may run over several chunks."""
    incident = Incident(Kind.OUTAGE, 2, START + 100, 500)
    one = befallen(incident)
    made = tape(300, assets=1)
    for k in range(3):
        one.chunk(made, START + 300 * k)
    assert one.incidents == [incident]
