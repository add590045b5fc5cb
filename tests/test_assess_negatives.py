import pytest

from monitor.assess.months import Alarm, Injection, injection
from monitor.assess.negatives import Verdicts, negatives
from monitor.assess.truth import month_episodes
from monitor.simulate.negatives import Negative, NegativeKind
from tests.months import Sketch


def told(sketch: Sketch) -> dict[str, Verdicts]:
    """What a month's injections did."""
    month = sketch.month()
    return negatives(month, month_episodes(month), month.alarms["ONSET"])


@pytest.mark.parametrize(("detected", "raised"), [(4_999, 0), (5_000, 1), (5_610, 1), (5_611, 0)])
def test_an_onset_until_ten_minutes_after_is_held_against_it(detected: int, raised: int) -> None:
    """The time of an injection is from its start to ten minutes after its end."""
    sketch = Sketch().injected("whale", 0, 5_000, 5_010).alarm(0, detected, 6_500)
    assert told(sketch) == {"whale": Verdicts(1, 0, raised)}


def test_either_ladder_of_the_asset_may_raise_it_but_no_other() -> None:
    """An injection is an asset's; what another asset's ladders do is not its doing."""
    sketch = Sketch(assets=2).injected("whale", 1, 5_000, 5_010)
    assert told(sketch.alarm(0, 5_005, 6_000))["whale"].raised == 0
    assert told(sketch.alarm(3, 5_005, 6_000))["whale"].raised == 1


def test_two_onsets_of_one_injection_are_one() -> None:
    """It is injections that are counted, not alarms."""
    sketch = Sketch().injected("whale", 0, 5_000, 5_010)
    sketch.alarm(0, 5_005, 5_300).alarm(1, 5_400, 5_900)
    assert told(sketch) == {"whale": Verdicts(1, 0, 1)}


@pytest.mark.parametrize("tier", ["NOTICE", "BUILDING"])
def test_lower_tiers_raise_nothing(tier: str) -> None:
    """Only an ONSET is held against a hard negative."""
    sketch = Sketch().injected("whale", 0, 5_000, 5_010).alarm(0, 5_005, 6_000, tier)
    assert told(sketch) == {"whale": Verdicts(1, 0, 0)}


def test_an_onset_that_a_true_episode_explains_leaves_the_injection_out() -> None:
    """Where the market itself cascaded there was no negative."""
    sketch = Sketch().injected("venue_down", 0, 5_000, 5_600).cascade(0, 5_200, 100, 0.02)
    assert told(sketch.alarm(0, 5_250, 6_000)) == {"venue_down": Verdicts(1, 1, 0)}
    early = Sketch().injected("venue_down", 0, 5_000, 5_600).cascade(0, 5_200, 100, 0.02)
    assert told(early.alarm(0, 5_100, 6_000)) == {"venue_down": Verdicts(1, 1, 0)}


def test_an_onset_beside_a_true_episode_is_still_held_against_it() -> None:
    """An alarm of the other ladder, or over before the episode, is not explained by it."""
    for ladder, detected, ended in ((1, 5_250, 6_000), (0, 5_050, 5_100)):
        sketch = Sketch().injected("side_flip", 0, 5_000, 5_600).cascade(0, 5_200, 100, 0.02)
        sketch.alarm(ladder, detected, ended)
        assert told(sketch) == {"side_flip": Verdicts(1, 0, 1)}


def test_a_small_episode_explains_nothing() -> None:
    """Forced flow below 0.3 % neither excuses an alarm nor leaves an injection out."""
    sketch = Sketch().injected("whale", 0, 5_000, 5_600).cascade(0, 5_200, 100, 0.002)
    assert told(sketch.alarm(0, 5_250, 6_000)) == {"whale": Verdicts(1, 0, 1)}


def test_kinds_are_counted_apart() -> None:
    """Each kind has its own injections."""
    sketch = Sketch().injected("whale", 0, 5_000, 5_010).injected("whale", 0, 9_000, 9_010)
    sketch.injected("duplicates", 0, 13_000, 13_120).alarm(0, 9_000, 9_500)
    assert told(sketch) == {"whale": Verdicts(2, 0, 1), "duplicates": Verdicts(1, 0, 0)}


def test_an_injection_of_the_simulation_is_told_in_seconds_of_the_month() -> None:
    """Market seconds become seconds of the month, and the end the last second itself."""
    made = Negative(NegativeKind.WHALE, 1_700_000_100, 3, asset=2, size=0.002)
    assert injection(made, 1_700_000_000) == Injection("whale", 2, 100, 102)


def test_what_comes_without_the_injection_too_is_not_its_doing() -> None:
    """An ONSET of the same ladder within ten minutes in the untroubled month leaves it out."""
    sketch = Sketch().injected("frozen_interest", 0, 5_000, 5_600).alarm(0, 5_700, 6_500)
    month = sketch.month()
    for other, left_out, raised in (
        (Alarm(0, 6_300, 6_400), 1, 0),
        (Alarm(0, 6_301, 6_400), 0, 1),
        (Alarm(1, 5_700, 6_500), 0, 1),
    ):
        found = negatives(month, month_episodes(month), month.alarms["ONSET"], without=(other,))
        assert found == {"frozen_interest": Verdicts(1, left_out, raised)}
