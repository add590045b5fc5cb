import numpy as np
import pytest

from kernels import scoring
from monitor.assess import rewave
from monitor.assess.rewave import CALLED, HOLDS_S, MISSED, OVERTAKEN, Ends
from monitor.assess.score import score
from tests.months import Sketch


def ends(sketch: Sketch) -> Ends:
    """How a month's endings are judged."""
    return score(sketch.month()).ends


def called(second: int = 11_000, detected: int = 10_020) -> Sketch:
    """A cascade of longs from 10000 to 10099, its ONSET, and the call that it is over."""
    sketch = Sketch(seconds=30_000).cascade(0, 10_000, 100, 0.02)
    return sketch.alarm(0, detected, second).ending(0, detected, second)


@pytest.mark.parametrize(
    ("onset", "share", "expected"),
    [
        (11_500, 0.0051, 1),
        (11_500, 0.0049, 0),
        (12_795, 0.0051, 0),
        (12_801, 0.1, 0),
        (10_998, 0.5, 1),
    ],
)
def test_another_wave_is_a_quarter_within_half_an_hour(
    onset: int, share: float, expected: int
) -> None:
    """Only flow of the 1800 seconds after the call counts, against that up to the call."""
    sketch = called().cascade(0, onset, 10, share)
    (call,) = ends(sketch).calls
    assert call["rewave"] == expected


def test_flow_is_counted_from_the_true_onset() -> None:
    """An alarm half-way does not halve what another wave is measured against."""
    (call,) = ends(called(detected=10_050).cascade(0, 11_500, 10, 0.004)).calls
    assert call["rewave"] == 0


def test_outside_true_episodes_flow_is_counted_from_the_alarm() -> None:
    """A false alarm's call is measured by what was forced since the alarm."""
    sketch = Sketch().alarm(0, 10_200, 11_000).ending(0, 10_200, 11_000)
    sketch.cascade(0, 10_000, 100, 0.02).cascade(0, 11_500, 10, 0.0001)
    (call,) = ends(sketch).calls
    assert (call["rewave"], call["rank"]) == (1, scoring.SMALL)


def test_the_other_ladder_s_flow_is_no_wave() -> None:
    """Shorts that are forced after the longs' end are another matter."""
    (call,) = ends(called().cascade(1, 11_500, 10, 0.02)).calls
    assert call["rewave"] == 0


def test_a_call_without_its_half_hour_is_left_out() -> None:
    """What the month does not hold cannot be judged."""
    assert len(ends(called(second=28_199)).calls) == 1
    assert len(ends(called(second=28_200)).calls) == 0


def test_a_call_knows_its_size_its_age_and_its_chance() -> None:
    """The largest episode it ended, the seconds since the extreme, and what was published."""
    (call,) = ends(called()).calls
    assert call["rank"] == scoring.POSITIVE
    assert call["age_s"] == 11_000 - 10_099
    assert call["probability"] == 0.2
    assert (call["final"], call["hold_s"]) == (1, 0)


def test_endings_are_counted_by_name_and_only_exhausted_is_a_call() -> None:
    """FIZZLED and UNCONFIRMED say nothing about another wave."""
    sketch = called().ending(0, 15_000, 16_000, "FIZZLED").ending(0, 18_000, 19_000, "FIZZLED")
    found = ends(sketch.ending(1, 18_000, 19_000, "UNCONFIRMED"))
    assert found.endings == {"EXHAUSTED": 1, "FIZZLED": 2, "UNCONFIRMED": 1}
    assert len(found.calls) == 1


def test_a_pause_is_a_call_that_is_not_final() -> None:
    """EXHAUSTING is judged by what comes after it, but ends nothing."""
    found = ends(called().ending(0, 10_020, 10_300, "EXHAUSTING", 0.5).cascade(0, 10_500, 9, 0.01))
    assert [(c["final"], c["rewave"]) for c in found.calls] == [(1, 0), (0, 1)]
    assert found.endings == {"EXHAUSTED": 1}


def test_an_episode_from_before_the_month_is_not_judged() -> None:
    """Its flow is not known from the start."""
    sketch = Sketch().cascade(0, 0, 100, 0.02).ending(0, -500, 1_000)
    assert len(ends(sketch).calls) == 0


def fate(sketch: Sketch) -> list[tuple[int, int]]:
    """(fate, lag) of the alarmed cascades."""
    return [(int(row["fate"]), int(row["lag_s"])) for row in ends(sketch).fates]


