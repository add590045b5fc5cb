"""What becomes of an open episode, and of the totals, when nothing is heard for long."""

import math

from monitor.detect.engine import CATCH_UP_S
from monitor.detect.picture import paint
from monitor.detect.verdict import Kind, Phase, State
from monitor.events import FactKind, Position
from tests import tape
from tests.stand_in import OrderRow
from tests.tape import NS, cascade, fact, frame, play, pressing, warm_engine, warm_market

LONG = Position.LONG


def test_a_short_pause_is_lived_through_second_by_second() -> None:
    """Two hours without an entry are two hours of seconds: an open episode goes blind."""
    market = cascade(warm_market())
    core = warm_engine()
    play(core, market.entries)
    core.advance(market.now_ns + (CATCH_UP_S - 60) * NS)
    said = core.drain()
    assert [v.state for v in said] == [State.UNCONFIRMED]
    assert said[0].detected_ns < market.now_ns + 3700 * NS


def test_a_long_pause_ends_an_open_episode() -> None:
    """Observation lost for longer than two hours cannot confirm anything."""
    market = cascade(warm_market())
    core = warm_engine()
    before = play(core, market.entries)
    later_ns = market.now_ns + 3 * 3600 * NS + 5
    core.fact(fact(later_ns, 0, "", FactKind.STARTED))
    (end,) = core.drain()
    assert (end.state, end.phase, end.kind) == (State.UNCONFIRMED, Phase.END, Kind.CASCADE)
    assert end.episode_id == before[-1].episode_id
    assert end.reason == "observation was interrupted for too long"
    assert end.detected_ns == later_ns - 5
    view = paint(core)
    assert view.assets[0].long.totals["1h"].orders == 0
    assert view.assets[0].long.totals["24h"].orders == 240
    assert view.assets[0].long.pressure_ratio == 0.0
    assert math.isnan(view.assets[0].price)


def test_a_long_pause_ends_pressure_quietly() -> None:
    """A notice that nobody watched any more is over, and ladders at rest say nothing."""
    market = pressing(warm_market(), 16)
    core = warm_engine()
    (notice,) = play(core, market.entries)
    core.advance(market.now_ns + 3 * 3600 * NS)
    (end,) = core.drain()
    assert (end.state, end.phase, end.episode_id) == (State.QUIET, Phase.END, notice.episode_id)


def test_an_ended_episode_is_not_ended_again() -> None:
    """After EXHAUSTED a long pause returns the ladder to rest without a word."""
    core = tape.engine()
    play(core, tape.whole_episode())
    assert [ladder.state for ladder in core.judge.ladders[:1]] == [State.EXHAUSTED]
    core.advance((tape.START_S + 5 * 3600) * NS)
    assert core.drain() == []
    assert core.judge.ladders[0].state is State.QUIET


def test_after_a_pause_the_moment_before_confirms_nothing() -> None:
    """In the first second after a long pause nothing of the market is known yet."""
    core, market = warm_engine(), cascade(warm_market())
    play(core, market.entries)
    later_ns = market.now_ns + 4 * 3600 * NS
    orders = [OrderRow("BTC-PERP", LONG, later_ns, 4.5, 60_000.0 + k) for k in range(2)]
    play(core, [frame(later_ns, 1, *orders)])
    found = paint(core).assets[0]
    assert (found.long.evaluable, found.long.confirmers) == (0, ())
    assert math.isnan(found.open_interest_age_s)
    assert found.open_interest_event_ns == 0


def test_a_pause_of_days_leaves_no_window() -> None:
    """Beyond a day nothing is left of any window, at once."""
    core, market = warm_engine(), cascade(warm_market())
    play(core, market.entries)
    core.advance(market.now_ns + 3 * 86_400 * NS)
    assert not core.arrays.sums["orders"].any()
    assert not core.arrays.seconds["orders"].any()
    assert not core.arrays.minutes["orders"].any()


def test_totals_survive_a_pause_of_hours_to_the_minute() -> None:
    """What a pause of hours leaves in the day's windows is what time would have left."""
    market = cascade(warm_market())
    lived, jumped = warm_engine(), warm_engine()
    for core in (lived, jumped):
        play(core, market.entries)
    end_ns = market.now_ns + 4 * 3600 * NS
    for second in range(0, 4 * 3600, 600):
        lived.advance(market.now_ns + second * NS)
    lived.advance(end_ns)
    jumped.advance(end_ns)
    assert lived.arrays.sums.tobytes() == jumped.arrays.sums.tobytes()
