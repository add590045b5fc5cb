import math
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.ladder import TABLE, Signals, fading, next_step
from monitor.detect.verdict import State
from tests.streams import examples
from tests.tape import SLOW

# The rules are held to these figures, not to the defaults.
P = msgspec.structs.replace(SLOW, notice_confirmers=2, building_confirmers=2)
NAN = math.nan
QUIET, NOTICE, BUILDING = State.QUIET, State.NOTICE, State.BUILDING
ONSET, CASCADING, EXHAUSTING = State.ONSET, State.CASCADING, State.EXHAUSTING
EXHAUSTED, FIZZLED, UNCONFIRMED = State.EXHAUSTED, State.FIZZLED, State.UNCONFIRMED
ENDED = (EXHAUSTED, FIZZLED, UNCONFIRMED)
# Every step there is; nothing else follows from anything.
STEPS = {
    QUIET: {ONSET, BUILDING, NOTICE},
    NOTICE: {ONSET, BUILDING, QUIET},
    BUILDING: {ONSET, QUIET},
    ONSET: {UNCONFIRMED, CASCADING, FIZZLED},
    CASCADING: {UNCONFIRMED, CASCADING, EXHAUSTING},
    EXHAUSTING: {UNCONFIRMED, CASCADING, EXHAUSTED},
    **{state: {ONSET, BUILDING, NOTICE, QUIET} for state in ENDED},
}
# Nothing happens, and everything is known.
CALM = Signals(
    level=0.0,
    on_second=True,
    confirmers=0,
    rate=5.0,
    rate_of_episode=0.10,
    forced=0.0,
    stay_s=0.0,
    quiet_s=0,
    calm_s=0,
    lulled=False,
    move_ratio=0.0,
    beyond_ratio=0.0,
    since_extreme_s=0.0,
    interest_change=0.0,
    interest_flat=False,
    fading_s=0,
    blind_s=0,
)


def target(state: State, **signals: Any) -> State | None:
    """Where a state leads when nothing happens but this; None when no step is taken."""
    step = next_step(state, msgspec.structs.replace(CALM, **signals), P)
    return None if step is None else step.target


def test_the_table_has_exactly_the_steps_of_the_ladder() -> None:
    """Sources and targets of the table's rows are those of the drawing, no more and no less."""
    found: dict[State, set[State]] = {state: set() for state in State}
    for step in TABLE:
        for source in step.sources:
            found[source].add(step.target)
    assert found == STEPS


@pytest.mark.parametrize("state", State)
def test_nothing_follows_from_nothing(state: State) -> None:
    """A calm moment leaves every state as it is."""
    assert target(state) is None


