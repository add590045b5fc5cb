from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from kernels.dtypes import (
    BOOK_TOP,
    LIQUIDATION,
    LONG,
    OPEN_INTEREST,
    ROWS_OF_ASSET,
    SHORT,
    Records,
)
from monitor.assess.deliveries import Deliveries
from monitor.simulate.negatives import APART_S, Negative, NegativeKind, negative, schedule
from monitor.simulate.observation import Observed
from tests.showing import CALM, NS, START, by_event, full, of, orders, shown, tape

MONTH_S = 31 * 86_400
NAMES = ["event_ns", "a", "b", "position", "row"]
OF_BOTH = (NegativeKind.FUNDING_BURST, NegativeKind.OPEN_BURST)


def busy() -> Records:
    """A tape on which every second forces some longs and fewer shorts."""
    made = tape(2400)
    made["forced_long"] += 20.0
    made["forced_short"] += 5.0
    return made


def during(events: Records, one: Negative) -> Records:
    """Rows that happened while it lasted."""
    second = events["event_ns"] // NS
    return events[(second >= one.start_s) & (second < one.end_s)]


def numbers_of(found: Observed, row: int) -> list[int]:
    """Connections that delivered a contract's forced orders."""
    chosen = (found.events["kind"] == LIQUIDATION) & (found.events["row"] == row)
    return sorted(set(found.connections[chosen].tolist()))


def same_elsewhere(plain: Observed, found: Observed, row: int) -> None:
    """Nothing of other contracts is touched."""
    for kind in (LIQUIDATION, BOOK_TOP, OPEN_INTEREST):
        kept = [of(one.events, kind)[of(one.events, kind)["row"] != row] for one in (plain, found)]
        assert kept[0].tobytes() == kept[1].tobytes()


# What each of them does.


