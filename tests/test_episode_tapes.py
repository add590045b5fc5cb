"""Whole episodes, driven with frames through the engine's doors on scripted markets."""

import itertools
import math

import pytest

from monitor.detect import snapshot
from monitor.detect.picture import paint
from monitor.detect.verdict import Kind, Phase, State, Verdict
from monitor.events import FactKind, Position
from tests import tape
from tests.stand_in import LISTED, InterestRow, OrderRow, Row
from tests.tape import (
    NS,
    START_S,
    WARM_S,
    Frame,
    Market,
    cascade,
    frame,
    lines,
    listing,
    play,
    pressing,
    states,
    warm_engine,
    warm_market,
)

QUIET, NOTICE, BUILDING = State.QUIET, State.NOTICE, State.BUILDING
ONSET, CASCADING, EXHAUSTING = State.ONSET, State.CASCADING, State.EXHAUSTING
RISE = [NOTICE, BUILDING, ONSET, CASCADING, EXHAUSTING]
SHORT = Position.SHORT


def seconds(verdict: Verdict) -> float:
    """When a verdict was decided, seconds after the warm market's start."""
    return verdict.detected_ns / NS - START_S - WARM_S


def cascades(verdicts: list[Verdict]) -> list[Verdict]:
    """The verdicts of episodes, without those of pressure."""
    return [v for v in verdicts if v.kind is Kind.CASCADE]


def test_an_episode_goes_through_every_state_in_order() -> None:
    """From the first notice to the end there is one pressure alert and one cascade."""
    said = play(tape.engine(), tape.whole_episode())
    assert [(v.kind, v.phase, v.state, v.previous_state) for v in said] == [
        (Kind.PRESSURE, Phase.START, NOTICE, QUIET),
        (Kind.PRESSURE, Phase.UPDATE, BUILDING, NOTICE),
        (Kind.PRESSURE, Phase.END, ONSET, BUILDING),
        (Kind.CASCADE, Phase.START, ONSET, BUILDING),
        (Kind.CASCADE, Phase.UPDATE, CASCADING, ONSET),
        (Kind.CASCADE, Phase.UPDATE, EXHAUSTING, CASCADING),
        (Kind.CASCADE, Phase.END, State.EXHAUSTED, EXHAUSTING),
    ]
    assert {v.asset for v in said} == {"BTC"}
    assert {v.position for v in said} == {Position.LONG}


def test_steps_come_when_their_rules_say() -> None:
    """Onset at six scales, a cascade a minute later, the pause and the end by the extreme."""
    verdicts = play(tape.engine(), tape.whole_episode())
    onset, cascading, exhausting, exhausted = cascades(verdicts)
    # Two contracts of 30,000 coins force a coin a second each; a scale is nine coins.
    assert seconds(onset) == pytest.approx(27.5, abs=0.1)
    assert onset.evidence.pressure_ratio == pytest.approx(6.0, abs=0.15)
    assert seconds(cascading) == 88.0
    extreme_s = seconds(exhausting) - exhausting.evidence.seconds_since_extreme
    assert 110 <= extreme_s <= 125
    assert exhausting.evidence.seconds_since_extreme >= 120 + 20 - 1
    assert seconds(exhausted) == extreme_s + 900


def test_the_evidence_is_that_of_the_tape() -> None:
    """Coins, dollars, orders and moves of the end are those that the market was told."""
    *_, end = play(tape.engine(), tape.whole_episode())
    orders = 2 * (30 + 90)
    coins = 2 * (30 * 1.0 + 90 * 3.0)
    found = end.evidence
    assert found.orders == orders
    assert found.forced_usd == pytest.approx(coins * 59_500.0, rel=0.01)
    assert found.forced_ratio == pytest.approx(coins / 29_500.0, rel=0.02)
    assert found.range_ratio == pytest.approx(0.0145, abs=1.5e-3)
    assert found.move_ratio == pytest.approx(-0.0055, abs=1.5e-3)
    assert found.trigger_move_ratio == pytest.approx(-0.0055, abs=1e-3)
    assert found.largest_usd == pytest.approx(3.0 * 60_000.0, rel=0.02)
    assert found.rewave_probability == pytest.approx(0.20, abs=0.01)
    assert (found.wave, found.follows) == (1, "")
    assert end.coverage.lower_bound, "venue beta publishes one order a second"