# Each row of the table: its sources, its target, what makes it hold, and what each part of
# that may be instead, one at a time, so that it no longer does.
ROWS: list[tuple[tuple[State, ...], State, dict[str, Any], dict[str, list[Any]]]] = [
    ((QUIET, NOTICE, BUILDING, *ENDED), ONSET, {"level": 6.0}, {"level": [5.99, NAN]}),
    (
        (QUIET, NOTICE, *ENDED),
        BUILDING,
        {"level": 4.0, "confirmers": 2},
        {"level": [3.99, NAN], "confirmers": [1, 0]},
    ),
    (
        (QUIET, *ENDED),
        NOTICE,
        {"level": 3.0, "confirmers": 2},
        {"level": [2.99, NAN], "confirmers": [1, 0]},
    ),
    (
        (NOTICE, BUILDING, *ENDED),
        QUIET,
        {"quiet_s": 600, "on_second": True},
        {"quiet_s": [599], "on_second": [False]},
    ),
    (
        (ONSET,),
        CASCADING,
        {"stay_s": 60.0, "forced": 10.0, "on_second": True},
        {"stay_s": [59.99], "forced": [9.99, NAN], "on_second": [False]},
    ),
    (
        (ONSET,),
        CASCADING,
        {"stay_s": 60.0, "move_ratio": 0.01},
        {"stay_s": [59.99], "move_ratio": [0.0099, -0.02, NAN]},
    ),
    (
        (ONSET,),
        CASCADING,
        {"stay_s": 60.0, "interest_change": -0.005},
        {"stay_s": [59.99], "interest_change": [-0.0049, 0.02, NAN]},
    ),
    (
        (ONSET,),
        FIZZLED,
        {"calm_s": 600, "on_second": True},
        {"calm_s": [599], "on_second": [False]},
    ),
    (
        (CASCADING,),
        EXHAUSTING,
        {"fading_s": 20, "on_second": True},
        {"fading_s": [19], "on_second": [False]},
    ),
    (
        (ONSET, CASCADING),
        CASCADING,
        {"level": 6.0, "lulled": True},
        {"level": [5.99, NAN], "lulled": [False]},
    ),
    ((EXHAUSTING,), CASCADING, {"level": 6.0}, {"level": [5.99, NAN]}),
    (
        (EXHAUSTING,),
        CASCADING,
        {"rate_of_episode": 0.15},
        {"rate_of_episode": [0.1499, NAN]},
    ),
    ((EXHAUSTING,), CASCADING, {"beyond_ratio": 0.1001}, {"beyond_ratio": [0.10, NAN]}),
    (
        (EXHAUSTING,),
        EXHAUSTED,
        {"since_extreme_s": 900.0, "rate": 0.99, "interest_flat": True, "on_second": True},
        {
            "since_extreme_s": [899.0, -1.0, NAN],
            "rate": [1.0, NAN],
            "interest_flat": [None, False],
            "on_second": [False],
        },
    ),
    (
        (ONSET, CASCADING, EXHAUSTING),
        UNCONFIRMED,
        {"blind_s": 3600, "on_second": True},
        {"blind_s": [3599], "on_second": [False]},
    ),
]
CASES = [
    pytest.param(source, to, holds, fails, id=f"{source}-{to}-{'-'.join(holds)}")
    for sources, to, holds, fails in ROWS
    for source in sources
]


@pytest.mark.parametrize(("source", "to", "holds", "fails"), CASES)
def test_a_step_is_taken_exactly_when_its_rule_holds(
    source: State, to: State, holds: dict[str, Any], fails: dict[str, list[Any]]
) -> None:
    """Every part of a rule is needed: at its bound it holds, just short of it it does not."""
    assert target(source, **holds) is to
    for name, values in fails.items():
        for value in values:
            assert target(source, **{**holds, name: value}) is not to, (name, value)


