import msgspec
import pytest

from monitor.assess import results
from monitor.assess.baselines import DETECTOR, STATISTICS
from monitor.assess.gates import gate
from monitor.assess.results import Figure, Results
from monitor.assess.score import MONTH_S, Scored, score
from monitor.assess.summary import summarise
from tests.months import Sketch

SECONDS = 20_000
FIGURE = {"value", "low", "high", "n"}


def month(regime: str = "base", chance: float = 0.25, *, wave: bool = False) -> Scored:
    """A month with one called cascade, one false alarm and two injections."""
    sketch = Sketch(SECONDS, regime=regime).cascade(0, 10_000, 100, 0.03)
    if wave:
        sketch.cascade(0, 11_500, 50, 0.02)
    sketch.alarm(0, 10_009, 11_000).ending(0, 10_009, 11_000, probability=chance)
    sketch.alarm(1, 3_000, 4_000).ending(1, 3_000, 4_000, "FIZZLED")
    sketch.injected("whale", 0, 2_995, 2_998).injected("duplicates", 0, 9_900, 10_020)
    return score(sketch.recorded().month())


def summary(*months: Scored) -> Results:
    """Their results, with few draws."""
    return summarise(months, resamples=20, seed=5)


def test_regimes_come_in_order_and_the_mean_beside_them() -> None:
    """Every regime has its figures; the mean has those of all symbol-months."""
    found = summary(month("wild"), month("base"), month("wild"))
    assert list(found.regimes) == ["wild", "base"]
    assert [figures.symbol_months for figures in found.regimes.values()] == [2, 1]
    assert found.macro.symbol_months == 3
    assert (found.resamples, found.seed, found.schema_version) == (20, 5, 1)


def test_tiers_and_curves_are_told_by_name() -> None:
    """The detector's own statistic is among the curves, and every baseline."""
    found = summary(month())
    assert list(found.macro.alerts) == ["NOTICE", "BUILDING", "EPISODE", "ONSET"]
    assert list(found.macro.curves) == [s.name for s in STATISTICS]
    assert set(found.rivals) == {s.name for s in STATISTICS} - {DETECTOR.name}


def test_hard_negatives_are_counted_over_all_regimes() -> None:
    """Those in a true episode are left out of the rate, which has exact bounds."""
    found = summary(month("wild"), month("base")).negatives
    assert list(found) == ["duplicates", "whale"]
    assert found["whale"].injected == 2
    assert (found["whale"].raised, found["whale"].left_out) == (2, 0)
    assert found["whale"].rate.value == 1.0
    assert found["whale"].rate.low == pytest.approx(0.05**0.5)
    assert (found["duplicates"].injected, found["duplicates"].left_out) == (2, 2)
    assert found["duplicates"].rate == Figure(None, None, None, 0)


def test_endings_are_summed_and_calls_judged() -> None:
    """Another wave after one of two calls is one half; both cascades were called."""
    ends = summary(month(wave=True), month()).macro.exhaustion
    assert ends.endings == {"EXHAUSTED": 2, "FIZZLED": 2}
    assert (ends.rewave.value, ends.rewave.n) == (0.5, 2)
    assert (ends.rewave_positive.value, ends.rewave_positive.n) == (0.5, 2)
    # The second wave is a cascade itself, but no alarm met it.
    assert (ends.missed.value, ends.missed.n, ends.overtaken) == (0.0, 2, 0)
    assert ends.lag_s.p50.value == 11_000 - 10_099
    assert ends.age_s.p50.value == 11_000 - 10_099
    assert [hold.rewave_positive.n for hold in ends.holds] == [2] * len(ends.holds)
    assert ends.holds[0].rewave.value == 0.5


def test_reliability_compares_what_was_said_with_what_came() -> None:
    """Bins hold their calls; the error is the mean distance, weighted by calls."""
    calls = [month(chance=0.25), month(chance=0.25, wave=True), month(chance=0.62, wave=True)]
    ends = summary(*calls, month("wild", chance=0.29)).macro.exhaustion
    assert [(b.low, b.high, b.n) for b in ends.reliability] == [(0.2, 0.3, 3), (0.6, 0.7, 1)]
    assert ends.reliability[0].forecast == pytest.approx((0.25 + 0.25 + 0.29) / 3)
    assert ends.reliability[0].observed == pytest.approx(1 / 3)
    off = abs(0.79 - 1.0) + abs(0.62 - 1.0)
    assert ends.calibration_error.value == pytest.approx(off / 4)
    assert ends.calibration_error.n == 4