def test_longs_and_shorts_are_told_apart() -> None:
    """A squeeze of shorts is the same episode upwards, and says nothing of longs."""
    market = warm_market()
    market.go(30, drift=2e-4, unwind=2e-4, forced=1.0, position=SHORT)
    market.go(90, drift=1.5e-4, unwind=3e-4, forced=3.0, position=SHORT)
    market.go(30, drift=-3e-4).go(1200)
    said = play(warm_engine(), market.entries)
    assert states(said, position=SHORT) == [*RISE, State.EXHAUSTED]
    assert states(said) == []
    assert said[-1].evidence.move_ratio == pytest.approx(0.0052, abs=1e-3)
    assert all(v.id.startswith("BTC-short-") for v in said)


def test_a_second_wave_is_an_update_of_the_same_episode() -> None:
    """New forced flow after the pause revokes it; the episode goes on to its end."""
    market = cascade(warm_market()).go(180)
    market.go(60, drift=-3e-4, unwind=3e-4, forced=4.0)
    market.go(30, drift=3e-4).go(1200)
    said = play(warm_engine(), market.entries)
    assert states(said) == [*RISE, CASCADING, EXHAUSTING, State.EXHAUSTED]
    found = cascades(said)
    assert [v.evidence.wave for v in found] == [1, 1, 1, 2, 2, 2]
    assert len({v.episode_id for v in found}) == 1


def test_an_onset_without_a_cascade_fizzles() -> None:
    """Forced flow that stops before anything confirms it ends the episode as FIZZLED."""
    market = warm_market().go(30, forced=1.0).go(1500)
    said = play(warm_engine(), market.entries)
    assert states(said) == [ONSET, State.FIZZLED]
    # The bucket drains from 6.55 scales to three at a quarter a minute, and is calm for ten.
    assert seconds(said[-1]) == pytest.approx(30 + (6.55 - 3.0) * 240 + 600, abs=10)


def test_pressure_that_eases_ends_in_quiet() -> None:
    """A notice whose bucket drains for ten minutes below its quiet level is over."""
    market = pressing(warm_market(), 16).go(1500)
    said = play(warm_engine(), market.entries)
    assert [(v.state, v.phase) for v in said] == [(NOTICE, Phase.START), (QUIET, Phase.END)]
    assert {v.kind for v in said} == {Kind.PRESSURE}


def test_silence_of_open_interest_is_not_safety() -> None:
    """An hour without fresh open interest ends an episode UNCONFIRMED, never EXHAUSTED."""
    market = cascade(warm_market())
    market.with_interest = False
    market.go(3700)
    said = play(warm_engine(), market.entries)
    assert states(said) == [*RISE, State.UNCONFIRMED]
    last = max(
        e.received_ns for e in market.entries if isinstance(e, Frame) and b"interest" in e.data
    )
    # Open interest counts as known for 45 s after its last value.
    assert said[-1].detected_ns - last == pytest.approx((45 + 3600) * NS, abs=2 * NS)
    assert said[-1].reason == "open interest or price could not be judged for too long"


def test_silence_of_prices_is_not_safety() -> None:
    """An hour without a price ends an episode UNCONFIRMED, however fresh open interest is."""
    market = cascade(warm_market())
    market.priced = False
    market.go(3700)
    *_, end = play(warm_engine(), market.entries)
    assert (end.state, end.previous_state) == (State.UNCONFIRMED, CASCADING)
    assert end.evidence.unknown["price"] == "no fresh price"
    assert end.evidence.open_interest_age_s < 45.0


def test_no_end_is_called_without_a_price() -> None:
    """What is old, flat and quiet is over only once a price says that no new extreme was made."""
    market = cascade(warm_market()).go(200).go(800, unwind=1e-4)
    market.priced = False
    market.go(300)
    unpriced = play(warm_engine(), market.entries)
    assert states(unpriced) == RISE
    market.priced = True
    assert states(play(warm_engine(), market.go(60).entries)) == [*RISE, State.EXHAUSTED]


def test_a_later_onset_follows_the_episode_before() -> None:
    """A second cascade after the first has ended is an episode of its own that names it."""
    market = cascade(cascade(warm_market()).go(1200))
    said = cascades(play(warm_engine(), market.entries))
    first, second = (list(group) for _, group in itertools.groupby(said, lambda v: v.episode_id))
    assert [v.state for v in first] == [ONSET, CASCADING, EXHAUSTING, State.EXHAUSTED]
    assert [v.state for v in second] == [ONSET, CASCADING]
    assert second[0].evidence.follows == first[0].episode_id
    assert second[0].evidence.wave == 1


