import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.episodes import SEVERITY, Ladder, Message, enter
from monitor.detect.ladder import TABLE
from monitor.detect.verdict import Kind, Phase, Severity, State
from monitor.events import Position
from tests.streams import examples

NS = 1_000_000_000
HOUR_NS = 3600 * NS
AT_NS = 1_700_000_000 * NS + 123_456_789
STAMP = "20231114T221320.123Z"
NAN = math.nan


def ladder(position: Position = Position.LONG) -> Ladder:
    """A ladder at rest."""
    return Ladder("BTC", position)


def lived(found: Ladder, *states: State, at_ns: int = AT_NS) -> list[Message]:
    """What is said while a ladder goes through these states, a minute apart."""
    said = []
    for number, state in enumerate(states):
        moment_ns = at_ns + 60 * NS * number
        said += enter(found, state, moment_ns, moment_ns + NS, 72 * HOUR_NS)
    return said


def told(messages: list[Message]) -> list[tuple[str, Phase, Kind]]:
    """Id, phase and kind of each message."""
    return [(m.id, m.phase, m.kind) for m in messages]


def test_a_whole_episode_is_a_pressure_alert_and_a_cascade() -> None:
    """Pressure starts, goes on and ends where the cascade starts; the cascade ends exhausted."""
    pressure, cascade = f"BTC-long-pressure-{STAMP}", "BTC-long-20231114T221520.123Z"
    said = lived(
        ladder(),
        State.NOTICE,
        State.BUILDING,
        State.ONSET,
        State.CASCADING,
        State.EXHAUSTING,
        State.EXHAUSTED,
        State.QUIET,
    )
    assert told(said) == [
        (f"{pressure}-1", Phase.START, Kind.PRESSURE),
        (f"{pressure}-2", Phase.UPDATE, Kind.PRESSURE),
        (f"{pressure}-3", Phase.END, Kind.PRESSURE),
        (f"{cascade}-1", Phase.START, Kind.CASCADE),
        (f"{cascade}-2", Phase.UPDATE, Kind.CASCADE),
        (f"{cascade}-3", Phase.UPDATE, Kind.CASCADE),
        (f"{cascade}-4", Phase.END, Kind.CASCADE),
    ]
    assert [m.episode_id for m in said] == [pressure] * 3 + [cascade] * 4


def test_pressure_that_eases_ends_its_alert() -> None:
    """From NOTICE back to QUIET is a start and an end of one alert, and nothing stays open."""
    found = ladder(Position.SHORT)
    said = lived(found, State.NOTICE, State.QUIET)
    assert [m.phase for m in said] == [Phase.START, Phase.END]
    assert {m.episode_id for m in said} == {f"BTC-short-pressure-{STAMP}"}
    assert (found.alert_id, found.state) == ("", State.QUIET)


def test_ids_are_made_of_data_alone() -> None:
    """The same states at the same event times have the same ids, whenever they were detected."""
    one, other = ladder(), ladder()
    assert enter(one, State.ONSET, AT_NS, AT_NS, 0) == enter(other, State.ONSET, AT_NS, 7, 0)
    assert (one.since_ns, other.since_ns) == (AT_NS, 7)


def test_a_step_that_begins_a_wave_counts_it() -> None:
    """A wave is one more of the same episode, from whichever state its step comes."""
    found = ladder()
    said = lived(found, State.ONSET, State.CASCADING)
    assert found.wave == 1
    said += enter(found, State.CASCADING, AT_NS, AT_NS, 0, wave=True)
    assert found.wave == 2
    said += lived(found, State.EXHAUSTING)
    assert found.wave == 2
    said += enter(found, State.CASCADING, AT_NS, AT_NS, 0, wave=True)
    assert found.wave == 3
    assert len({m.episode_id for m in said}) == 1
    assert [m.phase for m in said] == [Phase.START, *[Phase.UPDATE] * 4]


def test_a_wave_ends_its_lull() -> None:
    """What a wave has answered is over: the next wave needs a lull of its own."""
    found = ladder()
    lived(found, State.ONSET)
    found.lulled = True
    enter(found, State.CASCADING, AT_NS, AT_NS, 0, wave=True)
    assert not found.lulled


def test_a_revoked_pause_is_a_lull() -> None:
    """The bucket is empty since the pause: when it fills after all, that is another wave."""
    found = ladder()
    lived(found, State.ONSET, State.CASCADING, State.EXHAUSTING)
    assert not found.lulled
    lived(found, State.CASCADING)
    assert found.lulled
    assert found.wave == 1


@pytest.mark.parametrize("ended", [State.EXHAUSTED, State.FIZZLED, State.UNCONFIRMED])
@pytest.mark.parametrize(("hours", "follows"), [(72, True), (73, False)])
def test_a_later_onset_follows_an_episode_of_the_last_three_days(
    ended: State, hours: int, follows: bool
) -> None:
    """It is a new episode with an id and a first wave of its own, that names the earlier one."""
    found = ladder()
    (first, *_) = lived(found, State.ONSET, ended)
    later_ns = AT_NS + 60 * NS + hours * HOUR_NS
    (second,) = enter(found, State.ONSET, later_ns, later_ns, 72 * HOUR_NS)
    assert second.episode_id != first.episode_id
    assert found.follows == (first.episode_id if follows else "")
    assert found.wave == 1


