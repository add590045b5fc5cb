from collections.abc import Sequence

import numpy as np
import pytest

from kernels.dtypes import Reals
from monitor.assess.baselines import Statistic
from monitor.assess.cases import Cases, cases, drawn
from monitor.assess.passage import Record
from monitor.assess.score import MONTH_S, Scored, score
from monitor.assess.tradeoff import curve, rivals
from tests.months import Sketch

SECONDS = 20_000
PER_MONTH = MONTH_S / SECONDS
THRESHOLDS = np.array([0.25, 0.5, 1.0, 2.0])


def sharp(record: Record, ladder: int) -> Reals:
    """A statistic as it was drawn."""
    return record.level[:, ladder].astype(np.float64)


def blunt(record: Record, ladder: int) -> Reals:
    """The same a minute late."""
    return np.concatenate([np.zeros(60), sharp(record, ladder)[:-60]])


SHARP = Statistic("level", "u", THRESHOLDS, sharp)
BLUNT = Statistic("blunt", "u", THRESHOLDS, blunt)
WRONG = Statistic("wrong", "u", THRESHOLDS, lambda record, ladder: sharp(record, ladder ^ 1))


def drawn_month(height: float, *false: float) -> Sketch:
    """A cascade seen at a height in its tenth second, and false peaks of other heights."""
    sketch = Sketch(SECONDS).cascade(0, 10_000, 100, 0.021).recorded()
    assert sketch.record is not None
    sketch.record.level[10_009:10_060, 0] = height
    for k, peak in enumerate(false):
        sketch.record.level[1_000 + 1_000 * k, 0] = peak
    return sketch


def scored(*sketches: Sketch) -> list[Scored]:
    """Months with their curves."""
    return [score(sketch.month(), (SHARP, BLUNT, WRONG)) for sketch in sketches]


def of(months: Sequence[Scored], name: str = "level") -> Cases:
    """One regime's cases of a statistic."""
    return cases(months, [month.curves[name] for month in months], drawn(months, 40, 2))


def test_each_threshold_has_its_own_figures() -> None:
    """False alarms, recall and what was to come are those of alarms at that threshold."""
    months = scored(drawn_month(3.0, 0.3, 0.6), drawn_month(0.7))
    found = curve([of(months)], SHARP)
    assert found.unit == "u"
    assert [point.threshold for point in found.points] == [0.25, 0.5, 1.0, 2.0]
    rates = [point.false_alarms.value for point in found.points]
    assert rates == pytest.approx([PER_MONTH, PER_MONTH / 2, 0.0, 0.0])
    assert [point.recall.value for point in found.points] == [1.0, 1.0, 0.5, 0.5]
    assert [point.recall.n for point in found.points] == [2] * 4
    assert [point.share_to_come for point in found.points] == pytest.approx(
        [0.9, 0.9, 0.45, 0.45], abs=1e-5
    )
    assert [point.share_to_come_given_hit for point in found.points] == pytest.approx(
        [0.9] * 4, abs=1e-5
    )
    assert [point.mostly_to_come for point in found.points] == [1.0, 1.0, 0.5, 0.5]
    assert [point.delay_after_5_percent_s for point in found.points] == [5.0] * 4
    assert found.points[0].price_to_come == pytest.approx(0.9, abs=1e-4)
    assert found.points[0].share_to_come_large == pytest.approx(0.9, abs=1e-5)


def test_a_curve_is_read_at_given_rates() -> None:
    """Between a threshold with too many false alarms and one with none, on their line."""
    months = scored(drawn_month(3.0, 0.3, 0.6), drawn_month(0.7))
    found = curve([of(months)], SHARP).recall_at
    assert list(found) == ["0.3", "1", "3", "10", "30"]
    half = 0.5 + 0.5 * 30.0 / (PER_MONTH / 2)
    assert found["30"].value == pytest.approx(half)
    assert found["30"].n == 2


def test_a_mean_curve_has_one_threshold_for_all_regimes() -> None:
    """Rates and recalls of two regimes are averaged threshold by threshold."""
    noisy, quiet = scored(drawn_month(3.0, 0.6)), scored(drawn_month(0.3))
    found = curve([of(noisy), of(quiet)], SHARP)
    assert [point.false_alarms.value for point in found.points] == pytest.approx(
        [PER_MONTH / 2, PER_MONTH / 2, 0.0, 0.0]
    )
    assert [point.recall.value for point in found.points] == [1.0, 0.5, 0.5, 0.5]


def test_points_far_from_any_use_are_left_out() -> None:
    """Shown are rates between a tenth and sixty, and one more point at either side."""
    months = scored(*[drawn_month(3.0) for _ in range(139)], drawn_month(3.0, 0.6))
    found = curve([of(months)], SHARP)
    assert PER_MONTH / 140 > 0.1
    assert [point.threshold for point in found.points] == [0.25, 0.5, 1.0]


def test_a_statistic_that_sees_nothing_recalls_nothing() -> None:
    """The wrong ladder's statistic raises only false alarms."""
    months = scored(drawn_month(3.0))
    found = curve([of(months, "wrong")], WRONG)
    assert [point.recall.value for point in found.points] == [0.0] * 4
    assert found.points[0].share_to_come == 0.0
    assert found.points[0].share_to_come_given_hit is None
    assert found.recall_at["1"].value == 0.0


def test_the_detector_is_compared_with_the_better_of_two_uses_of_a_baseline() -> None:
    """One threshold for all, or the best of each regime: the larger recall is the rival's."""
    noisy, quiet = scored(drawn_month(3.0, 1.5)), scored(drawn_month(0.6))
    curves: dict[str, Sequence[Cases]] = {
        name: [of(noisy, name), of(quiet, name)] for name in ("level", "blunt", "wrong")
    }
    detector, found = rivals(curves, "level")
    assert list(found) == ["blunt", "wrong"]
    # At one threshold, keeping the noisy regime's false alarm out costs the quiet one's cascade.
    assert detector.value == 0.5
    assert found["blunt"].shared.value == 0.5
    assert found["blunt"].tuned.value == 1.0
    assert found["blunt"].advantage.value == -0.5
    assert found["wrong"].tuned.value == 0.0
    assert found["wrong"].advantage.value == 0.5
    assert (detector.n, found["wrong"].advantage.n) == (2, 2)
