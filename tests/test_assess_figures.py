from collections.abc import Sequence

import numpy as np
import pytest

from monitor.assess import results
from monitor.assess.alarms import ONSET
from monitor.assess.cases import Cases, cases, drawn
from monitor.assess.figures import alerts, truth
from monitor.assess.results import Alerts, Truth
from monitor.assess.score import MONTH_S, Scored, score
from tests.months import Sketch

SECONDS = 20_000
PER_MONTH = MONTH_S / SECONDS


def scored(*sketches: Sketch) -> list[Scored]:
    """Months as they are kept."""
    return [score(sketch.month()) for sketch in sketches]


def regime(months: Sequence[Scored], seed: int = 1) -> Cases:
    """One regime's cases."""
    return cases(months, [month.tiers for month in months], drawn(months, 50, seed))


def onsets(*regimes: Sequence[Scored]) -> Alerts:
    """The figures of ONSET, as a mean over these regimes."""
    return alerts([regime(months) for months in regimes], ONSET)


def hit(detected: int, share: float = 0.015, ladder: int = 0) -> Sketch:
    """A month with a cascade from 10000 to 10099 and an ONSET."""
    sketch = Sketch(SECONDS).cascade(ladder, 10_000, 100, share)
    return sketch.alarm(ladder, detected, 10_900)


def test_rates_are_per_symbol_month_of_thirty_one_days() -> None:
    """Alarms of short months are told as if they had gone on; every asset is a month."""
    false = Sketch(SECONDS, assets=2).alarm(0, 500, 1200).alarm(3, 500, 1200)
    band = Sketch(SECONDS, assets=2).cascade(0, 10_000, 100, 0.005).alarm(0, 10_010, 11_000)
    other = Sketch(SECONDS, assets=2).cascade(0, 10_000, 100, 0.02, move=0.0)
    found = onsets(scored(false, band, other.alarm(0, 10_010, 11_000)))
    assert found.alarms == 4
    assert found.false_alarms.value == pytest.approx(PER_MONTH * 2 / 6)
    assert found.band_alarms.value == pytest.approx(PER_MONTH * 1 / 6)
    assert found.other_alarms.value == pytest.approx(PER_MONTH * 1 / 6)
    assert found.false_alarms.n == 6


def test_misses_count_as_nothing_to_come() -> None:
    """The mean is over all episodes, the median over hits alone."""
    missed = Sketch(SECONDS).cascade(0, 10_000, 100, 0.015)
    found = onsets(scored(hit(10_009), hit(10_049), missed)).groups[results.ALL]
    assert found.recall.value == pytest.approx(2 / 3)
    assert found.recall.n == 3
    assert found.share_to_come.value == pytest.approx((0.9 + 0.5) / 3, abs=1e-5)
    assert found.share_to_come_given_hit.value == pytest.approx(0.7, abs=1e-5)
    assert found.share_to_come_given_hit.n == 2
    assert found.mostly_to_come.value == pytest.approx(1 / 3)
    assert found.price_to_come.value == pytest.approx((0.9 + 0.5) / 3, abs=1e-4)
    assert found.price_to_come_given_hit.value == pytest.approx(0.7, abs=1e-4)


def test_delays_run_from_onset_and_from_the_first_twentieth() -> None:
    """Over hits; an alarm before onset has a negative delay."""
    found = onsets(scored(hit(9_990), hit(10_020), hit(10_050))).groups[results.ALL]
    assert found.delay_s.p50.value == 20.0
    assert found.delay_s.p10.value == -10.0
    assert found.delay_s.p90.value == 50.0
    assert found.delay_after_5_percent_s.p50.value == 16.0
    assert found.delay_s.p50.n == 3


def test_groups_are_by_size_and_position() -> None:
    """Every group has its own episodes; minor ones are in none of the others."""
    months = scored(
        hit(10_009),
        hit(10_049, share=0.03),
        hit(10_024, share=0.012, ladder=1),
        hit(10_074, share=0.005),
    )
    groups = onsets(months).groups
    assert {name: group.recall.n for name, group in groups.items()} == {
        results.ALL: 3,
        results.MEDIUM: 2,
        results.LARGE: 1,
        results.LONG_CLOSED: 2,
        results.SHORT_CLOSED: 1,
        results.MINOR: 1,
    }
    to_come = {name: group.share_to_come.value for name, group in groups.items()}
    assert to_come[results.LARGE] == pytest.approx(0.5, abs=1e-5)
    assert to_come[results.SHORT_CLOSED] == pytest.approx(0.75, abs=1e-5)
    assert to_come[results.MINOR] == pytest.approx(0.25, abs=1e-5)


