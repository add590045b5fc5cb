import math

import numpy as np
import pytest

from monitor.assess import baselines
from monitor.assess.baselines import BASELINES, DETECTOR, STATISTICS, Statistic
from monitor.assess.passage import Record

SECONDS = 10_000


def by_name(name: str) -> Statistic:
    """A baseline by its key."""
    (found,) = (s for s in STATISTICS if s.name == name)
    return found


def random_record() -> Record:
    """Two assets with prints now and then, and prices that wander."""
    dice = np.random.default_rng(5)
    record = Record(SECONDS, 2)
    shape = (SECONDS, 4)
    record.orders[:] = dice.poisson(0.02, shape)
    record.usd[:] = record.orders * dice.exponential(1e4, shape)
    record.share[:] = record.usd / 1e9
    record.level[:] = dice.exponential(1.0, shape)
    record.price[:] = 100.0 * np.exp(np.cumsum(dice.normal(0.0, 1e-4, (SECONDS, 2)), axis=0))
    record.interest_index[:] = np.exp(np.cumsum(dice.normal(0.0, 1e-5, (SECONDS, 2)), axis=0))
    return record


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
def test_no_statistic_knows_the_future(statistic: Statistic) -> None:
    """What comes after a second changes nothing up to it."""
    record, other = random_record(), random_record()
    for name in ("level", "share", "usd", "orders", "price", "interest_index"):
        getattr(other, name)[6000:] *= 3.0
    now, then = statistic.column(record, 3), statistic.column(other, 3)
    assert np.array_equal(now[:6000], then[:6000], equal_nan=True)
    assert not np.array_equal(now[6000:], then[6000:], equal_nan=True)


@pytest.mark.parametrize("statistic", STATISTICS, ids=lambda s: s.name)
def test_thresholds_rise_geometrically_and_far(statistic: Statistic) -> None:
    """Each curve has at least twenty thresholds, over a factor of a hundred or more."""
    steps = np.diff(np.log(statistic.thresholds))
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert steps[0] < math.log(1.25)
    assert statistic.thresholds[-1] / statistic.thresholds[0] >= 100.0


def test_keys_are_unique_and_the_detector_s_is_level() -> None:
    """Results are told apart by these names."""
    names = [s.name for s in BASELINES]
    assert len(set(names)) == len(names)
    assert DETECTOR.name == "level"
    assert DETECTOR.name not in names


def test_the_detector_s_statistic_is_its_own_bucket() -> None:
    """The level is read as it was recorded."""
    record = random_record()
    assert DETECTOR.column(record, 2) == pytest.approx(record.level[:, 2])


@pytest.mark.parametrize(
    ("name", "field", "window_s"),
    [
        ("usd_60s", "usd", 60),
        ("count_60s", "orders", 60),
        ("share_60s", "share", 60),
        ("share_300s", "share", 300),
    ],
)
def test_sums_run_over_their_window(name: str, field: str, window_s: int) -> None:
    """A single print is in the sum for as long as the window."""
    record = Record(SECONDS, 1)
    getattr(record, field)[1000, 1] = 8.0
    found = by_name(name).column(record, 1)
    assert np.flatnonzero(found).tolist() == list(range(1000, 1000 + window_s))
    assert found[1000] == 8.0
    assert not by_name(name).column(record, 0).any()


def test_the_minute_s_z_score_is_against_the_seconds_before() -> None:
    """Mean and deviation leave the second itself out, and need an hour."""
    record = random_record()
    usd = by_name("usd_60s").column(record, 0)
    found = by_name("z_60s").column(record, 0)
    before = usd[:5000]
    assert found[5000] == pytest.approx((usd[5000] - before.mean()) / before.std())
    assert np.isnan(found[:3600]).all()
    assert not np.isnan(found[3600])


def test_where_nothing_varied_there_is_no_score() -> None:
    """Without a deviation a print is not infinitely unusual, it is not judged."""
    record = Record(SECONDS, 1)
    record.usd[5000, 0] = 1e6
    found = by_name("z_60s").column(record, 0)
    assert math.isnan(found[5000])
    assert found[5001] > 10.0


def test_the_uncapped_bucket_drains() -> None:
    """What came in is gone after as long as the drain takes for it."""
    record = Record(SECONDS, 1)
    record.share[1000, 0] = 2e-3
    found = by_name("bucket_uncapped").column(record, 0)
    assert found[1000] == pytest.approx(2e-3, rel=1e-6)
    assert found[1500] == pytest.approx(1e-3, rel=1e-3)
    assert found[2001] == 0.0


def test_a_drop_is_for_longs_and_a_rise_for_shorts() -> None:
    """Price rules point in the forced direction, over five minutes."""
    record = random_record()
    record.price[7000:] *= 0.9
    longs = by_name("price_drop_300s_ratio").column(record, 0)
    shorts = by_name("price_drop_300s_ratio").column(record, 1)
    assert longs[7000] == pytest.approx(-math.log(0.9), abs=0.01)
    assert shorts == pytest.approx(-longs, nan_ok=True)
    assert np.isnan(longs[:300]).all()
    sigmas = by_name("price_drop_300s").column(record, 0)
    assert sigmas[7000] > 10.0
    assert sigmas[7000] == pytest.approx(longs[7000] / np.nanstd(longs[:7000]))


def test_a_price_that_is_not_known_raises_nothing() -> None:
    """A gap in the price is a gap in the statistic."""
    record = random_record()
    record.price[7000:7100] = math.nan
    found = by_name("price_drop_300s_ratio").column(record, 0)
    assert np.isnan(found[7000:7100]).all()
    assert np.isnan(found[7300:7400]).all()
    assert not np.isnan(found[7100:7300]).any()


def test_open_interest_belongs_to_the_ladder_that_price_points_at() -> None:
    """A decline with a falling price is the longs', with a rising one the shorts'."""
    record = Record(SECONDS, 1)
    record.price[:, 0] = 100.0
    record.price[5000:, 0] = 99.0
    record.interest_index[:, 0] = 1.0
    record.interest_index[5000:, 0] = 0.75
    longs = by_name("interest_drop_300s").column(record, 0)
    shorts = by_name("interest_drop_300s").column(record, 1)
    assert np.flatnonzero(longs).tolist() == list(range(5000, 5300))
    assert longs[5000] == pytest.approx(0.25)
    assert not shorts.any()


def test_the_day_and_the_hour_are_those_of_the_rules() -> None:
    """The rivals look back one day, and not before they have an hour."""
    assert (baselines.DAY_S, baselines.LEAST_S) == (86_400, 3_600)
