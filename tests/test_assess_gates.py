import pytest

from monitor.assess.gates import NEVER, gate, gates, unchanged, under
from monitor.assess.months import Alarm
from monitor.assess.results import Figure, Gate, Negatives, Rival
from monitor.assess.score import score
from monitor.assess.summary import summarise
from monitor.simulate.negatives import NegativeKind
from tests.months import Sketch


@pytest.mark.parametrize(
    ("n", "counted", "held"), [(49, "value", True), (50, "high", False), (500, "high", False)]
)
def test_with_enough_cases_the_worse_bound_counts(n: int, counted: str, held: bool) -> None:
    """Below fifty cases the value is judged, from fifty on the bound that is worse for us."""
    found = gate("rate", Figure(0.9, 0.5, 1.3, n), "<=", 1.0)
    assert (found.counted, found.held) == (counted, held)
    assert (found.value, found.low, found.high, found.n) == (0.9, 0.5, 1.3, n)
    mirrored = gate("recall", Figure(0.9, 0.5, 1.3, n), ">=", 0.8)
    assert (mirrored.counted, mirrored.held) == ("low" if n >= 50 else "value", held)


@pytest.mark.parametrize(("comparator", "held"), [("<=", True), (">=", True)])
def test_a_promise_that_is_just_met_is_kept(comparator: str, held: bool) -> None:
    """The bound itself is within the promise."""
    assert gate("any", Figure(1.0, None, None, 60), comparator, 1.0).held is held


def test_what_cannot_be_judged_is_not_kept() -> None:
    """Without cases no promise holds."""
    found = gate("any", Figure(None, None, None, 0), "<=", 1.0)
    assert (found.counted, found.held) == ("value", False)


def results_of(kinds: dict[str, Negatives], rivals: dict[str, Rival]) -> dict[str, bool]:
    """Which gates hold for a month with one early hit, and these negatives and rivals."""
    sketch = Sketch().cascade(0, 10_000, 100, 0.03).alarm(0, 10_005, 11_000)
    summary = summarise([score(sketch.month())], resamples=10)
    found = gates(summary.macro, summary.regimes, kinds, rivals)
    return {one.gate: one.held for one in found}


def test_every_promise_is_a_gate() -> None:
    """Alarms, recall, earliness and endings are judged, by regime where that is promised."""
    assert results_of({}, {}) == {
        "onset_false_alarms": True,
        "onset_false_alarms.base": True,
        "onset_recall": True,
        "onset_recall_large": True,
        "onset_share_to_come_large": True,
        "onset_share_to_come_given_hit": True,
        "notice_share_to_come_given_hit": True,
        "notice_false_alarms": True,
        "exhausted_rewave": False,  # nothing was called
        "exhausted_missed": False,
        "rewave_calibration_error": False,
    }


def test_whales_and_feed_troubles_must_raise_nothing_at_all() -> None:
    """One of three thousand is within one percent, and yet one too many of a whale."""
    rate = Figure(1 / 3000, 0.0, 0.0016, 3000)
    kinds = {kind: Negatives(3000, 0, 1, rate) for kind in ("whale", "funding_burst", "spot_drop")}
    found = results_of(kinds, {})
    assert found["raised.whale"] is False
    assert {name for name in found if name.startswith("raised.")} == {"raised.whale"}
    assert [found[f"raised_rate.{kind}"] for kind in kinds] == [True, True, True]
    assert [found[f"injections.{kind}"] for kind in kinds] == [True, True, True]


def test_three_hundred_injections_are_asked_for() -> None:
    """Fewer prove nothing, even if none raised an alarm."""
    few = Negatives(299, 0, 0, Figure(0.0, 0.0, 0.00997, 299))
    found = results_of({"duplicates": few}, {})
    assert found["injections.duplicates"] is False
    assert found["raised.duplicates"] is True


def test_the_kinds_that_may_never_raise_are_whales_and_feed_troubles() -> None:
    """Bursts of real flow and falling prices have their one percent; the others have nothing."""
    assert {
        "whale",
        "venue_down",
        "gap_replay",
        "duplicates",
        "frozen_interest",
        "frozen_depth",
        "clock_skew",
        "side_flip",
    } == NEVER
    assert {"funding_burst", "open_burst", "spot_drop"} == set(NegativeKind) - NEVER


def test_the_same_alarms_are_asked_for_month_by_month() -> None:
    """One month in which any tier's alarms differ breaks the promise."""
    said: dict[str, tuple[Alarm, ...]] = {"NOTICE": (Alarm(0, 5, 9),), "ONSET": ()}
    other: dict[str, tuple[Alarm, ...]] = {**said, "ONSET": (Alarm(0, 6, 9),)}
    kept = unchanged("scaled", [(said, dict(said)), (other, dict(other))])
    assert (kept.gate, kept.held, kept.value, kept.n) == ("scaled", True, 0.0, 2)
    broken = unchanged("scaled", [(said, said), (said, other)])
    assert (broken.held, broken.value) == (False, 1.0)


def test_gates_measured_under_a_condition_say_so() -> None:
    """The same promise under another condition has its own name."""
    kept = gate("recall", Figure(1.0, None, None, 9), ">=", 0.9)
    (renamed,) = under("thinned", [kept])
    assert renamed == Gate("thinned.recall", ">=", 0.9, "value", 1.0, None, None, 9, held=True)


def test_every_rival_must_be_beaten() -> None:
    """The advantage over each baseline is a gate of its own, so the best of them decides."""
    recall = Figure(0.5, None, None, 20)
    near = Rival(recall, recall, Figure(0.19, None, None, 20))
    far = Rival(recall, recall, Figure(0.6, None, None, 20))
    found = results_of({}, {"near": near, "far": far})
    assert (found["advantage.near"], found["advantage.far"]) == (False, True)
