"""A simulated world lived through: what it may depend on, and what it may not."""

from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.assess import worlds
from monitor.assess.worlds import DAY_S, EPOCH_S, NS, Lived, Plan, live
from monitor.simulate.negatives import NegativeKind
from tests.tape import EAGER

# One wild day, and a detector that is easily alarmed, so that there is much to compare.
PLAN = Plan("wild", 7, assets=2, warm_days=0, days=1, whales_per_day=4.0)
DETECTOR = msgspec.structs.replace(EAGER, prior_scale_ratio=1e-4)
TRUTH = ("forced", "endogenous", "mark", "interest")
SEEN = ("level", "share", "usd", "orders", "price", "interest_index")


def changed(**values: Any) -> Lived:
    """The world of a plan that differs from the usual one in this."""
    return live(msgspec.structs.replace(PLAN, **values), DETECTOR)


@pytest.fixture(scope="module")
def usual() -> Lived:
    """The world of the plan as it is."""
    return live(PLAN, DETECTOR)


def truth(of: Lived) -> list[bytes]:
    """What truly happened in it."""
    return [getattr(of.month, name).tobytes() for name in TRUTH]


def seen(of: Lived) -> list[bytes]:
    """What the detector saw of it, and said."""
    record = of.month.record
    kept = [] if record is None else [getattr(record, name).tobytes() for name in SEEN]
    said = (of.month.alarms, of.month.endings, of.verdicts)
    return [*kept, repr(said).encode()]


def test_something_happens(usual: Lived) -> None:
    """The day of these tests has forced flow, alarms and verdicts to compare."""
    assert usual.month.forced.sum() > 0.01
    assert all(usual.month.alarms.values())
    assert usual.month.endings


def test_one_plan_is_one_month(usual: Lived) -> None:
    """The same plan gives the same truth, the same sight and the same verdicts."""
    again = live(PLAN, DETECTOR)
    assert truth(again) == truth(usual)
    assert seen(again) == seen(usual)
    assert again.month.injections == usual.month.injections


def test_another_seed_is_another_month(usual: Lived) -> None:
    """Every figure of the truth follows the seed."""
    other = truth(changed(seed=8))
    assert [one == two for one, two in zip(other, truth(usual), strict=True)] == [False] * 4


@pytest.mark.parametrize("chunk_s", [900, 21_600])
def test_nothing_depends_on_how_time_is_cut(
    usual: Lived, chunk_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In shorter and in longer chunks the same month passes."""
    monkeypatch.setattr(worlds, "CHUNK_S", chunk_s)
    found = live(PLAN, DETECTOR)
    assert truth(found) == truth(usual)
    assert seen(found) == seen(usual)


def test_a_month_without_curves_says_the_same(usual: Lived) -> None:
    """Whether what was seen is kept changes no verdict."""
    found = changed(curves=False)
    assert found.month.record is None
    assert seen(found) == seen(usual)[-1:]


def test_thinning_changes_only_what_a_full_tape_prints(usual: Lived) -> None:
    """Truth, prices and open interest stay; of forced orders less is seen, and none earlier."""
    found = changed(thin_full=True)
    assert truth(found) == truth(usual)
    first, second = usual.month.record, found.month.record
    assert first is not None
    assert second is not None
    assert second.price.tobytes() == first.price.tobytes()
    assert second.interest_index.tobytes() == first.interest_index.tobytes()
    # The largest order of a second is sent when it ends: nothing comes earlier, nothing is added.
    for name in ("usd", "orders"):
        before, after = (
            np.cumsum(getattr(one, name), axis=0, dtype=float) for one in (first, second)
        )
        assert (after <= before * (1.0 + 1e-6)).all()
        assert (after[-1] < before[-1]).all()
        assert (after[-1] > 0.5 * before[-1]).all()


def test_scaling_changes_only_what_is_printed(usual: Lived) -> None:
    """Truth, prices and open interest stay, and every print is multiplied."""
    found = changed(scale=0.25)
    assert truth(found) == truth(usual)
    first, second = usual.month.record, found.month.record
    assert first is not None
    assert second is not None
    assert second.price.tobytes() == first.price.tobytes()
    assert second.orders.tobytes() == first.orders.tobytes()
    np.testing.assert_allclose(second.share, 0.25 * first.share, rtol=1e-5)


def test_whales_are_put_in_by_the_day(usual: Lived) -> None:
    """Without injections there are whales alone, as many as asked for, within the month."""
    found = usual.month.injections
    assert [one.kind for one in found] == [NegativeKind.WHALE.value] * 8
    assert all(0 <= one.start <= one.end < DAY_S for one in found)
    assert {one.asset for one in found} <= {0, 1}


def test_hard_negatives_take_the_place_of_whales() -> None:
    """With injections each kind is put in as often as asked for."""
    found = changed(injections=1, curves=False).month.injections
    assert sorted(one.kind for one in found) == sorted(kind.value for kind in NegativeKind)


def test_a_month_begins_after_the_days_of_warming() -> None:
    """Seconds count from the first scored day; every day is told as it passes."""
    told: list[int] = []
    found = live(msgspec.structs.replace(PLAN, warm_days=1), DETECTOR, told.append)
    assert told == [1, 2]
    assert found.month.mark.shape == (DAY_S, 2)
    start_ns = (EPOCH_S + DAY_S) * NS
    assert {one.detected_ns >= start_ns for one in found.verdicts} == {False, True}
    assert {one.asset for one in found.verdicts} == {"A00", "A01"}
    detected = [one.detected for one in found.month.alarms["NOTICE"]]
    assert 0 <= detected[0] <= detected[-1] < DAY_S