def test_an_alarmed_cascade_is_called_behind_its_end() -> None:
    """The lag is from the last second of forced flow to the call."""
    assert fate(called()) == [(CALLED, 11_000 - 10_099)]


def test_a_call_too_early_tells_only_when_none_comes_after() -> None:
    """The first call after the end counts; without one the last before it."""
    sketch = called(second=10_060)
    assert fate(sketch) == [(CALLED, 10_060 - 10_099)]
    assert fate(sketch.ending(0, 10_070, 12_000)) == [(CALLED, 12_000 - 10_099)]


@pytest.mark.parametrize(("second", "expected"), [(17_299, CALLED), (17_300, MISSED)])
def test_a_call_must_come_within_two_hours(second: int, expected: int) -> None:
    """Later than two hours behind the true end it is missed."""
    assert [found for found, _ in fate(called(second=second))] == [expected]


def test_an_episode_that_fizzled_or_was_not_confirmed_was_missed() -> None:
    """Only EXHAUSTED calls the end of a cascade."""
    sketch = Sketch(seconds=30_000).cascade(0, 10_000, 100, 0.02).alarm(0, 10_020, 11_000)
    assert fate(sketch.ending(0, 10_020, 11_000, "FIZZLED")) == [(MISSED, 0)]


def test_a_cascade_overtaken_by_another_is_left_out() -> None:
    """Before the next episode there was no call, and rightly so; a call before it counts."""
    sketch = Sketch(seconds=30_000).cascade(0, 10_000, 100, 0.02).cascade(0, 12_000, 100, 0.005)
    assert fate(sketch.alarm(0, 10_020, 14_000).ending(0, 10_020, 14_000)) == [(OVERTAKEN, 0)]
    assert fate(called().cascade(0, 12_000, 100, 0.005)) == [(CALLED, 901)]


def test_a_cascade_whose_two_hours_the_month_does_not_hold_is_left_out() -> None:
    """The month's end is as good as another episode."""
    sketch = Sketch(seconds=12_000).cascade(0, 10_000, 100, 0.02).alarm(0, 10_020, 12_000)
    assert fate(sketch) == [(OVERTAKEN, 0)]


def test_minor_and_missed_cascades_have_no_fate() -> None:
    """Only cascades with an ONSET can miss their end."""
    sketch = Sketch(seconds=30_000).cascade(0, 10_000, 100, 0.005).alarm(0, 10_020, 10_900)
    assert fate(sketch.cascade(0, 20_000, 100, 0.02)) == []


def test_research_calls_come_when_the_extreme_is_old_enough() -> None:
    """After each ONSET every hold calls so long after the extreme, and is judged alike."""
    sketch = Sketch(seconds=30_000).cascade(0, 10_000, 100, 0.02).alarm(0, 10_020, 12_000)
    sketch.cascade(0, 11_000, 100, 0.01, move=0.01)
    research = ends(sketch).research
    assert research["hold_s"].tolist() == list(HOLDS_S)
    assert research["age_s"].tolist() == list(HOLDS_S)
    # Calls before the second wave, and those after it.
    assert research["rewave"].tolist() == [int(hold_s <= 900) for hold_s in HOLDS_S]


def test_without_an_alarm_there_is_nothing_to_hold() -> None:
    """A month in which nothing was said has no calls and no fates."""
    found = ends(Sketch().cascade(0, 10_000, 100, 0.02))
    assert (len(found.calls), len(found.research), len(found.fates)) == (0, 0, 0)
    assert found.endings == {}


def test_calls_belong_to_their_asset() -> None:
    """Rows know whose symbol-month they are."""
    sketch = Sketch(seconds=30_000, assets=2).cascade(3, 10_000, 100, 0.02)
    found = ends(sketch.alarm(3, 10_020, 11_000).ending(3, 10_020, 11_000))
    assert found.calls["asset"].tolist() == [1]
    assert found.fates["asset"].tolist() == [1]
    assert set(found.research["asset"].tolist()) == {1}


def test_the_horizon_and_the_ratio_are_those_of_the_gate() -> None:
    """A quarter of the flow so far, half an hour, holds from two minutes to thirty."""
    assert (rewave.WAVE_RATIO, rewave.HORIZON_S) == (0.25, 1800)
    assert (HOLDS_S[0], HOLDS_S[-1]) == (120, 1800)
    assert np.all(np.diff(HOLDS_S) > 0)
