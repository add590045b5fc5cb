"""What came of a demo: its episodes, and whether it counts as a success."""

import msgspec
import pytest

from monitor.demo.outcome import Episode, Episodes, Forced, Outcome, Step, why_not
from monitor.demo.venues import Truth
from monitor.detect.verdict import Kind, Phase, State, Verdict
from monitor.events import Position
from tests import samples

OPENED_NS = 1_000_000_000_000
TRUTH = Truth("BTC", "long", onset_time_ms=1_100_000, end_time_ms=1_543_000, forced_usd=4e8)
WHOLE = "QUIET NOTICE BUILDING ONSET CASCADING EXHAUSTING EXHAUSTED"


def verdict(
    state: State,
    previous: State,
    at_s: int,
    kind: Kind,
    phase: Phase,
    position: Position = Position.LONG,
) -> Verdict:
    """A change of state of BTC at a second."""
    made = samples.verdict(f"BTC-{position}-{kind}-{at_s}-{phase}")
    return msgspec.structs.replace(
        made,
        episode_id=f"BTC-{position}-{kind}",
        state=state,
        previous_state=previous,
        event_ns=at_s * 1_000_000_000,
        kind=kind,
        phase=phase,
        position=position,
        evidence=msgspec.structs.replace(made.evidence, forced_usd=at_s * 1e5),
    )


def cascade() -> list[Verdict]:
    """All that is said of a cascade, from its first pressure to its end."""
    s, k, p = State, Kind, Phase
    return [
        verdict(s.NOTICE, s.QUIET, 1150, k.PRESSURE, p.START),
        verdict(s.BUILDING, s.NOTICE, 1160, k.PRESSURE, p.UPDATE),
        verdict(s.ONSET, s.BUILDING, 1180, k.PRESSURE, p.END),
        verdict(s.ONSET, s.BUILDING, 1180, k.CASCADE, p.START),
        verdict(s.CASCADING, s.ONSET, 1240, k.CASCADE, p.UPDATE),
        verdict(s.EXHAUSTING, s.CASCADING, 1640, k.CASCADE, p.UPDATE),
        verdict(s.EXHAUSTED, s.EXHAUSTING, 2400, k.CASCADE, p.END),
    ]


def told(verdicts: list[Verdict]) -> tuple[Episode, ...]:
    """The episodes that follow from these, beside the truth."""
    episodes = Episodes(OPENED_NS)
    for said in verdicts:
        episodes.take(said)
    return episodes.told((TRUTH,))


def outcome(*episodes: Episode) -> Outcome:
    """The figures of a run with these episodes."""
    return Outcome(7, 3000, 400_000, 5000, 0, episodes, 7, 7)


def episode(states: str) -> Episode:
    """An episode that went through these states."""
    steps = tuple(Step(State(name), 1000 * k) for k, name in enumerate(states.split()))
    return Episode("BTC-long-x", "BTC", Position.LONG, steps, 1e8)


def test_an_episode_begins_with_the_pressure_before_it() -> None:
    """An episode tells every state with its time, its pressure's first, beside the truth."""
    (only,) = told(cascade())
    assert only.id == "BTC-long-cascade"
    assert [(step.state.value, step.event_time_ms) for step in only.states] == [
        ("QUIET", 1_000_000),
        ("NOTICE", 1_150_000),
        ("BUILDING", 1_160_000),
        ("ONSET", 1_180_000),
        ("CASCADING", 1_240_000),
        ("EXHAUSTING", 1_640_000),
        ("EXHAUSTED", 2_400_000),
    ]
    assert only.forced_usd == 2.4e8
    assert only.truth == Forced(1_100_000, 1_543_000, 4e8)


def test_pressure_that_passes_is_no_episode() -> None:
    """Pressure that drains away is forgotten, and is not told with a later onset."""
    passed = [
        verdict(State.NOTICE, State.QUIET, 1010, Kind.PRESSURE, Phase.START),
        verdict(State.QUIET, State.NOTICE, 1020, Kind.PRESSURE, Phase.END),
    ]
    assert told(passed) == ()
    assert told(passed + cascade()) == told(cascade())


def test_an_onset_without_pressure_tells_where_it_came_from() -> None:
    """An onset that skipped the lower tiers begins with the state it came from."""
    (only,) = told([verdict(State.ONSET, State.QUIET, 1180, Kind.CASCADE, Phase.START)])
    assert [step.state for step in only.states] == [State.QUIET, State.ONSET]


def test_what_was_open_before_goes_on() -> None:
    """Pressure and an episode that were open before the demo are told from where they stood."""
    (risen,) = told(cascade()[1:])
    assert [step.state.value for step in risen.states] == WHOLE.split()[1:]
    (wave,) = told(cascade()[4:])
    assert [step.state.value for step in wave.states] == WHOLE.split()[3:]
    assert wave.onset_time_ms == OPENED_NS // 1_000_000
    assert told(cascade()[2:3] + cascade()[3:]) == told(cascade()[3:])
    assert told([verdict(State.QUIET, State.NOTICE, 1020, Kind.PRESSURE, Phase.END)]) == ()


@pytest.mark.parametrize(
    ("position", "at_s"), [(Position.SHORT, 1180), (Position.LONG, 1030), (Position.LONG, 1600)]
)
def test_no_truth_behind_another_episode(position: Position, at_s: int) -> None:
    """Another position, and an onset outside the cascade, have no truth behind them."""
    start = verdict(State.ONSET, State.QUIET, at_s, Kind.CASCADE, Phase.START, position)
    assert [found.truth for found in told([start])] == [None]


@pytest.mark.parametrize(
    "states", [WHOLE, WHOLE.replace("EXHAUSTED", "CASCADING EXHAUSTING EXHAUSTED")]
)
def test_a_whole_episode_is_a_success(states: str) -> None:
    """An episode through every state to EXHAUSTED is a success, in one wave or more."""
    assert why_not(outcome(episode("QUIET ONSET FIZZLED"), episode(states)), (), ()) == ""


@pytest.mark.parametrize(
    "states",
    [
        "QUIET NOTICE BUILDING ONSET CASCADING EXHAUSTING",
        "QUIET NOTICE BUILDING ONSET CASCADING UNCONFIRMED",
        "QUIET ONSET CASCADING EXHAUSTING EXHAUSTED",
    ],
)
def test_an_episode_that_lacks_a_state_is_a_failure(states: str) -> None:
    """An episode that ended otherwise, or left a state out, fails and is told in one line."""
    why = why_not(outcome(episode(states)), (), ())
    assert why == f"expected an episode from QUIET through to EXHAUSTED, was: BTC long: {states}"


def test_no_episode_is_a_failure() -> None:
    """A run without any episode fails."""
    assert why_not(outcome(), (), ()).endswith("was: no episode")


def test_a_lost_alert_is_a_failure() -> None:
    """An alert that was not published, or not received, fails a run that is else a success."""
    found = outcome(episode(WHOLE))
    assert why_not(found, {"a-1"}, ()) == (
        "expected every published alert to be received, 1 (a-1) were not"
    )
    assert why_not(found, (), {"a-4", "a-3", "a-2", "a-1"}) == (
        "expected every alert to be published, 4 (a-1, a-2, a-3, ...) were not"
    )