@pytest.mark.parametrize("position", [LONG, SHORT])
@pytest.mark.parametrize("venue", [0, 1, 2])
def test_a_whale(venue: int, position: int) -> None:
    """So large a part of open interest more is printed in its seconds, of its position alone."""
    whale = Negative(NegativeKind.WHALE, START + 500, 3, 1, venue, position, 0.003)
    made = tape(900)
    plain, found = shown(made, full()), shown(made, full(), [whale])
    row = ROWS_OF_ASSET + venue
    same_elsewhere(plain, found, row)
    before, after = ({*by_event(orders(one.events))} for one in (plain, found))
    more = after - before
    assert before < after
    assert {one[1:3] for one in more} == {(row, position)}
    assert {one[0] // NS - START for one in more} == {500, 501, 502}
    assert sum(one[3] for one in more) == pytest.approx(0.003 * 2e6 * 1.0005, rel=1e-4)
    # A thinned venue prints but one order of each of those seconds.
    thinned = orders(shown(made, CALM, [whale]).events)
    largest = thinned[thinned["a"] > 100.0]
    assert {at - START for at in (largest["event_ns"] // NS).tolist()} == {500, 501, 502}
    assert len(largest) == 3 or venue == 1


@pytest.mark.parametrize("kind", OF_BOTH)
def test_a_burst_multiplies_what_is_usual(kind: NegativeKind) -> None:
    """For its minute or two the flow is that many times the usual one, in small orders."""
    made = tape(2400)
    made["forced_long"], made["forced_short"] = 0.5, 0.5
    burst = Negative(kind, START + 2000, 120, 0, 0, SHORT, 8.0)
    found = orders(shown(made, full(), [burst]).events)
    found = found[found["row"] < ROWS_OF_ASSET]
    coins = [
        during(found, burst)["a"][during(found, burst)["position"] == p].sum() for p in (0, 1)
    ]
    # 7 times both positions' flow is added, 80 % of it to one; part of it waits for an order.
    expected = [120 * (0.5 + 7 * part) for part in (0.2, 0.8)]
    assert coins == pytest.approx(expected, abs=120.0)
    assert len(during(found, burst)) > 100
    assert during(found, burst)["a"].max() < 1e-4 * 2e6


def test_a_burst_stays_far_below_a_cascade() -> None:
    """Where much is usual a burst is held well below a tenth of a percent of open interest."""
    made = busy()
    burst = Negative(NegativeKind.OPEN_BURST, START + 1800, 60, 0, 0, LONG, 8.0)
    plain, found = (orders(shown(made, full(), some).events) for some in ([], [burst]))
    more = during(found, burst)["a"].sum() - during(plain, burst)["a"].sum()
    assert 0.0 < more < 0.0009 * 2e6


def test_a_venue_goes_down() -> None:
    """Nothing of the asset comes from the venue, and its other assets and venues go on."""
    down = Negative(NegativeKind.VENUE_DOWN, START + 400, 900, 0, 1)
    made = busy()
    plain, found = shown(made), shown(made, CALM, [down])
    same_elsewhere(plain, found, 1)
    rows = found.events[found.events["row"] == 1]
    assert not len(during(rows, down))
    assert np.isnan(found.depths[400:1300, 1]).all()
    before = plain.events[plain.events["row"] == 1]
    assert len(rows) == len(before) - len(during(before, down))


@pytest.mark.parametrize("anew", [0, 1])
def test_a_gap_and_its_replay(anew: int) -> None:
    """All orders of the gap come as it ends, over the stalled connection or as history."""
    gap = Negative(NegativeKind.GAP_REPLAY, START + 400, 600, 0, 1, anew)
    made = busy()
    plain, found = shown(made, full()), shown(made, full(), [gap])
    same_elsewhere(plain, found, 1)
    assert by_event(orders(found.events, 1)) == by_event(orders(plain.events, 1))
    held = during(of(found.events, LIQUIDATION, 1), gap)
    assert len(held) > 500
    # Half a second's worth may have waited for its push when the gap began.
    assert set((held["received_ns"] // NS - START).tolist()) == {1000}
    recent = held["event_ns"] >= (START + 995) * NS
    assert held["counts"].tolist() == (recent | (anew == 0)).astype(int).tolist()
    assert len(numbers_of(found, 1)) == 1 + anew
    assert not len(during(of(found.events, BOOK_TOP, 1), gap))
    assert len(during(of(found.events, OPEN_INTEREST, 1), gap)) == 300


def test_duplicates() -> None:
    """Each order comes three times over three connections; the detector's rule leaves one."""
    thrice = Negative(NegativeKind.DUPLICATES, START + 400, 120, 0, 1)
    made = busy()
    plain, found = shown(made), shown(made, CALM, [thrice])
    same_elsewhere(plain, found, 1)
    one, three = (during(of(part.events, LIQUIDATION, 1), thrice) for part in (plain, found))
    assert np.sort(np.tile(one[NAMES], 3)).tolist() == np.sort(three[NAMES]).tolist()
    first = numbers_of(plain, 1)[0]
    assert numbers_of(found, 1) == [first, first + 1, first + 2]
    left = Deliveries().new(found.events, found.connections)
    assert by_event(orders(left)) == by_event(orders(plain.events))


def test_frozen_interest() -> None:
    """Open interest is told as before, and in it nothing moves, on any venue of the asset."""
    frozen = Negative(NegativeKind.FROZEN_INTEREST, START + 400, 1200, 1)
    made = busy()
    plain, found = shown(made), shown(made, CALM, [frozen])
    for row in range(2 * ROWS_OF_ASSET - 1):
        before, after = (of(one.events, OPEN_INTEREST, row) for one in (plain, found))
        assert before["event_ns"].tolist() == after["event_ns"].tolist()
        if row < ROWS_OF_ASSET:
            assert before["a"].tolist() == after["a"].tolist()
        else:
            last = [one["a"] for one in after if one["event_ns"] // NS < frozen.start_s][-1]
            assert set(during(after, frozen)["a"].tolist()) == {last}
            assert len(set(during(before, frozen)["a"].tolist())) > 50
            behind = [one["event_ns"] // NS >= frozen.end_s for one in after]
            assert after["a"][behind].tolist() == before["a"][behind].tolist()


def test_frozen_depth() -> None:
    """Books come as before, and in them nothing moves, on any venue of the asset."""
    frozen = Negative(NegativeKind.FROZEN_DEPTH, START + 400, 1200, 1)
    made = busy()
    plain, found = shown(made).depths, shown(made, CALM, [frozen]).depths
    assert np.isnan(plain).tolist() == np.isnan(found).tolist()
    rows = slice(ROWS_OF_ASSET, 2 * ROWS_OF_ASSET - 1)
    still = np.zeros(plain.shape, np.bool_)
    still[400:1600, rows] = True
    assert plain[~still].tobytes() == found[~still].tobytes()
    for row in range(rows.start, rows.stop):
        for band in range(plain.shape[2]):
            values = found[400:1600, row, band]
            last = found[:400, row, band]
            last = last[~np.isnan(last)]
            assert set(values[~np.isnan(values)].tolist()) == {*last[-1:].tolist()}


@pytest.mark.parametrize(("ahead", "off_ns"), [(0, -2 * NS), (1, 2 * NS)])
def test_clock_skew(ahead: int, off_ns: int) -> None:
    """All that a contract says happened is dated two seconds early or late, and nothing else."""
    skewed = Negative(NegativeKind.CLOCK_SKEW, START + 400, 1200, 0, 2, ahead)
    made = busy()
    plain, found = shown(made), shown(made, CALM, [skewed])
    inside = plain.events["row"] == 2
    second = plain.events["event_ns"] // NS
    inside &= (second >= skewed.start_s) & (second < skewed.end_s)
    assert inside.sum() > 3000
    expected = plain.events.copy()
    expected["event_ns"][inside] += off_ns
    assert found.events.tobytes() == expected.tobytes()


def test_side_flip() -> None:
    """A venue's longs are shown as shorts and its shorts as longs, and nothing else."""
    flipped = Negative(NegativeKind.SIDE_FLIP, START + 400, 1200, 0, 0)
    made = busy()
    plain, found = shown(made), shown(made, CALM, [flipped])
    inside = (plain.events["row"] == 0) & (plain.events["kind"] == LIQUIDATION)
    second = plain.events["event_ns"] // NS
    inside &= (second >= flipped.start_s) & (second < flipped.end_s)
    expected = plain.events.copy()
    expected["position"][inside] = 1 - expected["position"][inside]
    assert len(set(plain.events["position"][inside].tolist())) == 2
    assert found.events.tobytes() == expected.tobytes()


def test_a_spot_drop_is_left_to_the_market() -> None:
    """Venues show a drop as they show any market: the injection itself changes nothing."""
    drop = Negative(NegativeKind.SPOT_DROP, START + 100, 300, 0, 0, 0, 0.03)
    made = tape(600)
    assert shown(made, CALM, [drop]).events.tobytes() == shown(made).events.tobytes()


# How they are spread.


def test_a_schedule_holds_what_was_asked_for() -> None:
    """So many of each kind, within the month, in order, none near another of its asset."""
    counts = dict.fromkeys(NegativeKind, 40)
    found = schedule(counts, 8, START, MONTH_S, np.random.default_rng(1))
    assert {kind: sum(one.kind is kind for one in found) for kind in NegativeKind} == counts
    assert [one.start_s for one in found] == sorted(one.start_s for one in found)
    assert found[0].start_s >= START
    assert max(one.end_s for one in found) <= START + MONTH_S
    for asset in range(8):
        own = [one for one in found if one.asset == asset]
        assert len(own) > 20
        assert all(b.start_s - a.end_s >= APART_S for a, b in pairwise(own))


def test_bursts_keep_to_their_hours() -> None:
    """Funding bursts run through a funding minute, openings through 13:30 UTC of a weekday."""
    counts = {NegativeKind.FUNDING_BURST: 90, NegativeKind.OPEN_BURST: 60}
    found = schedule(counts, 8, START, MONTH_S, np.random.default_rng(2))
    for one in found:
        at_s = one.start_s + (-one.start_s % 60)
        assert at_s - one.start_s <= 30
        assert 60 <= one.seconds <= 120
        assert 4.0 <= one.size <= 8.0
        at = datetime.fromtimestamp(at_s, UTC)
        if one.kind is NegativeKind.FUNDING_BURST:
            assert (at.hour % 8, at.minute) == (0, 0)
        else:
            assert (at.hour, at.minute) == (13, 30)
            assert at.weekday() < 5


def test_a_schedule_follows_from_its_dice() -> None:
    """The same generator gives the same schedule, another gives another."""
    counts = {NegativeKind.WHALE: 20, NegativeKind.SIDE_FLIP: 20}
    made = [schedule(counts, 4, START, MONTH_S, np.random.default_rng(k)) for k in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_a_schedule_that_does_not_fit() -> None:
    """Asking for more than there is room for is an error that names the kind."""
    with pytest.raises(ValueError, match="one more whale"):
        schedule({NegativeKind.WHALE: 50}, 1, START, 86_400, np.random.default_rng(1))
    with pytest.raises(ValueError, match="one more open_burst"):
        schedule({NegativeKind.OPEN_BURST: 1}, 1, START, 3600, np.random.default_rng(1))


def test_an_injection_follows_from_its_seed() -> None:
    """Length, venue, position and size lie within the kind's bounds and all vary."""
    whales = [negative(NegativeKind.WHALE, START, 0, seed) for seed in range(200)]
    assert whales[7] == negative(NegativeKind.WHALE, START, 0, 7)
    assert {one.seconds for one in whales} == {1, 2, 3}
    assert {one.venue for one in whales} == {0, 1, 2}
    assert {one.position for one in whales} == {LONG, SHORT}
    assert 0.0008 <= min(one.size for one in whales) < 0.0012
    assert 0.0038 < max(one.size for one in whales) <= 0.0043
    downs = [negative(NegativeKind.VENUE_DOWN, START, 0, seed).seconds for seed in range(200)]
    assert 600 <= min(downs) < 900
    assert 1500 < max(downs) <= 1800