def test_longs_and_shorts_may_both_be_forced() -> None:
    """A market that whips closes both positions, and each has an episode of its own."""

    def shorts(at_ns: int) -> list[Row]:
        return [OrderRow("BTC-PERP", SHORT, at_ns, 4.0, 60_000.0)]

    market = warm_market().go(40, forced=1.0, more=shorts)
    said = play(warm_engine(), market.entries)
    assert ONSET in states(said)
    assert ONSET in states(said, position=SHORT)
    assert {v.episode_id.split("-")[1] for v in said} == {"long", "short"}


def test_an_onset_without_prices_says_that_it_has_none() -> None:
    """Forced flow alone opens an episode; every number that needs a price is null and says so."""
    market = Market().go(1)
    for second in range(1, 40):
        at_ns = market.now_ns + second * NS
        rows: list[Row] = [
            InterestRow("BTC-PERP", at_ns, 20_000.0),
            OrderRow("BTC-PERP", Position.LONG, at_ns, 3.0, 60_000.0),
        ]
        market.entries.append(frame(at_ns, 1, *(rows if second > 15 else rows[:1])))
    (onset,) = play(tape.engine(), market.entries)
    assert onset.state is ONSET
    needs = ("price", "trigger_move_ratio", "move_ratio", "range_ratio", "price_z")
    assert {onset.evidence.unknown[name] for name in needs} == {"no fresh price"}
    assert onset.evidence.unknown["basis_z"] == "no spot price"
    assert math.isnan(onset.evidence.trigger_move_ratio)


def test_an_episode_whose_contracts_are_gone_is_unconfirmed() -> None:
    """Without any contract left there is no open interest, and the verdict says so."""
    market = cascade(warm_market())
    for name in ("alpha", "beta"):
        market.entries.append(listing(market.now_ns, name, "perp", []))
    market.go(3700)
    *_, end = play(warm_engine(), market.entries)
    assert end.state is State.UNCONFIRMED
    assert end.evidence.unknown["open_interest_base"] == "no open interest"
    assert end.evidence.unknown["price"] == "no fresh price"


# Hard negatives: each gives no verdict at all.


def whale(at_ns: int, coins: float) -> list[Row]:
    """One forced order of venue alpha, just now."""
    return [OrderRow("BTC-PERP", Position.LONG, at_ns, coins, 60_000.0)]


def test_a_single_whale_raises_nothing() -> None:
    """Four thousandths of all open interest in three seconds of one contract is no alarm."""
    market = warm_market().go(3, more=lambda at_ns: whale(at_ns, 40.0)).go(120)
    core = warm_engine()
    assert play(core, market.entries) == []
    assert core.arrays.pressure["share_total"][0] == pytest.approx(0.004, rel=0.01)