def _either(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


ANY = st.builds(
    Signals,
    level=_either(0.0, 2.99, 3.0, 3.99, 4.0, 5.99, 6.0, 99.0, NAN),
    on_second=st.booleans(),
    confirmers=st.integers(0, 5),
    rate=_either(0.0, 0.99, 1.0, 40.0, NAN),
    rate_of_episode=_either(0.0, 0.039, 0.04, 0.15, 1.0, math.inf, NAN),
    forced=_either(0.0, 9.99, 10.0, 500.0, NAN),
    stay_s=_either(0.0, 59.9, 60.0, 1e5),
    quiet_s=_either(0, 599, 600, 10_000),
    calm_s=_either(0, 599, 600, 10_000),
    lulled=st.booleans(),
    move_ratio=_either(-0.1, 0.0, 0.0099, 0.01, 0.2, NAN),
    beyond_ratio=_either(-1.0, 0.0, 0.10, 0.11, NAN),
    since_extreme_s=_either(-1.0, 0.0, 119.0, 120.0, 899.0, 900.0, NAN),
    interest_change=_either(-0.1, -0.005, -0.0049, 0.0, NAN),
    interest_flat=_either(True, False, None),
    fading_s=_either(0, 19, 20, 500),
    blind_s=_either(0, 3599, 3600, 9999),
)


def _by_the_notes(state: State, s: Signals) -> State | None:
    """The ladder once more, state by state, as the detection notes draw it."""
    if state in {ONSET, CASCADING, EXHAUSTING}:
        blind = s.on_second and s.blind_s >= 3600
        return UNCONFIRMED if blind else _within_an_episode(state, s)
    pressed = s.confirmers >= 2
    if s.level >= 6:
        return ONSET
    if state is not BUILDING and s.level >= 4 and pressed:
        return BUILDING
    if state not in {NOTICE, BUILDING} and s.level >= 3 and pressed:
        return NOTICE
    return QUIET if state is not QUIET and s.on_second and s.quiet_s >= 600 else None


def _within_an_episode(state: State, s: Signals) -> State | None:  # noqa: PLR0911 - a drawing
    filled = s.level >= 6
    if state is ONSET:
        strong = s.forced >= 10 or s.move_ratio >= 0.01 or s.interest_change <= -0.005
        if s.on_second and s.stay_s >= 60 and strong:
            return CASCADING
        if s.on_second and s.calm_s >= 600:
            return FIZZLED
        return CASCADING if s.lulled and filled else None
    if state is CASCADING:
        if s.lulled and filled:
            return CASCADING
        return EXHAUSTING if s.on_second and s.fading_s >= 20 else None
    if filled or s.rate_of_episode >= 0.15 or s.beyond_ratio > 0.10:
        return CASCADING
    over = s.since_extreme_s >= 900 and s.rate < 1 and s.interest_flat is True
    return EXHAUSTED if s.on_second and over else None


@given(signals=ANY)
@examples(300)
def test_the_table_reads_as_the_notes_do(signals: Signals) -> None:
    """Whatever the signals, each state leads where the notes say, and nowhere else."""
    for state in State:
        step = next_step(state, signals, P)
        assert (step.target if step else None) is _by_the_notes(state, signals)
        assert step is None or step.target in STEPS[state]


@given(signals=ANY)
@examples(200)
def test_unknown_open_interest_never_ends_an_episode_well(signals: Signals) -> None:
    """Silence is not safety: without fresh, flat open interest there is no EXHAUSTED."""
    for flat, state in product((None, False), State):
        blind = msgspec.structs.replace(signals, interest_flat=flat)
        step = next_step(state, blind, P)
        assert step is None or step.target is not EXHAUSTED


@given(signals=ANY, fields=st.sets(st.sampled_from(Signals.__struct_fields__)))
@examples(300)
def test_what_is_not_known_makes_no_step(signals: Signals, fields: set[str]) -> None:
    """Turning values into NaN opens no way that was shut, save by a row that then goes last."""
    reals = {name for name, kind in Signals.__annotations__.items() if kind is float}
    unknown = msgspec.structs.replace(signals, **dict.fromkeys(fields & reals, NAN))
    for state in State:
        taken = {s.target for s in TABLE if state in s.sources and s.rule(unknown, P)}
        before = {s.target for s in TABLE if state in s.sources and s.rule(signals, P)}
        assert taken <= before


@pytest.mark.parametrize(
    ("signals", "holds"),
    [
        ({}, True),
        ({"rate_of_episode": 0.04}, False),
        ({"rate_of_episode": NAN}, False),
        ({"since_extreme_s": 119.0}, False),
        ({"since_extreme_s": -1.0}, False),
        ({"interest_flat": None}, True),
        ({"interest_flat": False}, False),
    ],
)
def test_a_pause_is_little_flow_and_no_new_extreme(signals: dict[str, Any], holds: bool) -> None:
    """Unknown open interest does not stand in the way of the provisional call alone."""
    quiet = {"rate_of_episode": 0.039, "since_extreme_s": 120.0, "interest_flat": True}
    assert fading(msgspec.structs.replace(CALM, **{**quiet, **signals}), P) is holds


def test_levels_may_be_skipped_and_the_higher_one_wins() -> None:
    """From rest, a bucket at the building tier goes there at once, and onset before all."""
    assert target(QUIET, level=4.5, confirmers=3) is BUILDING
    assert target(QUIET, level=7.0, confirmers=5) is ONSET


def test_every_row_has_a_reason_of_its_own_kind() -> None:
    """Each step says in a sentence why it was taken."""
    reasons: dict[str, set[State]] = {}
    for step in TABLE:
        reasons.setdefault(step.reason, set()).add(step.target)
    assert all(len(targets) == 1 and len(reason) > 20 for reason, targets in reasons.items())


def test_another_wave_begins_where_forced_flow_comes_back() -> None:
    """A bucket that is full again after a lull or a pause is another wave; nothing else is."""
    waves = {
        (source, step.target, step.rule.__name__)
        for step in TABLE
        if step.wave
        for source in step.sources
    }
    assert waves == {
        (ONSET, CASCADING, "_filled_after_lull"),
        (CASCADING, CASCADING, "_filled_after_lull"),
        (EXHAUSTING, CASCADING, "_onset"),
    }