def test_a_first_onset_follows_nothing() -> None:
    """Where there was no episode before, none is named."""
    found = ladder()
    enter(found, State.ONSET, HOUR_NS, HOUR_NS, 72 * HOUR_NS)
    assert found.follows == ""


def test_every_change_of_state_starts_its_holds_anew() -> None:
    """Seconds counted towards one step do not count towards the next."""
    found = ladder()
    found.quiet_s = found.calm_s = found.fading_s = 5
    lived(found, State.NOTICE)
    assert (found.quiet_s, found.calm_s, found.fading_s) == (0, 0, 0)


def test_blindness_lasts_over_the_states_of_an_episode() -> None:
    """Only what can be judged, or a new episode, ends the count of blind seconds."""
    found = ladder()
    found.blind_s = 9
    lived(found, State.ONSET)
    assert found.blind_s == 0
    found.blind_s = 9
    lived(found, State.CASCADING, State.EXHAUSTING, State.CASCADING)
    assert found.blind_s == 9


@given(choices=st.lists(st.integers(0, 11), max_size=40))
@examples(200)
def test_message_ids_are_never_said_twice(choices: list[int]) -> None:
    """However a ladder is walked, each message has an id of its own that names its alert."""
    found, said = ladder(), []
    for number, choice in enumerate(choices):
        ways = [step.target for step in TABLE if found.state in step.sources]
        moment_ns = AT_NS + number * NS
        said += enter(found, ways[choice % len(ways)], moment_ns, moment_ns, 72 * HOUR_NS)
    assert len({m.id for m in said}) == len(said)
    assert all(m.episode_id and m.id.startswith(f"{m.episode_id}-") for m in said)
    phases = {m.episode_id: [n.phase for n in said if n.episode_id == m.episode_id] for m in said}
    for lived_through in phases.values():
        assert lived_through[0] is Phase.START
        assert {Phase.START, Phase.END}.isdisjoint(lived_through[1:-1])


def test_severity_is_highest_while_it_falls() -> None:
    """A cascade is critical; pressure and pauses warn; rest and good ends are notices."""
    assert {severity: {s for s in State if SEVERITY[s] is severity} for severity in Severity} == {
        Severity.CRITICAL: {State.ONSET, State.CASCADING},
        Severity.WARNING: {State.BUILDING, State.EXHAUSTING, State.UNCONFIRMED},
        Severity.NOTICE: {State.QUIET, State.NOTICE, State.EXHAUSTED, State.FIZZLED},
    }


@pytest.mark.parametrize(
    ("position", "prices", "adverse", "extreme", "since_s"),
    [
        (Position.LONG, [100.0, 98.0, 99.0, 99.0], 0.01, 0.02, 2),
        (Position.SHORT, [100.0, 98.0, 103.0], 0.03, 0.03, 0),
        (Position.LONG, [100.0, 101.0], -0.01, 0.0, 1),
    ],
)
def test_moves_are_measured_in_the_forced_direction(
    position: Position, prices: list[float], adverse: float, extreme: float, since_s: int
) -> None:
    """Down counts for closed longs and up for closed shorts; the extreme is the furthest."""
    found = ladder(position)
    for price in prices:
        found.see_price(price)
    assert found.adverse == pytest.approx(adverse)
    assert found.extreme == pytest.approx(extreme)
    assert found.since_extreme_s == since_s


def test_the_steepest_slope_is_the_most_negative() -> None:
    """Rises, flat stretches and unknown slopes leave the steepest fall as it was."""
    found = ladder()
    for slope in (NAN, 1e-4, 0.0):
        found.see_slope(slope)
    assert math.isnan(found.steepest)
    for slope in (-1e-5, -3e-5, -2e-5, NAN):
        found.see_slope(slope)
    assert found.steepest == -3e-5


@pytest.mark.parametrize(
    ("paused", "extreme", "beyond"),
    [(0.02, 0.025, 0.25), (0.0, 0.0005, 0.5), (0.0004, 0.0005, 0.1), (0.02, 0.02, 0.0)],
)
def test_how_far_beyond_is_measured_in_ranges(
    paused: float, extreme: float, beyond: float
) -> None:
    """A new extreme is compared with the range at the pause, or a tenth of a percent."""
    found = ladder()
    found.pause_extreme, found.extreme = paused, extreme
    assert found.beyond_ratio == pytest.approx(beyond)


def test_without_a_known_pause_nothing_is_beyond() -> None:
    """Where no extreme was known at the pause, no new one can be told."""
    assert math.isnan(ladder().beyond_ratio)
