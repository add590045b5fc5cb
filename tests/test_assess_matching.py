import numpy as np
import pytest

from kernels import scoring
from monitor.assess.alarms import ONSET, TIERS
from monitor.assess.matching import Outcome, joined, ladder_of, meet, raised
from monitor.assess.months import Month
from monitor.assess.truth import month_episodes
from tests.months import Sketch


def met(month: Month) -> Outcome:
    """A month's alarms against its episodes."""
    episodes = month_episodes(month)
    said = [month.alarms[tier] for tier in TIERS]
    return joined(
        [meet(ladder_of(month, k, episodes), raised(said, k)) for k in range(2 * month.assets)]
    )


def one(share: float = 0.02) -> Sketch:
    """A month with one cascade, seconds 10000 to 10099 of the longs."""
    return Sketch().cascade(0, 10_000, 100, share)


@pytest.mark.parametrize(
    ("detected", "ended", "remaining"),
    [
        (10_000, 10_500, 0.99),
        (10_049, 10_500, 0.50),
        (10_099, 10_500, 0.0),
        (9_999, 10_000, 1.0),
        (9_400, 10_000, 1.0),
    ],
)
def test_what_is_still_to_come_excludes_the_alarm_s_own_second(
    detected: int, ended: int, remaining: float
) -> None:
    """Forced flow up to and with the alarm's second is gone; before onset all is to come."""
    found = met(one().alarm(0, detected, ended).month())
    assert found.remaining[0, ONSET] == pytest.approx(remaining, abs=1e-6)
    assert found.seconds[0, ONSET] == detected
    assert found.tallies[0, ONSET].tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("detected", "ended"),
    [(9_399, 20_000), (9_500, 9_999), (10_100, 10_200)],
    ids=["too early", "over before onset", "after the end"],
)
def test_an_alarm_beside_the_episode_is_false(detected: int, ended: int) -> None:
    """More than ten minutes early, over before onset, or after the end: no hit, and false."""
    found = met(one().alarm(0, detected, ended).month())
    assert np.isnan(found.remaining[0, ONSET])
    assert found.seconds[0, ONSET] == -1
    assert found.tallies[0, ONSET].tolist() == [1, 0, 0, 0]


def test_a_miss_under_an_older_alarm_is_told() -> None:
    """A cascade that begins while an alarm of an hour ago is active is missed, but covered."""
    found = met(one().alarm(0, 6_000, 12_000).month())
    assert found.covered[0].tolist() == [1, 1, 1, 1]
    assert met(one().alarm(0, 6_000, 9_999).month()).covered[0].tolist() == [0, 0, 0, 0]
    again = one().alarm(0, 6_000, 10_010).alarm(0, 10_020, 10_500)
    assert met(again.month()).covered[0].tolist() == [0, 0, 0, 0]


def test_the_first_alarm_counts_for_the_episode() -> None:
    """A later alarm in the same episode is explained by it and changes nothing."""
    found = met(one().alarm(0, 10_019, 10_040).alarm(0, 10_059, 10_500).month())
    assert found.remaining[0, ONSET] == pytest.approx(0.8, abs=1e-6)
    assert found.tallies[0, ONSET].tolist() == [0, 0, 0, 2]


@pytest.mark.parametrize(
    ("share", "endogenous", "rank"),
    [
        (0.02, 0.5, scoring.POSITIVE),
        (0.02, 0.1, scoring.OTHER),
        (0.005, 0.5, scoring.MINOR),
        (0.002, 0.5, scoring.SMALL),
    ],
)
def test_an_alarm_is_what_its_largest_episode_is(
    share: float, endogenous: float, rank: int
) -> None:
    """Below 0.3 % it is false, to 1 % in the band, above explained whether asked for or not."""
    month = Sketch().cascade(0, 10_000, 100, share, endogenous=endogenous)
    found = met(month.alarm(0, 10_050, 10_500).month())
    assert np.flatnonzero(found.tallies[0, ONSET]).tolist() == [rank]


def test_an_alarm_between_two_episodes_takes_the_larger() -> None:
    """Raised in a minor one and still active when a cascade begins, it is a hit of both."""
    sketch = Sketch().cascade(0, 10_000, 100, 0.005).cascade(0, 10_400, 100, 0.02)
    found = met(sketch.alarm(0, 10_049, 11_000).month())
    assert found.tallies[0, ONSET].tolist() == [0, 0, 0, 1]
    assert found.remaining[:, ONSET] == pytest.approx([0.5, 1.0], abs=1e-6)


def test_the_other_ladder_s_alarms_explain_nothing() -> None:
    """An alarm for shorts in a cascade of longs is false."""
    found = met(one().alarm(1, 10_050, 10_500).month())
    assert found.tallies[0, ONSET].tolist() == [1, 0, 0, 0]
    assert found.seconds[0, ONSET] == -1


@pytest.mark.parametrize(("detected", "expected"), [(10_024, 0.75), (10_099, 0.0), (9_900, 1.0)])
def test_the_price_move_still_to_come_is_what_is_left_of_it(
    detected: int, expected: float
) -> None:
    """From the mark at the alarm to the extreme, over the whole move from before onset."""
    found = met(one().alarm(0, detected, 10_500).month())
    assert found.price[0, ONSET] == pytest.approx(expected, abs=1e-4)


def test_after_the_extreme_no_move_is_to_come() -> None:
    """Price that has turned back does not make a late alarm early."""
    sketch = one()
    sketch.mark[10_050:10_100] = 100.0
    found = met(sketch.alarm(0, 10_060, 10_500).month())
    assert found.price[0, ONSET] == 0.0


def test_each_tier_is_matched_alone() -> None:
    """A NOTICE before the cascade leaves its ONSET where it came."""
    sketch = one().alarm(0, 10_000, 10_500, "NOTICE").alarm(0, 10_049, 10_500)
    sketch.alarms["NOTICE"].pop()
    sketch.alarms["BUILDING"].clear()
    found = met(sketch.month())
    assert found.seconds[0].tolist() == [10_000, -1, 10_049, 10_049]


def test_assets_are_tallied_apart() -> None:
    """Both ladders of an asset count for it, those of others do not."""
    sketch = Sketch(assets=2).alarm(0, 100, 800).alarm(1, 200, 900).alarm(2, 300, 900)
    found = met(sketch.month())
    assert found.tallies[:, ONSET].tolist() == [[2, 0, 0, 0], [1, 0, 0, 0]]