def test_a_group_without_episodes_has_no_figures() -> None:
    """Nothing to find is not a recall of zero."""
    found = onsets(scored(Sketch(SECONDS))).groups[results.ALL]
    assert found.recall == results.Figure(None, None, None, 0)
    assert found.delay_s.p50 == results.Figure(None, None, None, 0)


def test_covered_misses_are_a_part_of_misses() -> None:
    """Of two misses one began while an older alarm was active."""
    covered = Sketch(SECONDS).cascade(0, 10_000, 100, 0.02).alarm(0, 5_000, 12_000)
    bare = Sketch(SECONDS).cascade(0, 10_000, 100, 0.02)
    found = onsets(scored(covered, bare, hit(10_009))).groups[results.ALL]
    assert (found.covered.value, found.covered.n) == (0.5, 2)


def test_a_mean_over_regimes_weighs_regimes_not_cases() -> None:
    """Many months of one regime do not drown the few of another."""
    every = scored(hit(10_009), hit(10_009), hit(10_009))
    none = scored(Sketch(SECONDS).cascade(0, 10_000, 100, 0.02))
    found = onsets(every, none).groups[results.ALL]
    assert (found.recall.value, found.recall.n) == (0.5, 4)
    assert onsets([*every, *none]).groups[results.ALL].recall.value == 0.75


def test_a_regime_without_cases_is_left_out_of_the_mean() -> None:
    """A quiet regime in which there was nothing to find says nothing of recall."""
    found = onsets(scored(hit(10_009)), scored(Sketch(SECONDS)))
    assert found.groups[results.ALL].recall.value == 1.0
    assert found.false_alarms.value == 0.0
    assert found.false_alarms.n == 2


def test_intervals_hold_the_value_and_shrink_when_months_agree() -> None:
    """Months that differ make an interval; months that are alike make none."""
    mixed = onsets(scored(*[hit(10_009), Sketch(SECONDS).cascade(0, 10_000, 100, 0.02)] * 4))
    recall = mixed.groups[results.ALL].recall
    assert recall.low is not None
    assert recall.high is not None
    assert 0.0 < recall.low < 0.5 < recall.high < 1.0
    alike = onsets(scored(*[hit(10_009)] * 4)).groups[results.ALL].recall
    assert (alike.low, alike.value, alike.high) == (1.0, 1.0, 1.0)


def told(*regimes: Sequence[Scored]) -> Truth:
    """What there was to find."""
    return truth([(months, drawn(months, 50, 1)) for months in regimes])


def test_truth_counts_episodes_per_symbol_month_by_class() -> None:
    """Large ones are among the positives; small ones are not told."""
    sketch = Sketch(SECONDS, assets=2).cascade(0, 2_000, 100, 0.015).cascade(3, 2_000, 100, 0.03)
    sketch.cascade(0, 6_000, 100, 0.005).cascade(0, 10_000, 100, 0.001)
    sketch.cascade(2, 6_000, 100, 0.02, endogenous=0.1)
    found = told(scored(sketch))
    assert found.positive.value == pytest.approx(PER_MONTH * 2 / 2)
    assert found.large.value == pytest.approx(PER_MONTH / 2)
    assert found.minor.value == pytest.approx(PER_MONTH / 2)
    assert found.other.value == pytest.approx(PER_MONTH / 2)
    assert found.positive.n == 2


def test_episodes_of_later_months_belong_to_later_symbol_months() -> None:
    """Cases of several months keep to their own month when months are drawn again."""
    months = scored(Sketch(SECONDS, assets=3), hit(10_009), hit(10_049, ladder=1))
    found = regime(months)
    assert found.month_of.tolist() == [3, 4]
    assert found.tallies[:, ONSET, 3].tolist() == [0, 0, 0, 1, 1]
    assert np.array_equal(found.exposure, np.full(5, SECONDS / MONTH_S))