@pytest.mark.parametrize("chance", [1.0, 0.0])
def test_certainty_has_a_bin(chance: float) -> None:
    """A forecast of exactly one belongs to the last bin, of zero to the first."""
    (found,) = summary(month(chance=chance)).macro.exhaustion.reliability
    assert found.low <= chance <= found.high


def test_a_call_without_a_chance_is_not_in_the_reliability() -> None:
    """Where nothing was published there is nothing to compare."""
    ends = summary(month(chance=float("nan"))).macro.exhaustion
    assert ends.reliability == ()
    assert ends.calibration_error == Figure(None, None, None, 0)
    assert ends.rewave.n == 1


def test_pauses_are_in_the_reliability_but_are_no_ends() -> None:
    """EXHAUSTING publishes a chance too; only EXHAUSTED is held against the re-wave gate."""
    sketch = Sketch(SECONDS).cascade(0, 10_000, 100, 0.03).alarm(0, 10_009, 11_000)
    sketch.ending(0, 10_009, 10_300, "EXHAUSTING", 0.5).ending(0, 10_009, 11_000)
    ends = summary(score(sketch.month())).macro.exhaustion
    assert [(b.low, b.n) for b in ends.reliability] == [(0.2, 1), (0.5, 1)]
    assert (ends.rewave.n, ends.age_s.p50.n) == (1, 1)


def test_gates_measured_elsewhere_are_told_with_the_others() -> None:
    """A promise that takes other runs is handed in and comes last."""
    other = gate("same_alarms_when_scaled", Figure(0.0, None, None, 3), "<=", 0.0)
    found = summarise([month()], resamples=5, extra=(other,))
    assert found.gates[-1] == other
    assert found.gates[0].gate == "onset_false_alarms"


def test_months_without_a_record_have_no_curves() -> None:
    """Everything else is there all the same."""
    bare = score(Sketch(SECONDS).cascade(0, 10_000, 100, 0.03).alarm(0, 10_009, 11_000).month())
    found = summary(bare)
    assert found.macro.curves == {}
    assert found.rivals == {}
    assert found.detector == Figure(None, None, None, 0)
    assert found.macro.alerts["ONSET"].groups[results.LARGE].recall.value == 1.0


def test_the_same_seed_gives_the_same_json() -> None:
    """Results are a function of the months and the seed alone."""
    months = [month(), month(wave=True), month("wild")]
    first = msgspec.json.encode(summarise(months, resamples=20, seed=5))
    assert first == msgspec.json.encode(summarise(months, resamples=20, seed=5))
    assert first != msgspec.json.encode(summarise(months, resamples=20, seed=6))


def test_the_json_reads_back_and_holds_no_nan() -> None:
    """What is not known is null, and the keys are those of the tree."""
    found = summary(month(), score(Sketch(SECONDS, regime="dead").recorded().month()))
    encoded = msgspec.json.encode(found)
    assert msgspec.json.decode(encoded, type=Results) == found
    tree = msgspec.json.decode(encoded)
    assert set(tree) == {
        "schema_version",
        "resamples",
        "seed",
        "regimes",
        "macro",
        "detector",
        "rivals",
        "negatives",
        "gates",
    }
    assert set(tree["macro"]) == {
        "symbol_months",
        "truth",
        "alerts",
        "exhaustion",
        "curves",
    }
    group = tree["macro"]["alerts"]["ONSET"]["groups"]["all"]
    assert set(group) == {
        "recall",
        "share_to_come",
        "share_to_come_given_hit",
        "mostly_to_come",
        "price_to_come",
        "price_to_come_given_hit",
        "delay_s",
        "delay_after_5_percent_s",
        "covered",
    }
    assert set(group["recall"]) == FIGURE
    dead = tree["regimes"]["dead"]["alerts"]["ONSET"]
    assert dead["groups"]["all"]["recall"] == dict.fromkeys(FIGURE, None) | {"n": 0}
    assert dead["false_alarms"]["value"] == 0.0
    assert tree["regimes"]["base"]["alerts"]["ONSET"]["false_alarms"]["value"] == pytest.approx(
        MONTH_S / SECONDS
    )