def test_a_replay_after_a_gap_raises_nothing() -> None:
    """Ten minutes of orders delivered at once after a gap are history, not pressure."""
    market = warm_market()
    market.disconnect("alpha")
    market.go(600)
    opened_ns = market.now_ns
    market.connect("alpha", 3)
    burst = [
        OrderRow("BTC-PERP", Position.LONG, opened_ns - ago * NS, 4.0, 60_000.0 + ago)
        for ago in range(600, 0, -1)
    ]
    market.entries.append(frame(opened_ns + NS // 10, 3, *burst))
    market.go(120)
    core = warm_engine()
    assert play(core, market.entries) == []
    view = paint(core)
    # What came from the five seconds before the connection may be clocks that differ.
    assert view.dropped["late"] == 595
    assert view.assets[0].long.totals["1h"].orders == 600


def test_orders_from_before_the_connection_raise_nothing() -> None:
    """History that a venue sends on subscribing is young at times, and yet no pressure."""
    market = warm_market()
    market.disconnect("alpha")
    market.go(20)
    opened_ns = market.now_ns
    market.connect("alpha", 3)
    for second in range(20):
        at_ns = opened_ns + second * NS + NS // 10
        row = OrderRow("BTC-PERP", Position.LONG, opened_ns - 6 * NS, 4.5 + second, 60_000.0)
        market.entries.append(frame(at_ns, 3, row))
        market.go(1)
    core = warm_engine()
    assert play(core, market.entries) == []
    assert paint(core).dropped["late"] == 20


def test_without_open_interest_orders_count_and_do_not_press() -> None:
    """Unknown open interest is a counted reason; the totals hold every order all the same."""
    market = cascade(Market(with_interest=False).go(60)).go(60)
    core = tape.engine()
    assert play(core, market.entries) == []
    view = paint(core)
    assert view.dropped["no_open_interest"] == 240
    assert view.assets[0].long.totals["5m"].orders == 240
    assert math.isnan(view.assets[0].open_interest_base)


def test_an_asset_off_the_list_stands_in_other_alone() -> None:
    """Any flow of an asset nobody watches is totalled as other and raises nothing."""

    def doge(at_ns: int) -> list[Row]:
        return [OrderRow("DOGE-PERP", SHORT, at_ns, 1e6, 0.1)]

    core = warm_engine()
    assert play(core, warm_market().go(60, more=doge).entries) == []
    view = paint(core)
    assert view.other_totals["short"]["5m"].orders == 60
    assert view.other_totals["short"]["5m"].usd == pytest.approx(6e6)
    assert view.totals["short"]["5m"].orders == 60
    assert all(asset.short.totals["24h"].orders == 0 for asset in view.assets)
    assert view.orders_by_venue == {("alpha", "other"): 60}


# What must not change the alarms.


def test_orders_of_overlapping_connections_count_once() -> None:
    """Three connections that deliver the same orders raise what one of them raises."""
    market = cascade(warm_market()).go(180)
    expected = play(warm_engine(), market.entries)
    now_ns = market.entries[0].received_ns
    doubled: list[tape.Entry] = [
        tape.fact(now_ns, number, "alpha", FactKind.CONNECTED) for number in (3, 4)
    ]
    for entry in market.entries:
        doubled.append(entry)
        if isinstance(entry, Frame) and entry.connection == 1 and b'"order"' in entry.data:
            doubled += [Frame(entry.received_ns + k, k, entry.data) for k in (3, 4)]
    core = warm_engine()
    assert lines(play(core, doubled)) == lines(expected)
    assert paint(core).dropped["repeat"] == 2 * 120


def test_equal_orders_of_one_connection_all_count() -> None:
    """Two orders alike in everything are two orders when one connection delivers both."""
    market = warm_market().go(20, more=lambda at_ns: 2 * whale(at_ns, 0.5))
    core = warm_engine()
    play(core, market.entries)
    view = paint(core)
    assert view.assets[0].long.totals["1m"].orders == 40
    assert view.dropped.get("repeat", 0) == 0


def test_orders_without_a_price_are_known_again() -> None:
    """A price that is not known does not make the same order two orders."""
    core = warm_engine()
    market = warm_market()
    market.entries.append(tape.fact(market.now_ns, 3, "alpha", FactKind.CONNECTED))
    row = OrderRow("BTC-PERP", Position.LONG, market.now_ns, 1.0, None)
    market.entries += [frame(market.now_ns + k, k, row) for k in (1, 3)]
    play(core, market.entries)
    again = warm_engine()
    snapshot.restore(again, snapshot.take(core))
    later_ns = market.now_ns + 300 * NS
    other = OrderRow("BTC-PERP", Position.LONG, later_ns, 2.0, None)
    for one in (core, again):
        assert one.intake.repeats["alpha"].counts != {}
        play(one, [frame(later_ns, 1, other)])
        assert [key[3] for key in one.intake.repeats["alpha"].counts] == [2.0]
    assert paint(core).dropped["repeat"] == 1


@pytest.mark.parametrize("skew_s", [-2, 2])
def test_a_venue_clock_that_is_off_changes_no_alarm(skew_s: int) -> None:
    """Two seconds ahead or behind, the same states come at the same moments."""
    alarms = []
    for skew_ns in (0, skew_s * NS):
        market = warm_market()
        market.skew_ns = skew_ns
        cascade(market).go(1200)
        said = play(warm_engine(), market.entries)
        alarms.append([(v.kind, v.state, v.phase, v.detected_ns) for v in said])
    assert alarms[0] == alarms[1]
    assert [state for kind, state, *_ in alarms[0] if kind is Kind.CASCADE][-1] is State.EXHAUSTED


def test_a_venue_that_drops_out_is_named() -> None:
    """While a stream that should flow does not, verdicts say which one and bound their totals."""
    market = warm_market()
    market.silent.add("beta")
    market.go(61)
    market.go(120, drift=-1e-4, unwind=1e-4, forced=4.0)
    said = play(warm_engine(), market.entries)
    assert ONSET in states(said)
    assert {v.coverage.missing for v in said} == {("beta/main",)}
    assert all(v.coverage.lower_bound for v in said)
    assert LISTED["beta"][0].venue not in said[-1].evidence.venues
