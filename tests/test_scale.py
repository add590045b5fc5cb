import itertools
import math
from random import Random

import numpy as np
import pytest

from kernels import dtypes
from monitor.detect.scale import SAMPLE_S, Scales
from monitor.detect.verdict import Baseline
from monitor.parameters import Parameters
from tests import naive

P = Parameters()
NAN = math.nan
A_DAY = 86_400 // SAMPLE_S
OWN = 2e-4


def sampled(days: float, share: float = OWN) -> Scales:
    """Scales of one asset after so many days of one and the same share."""
    scales = Scales(1, P)
    scales.sample(np.array([[share, share]]))
    scales.sampled_s[0] = days * 86_400.0
    return scales


@pytest.mark.parametrize(
    ("days", "baseline"),
    [
        (0.0, Baseline.PRIOR),
        (0.9999, Baseline.PRIOR),
        (1.0, Baseline.PARTIAL),
        (13.999, Baseline.PARTIAL),
        (14.0, Baseline.OWN),
        (99.0, Baseline.OWN),
    ],
)
def test_a_baseline_grows_with_its_samples(days: float, baseline: Baseline) -> None:
    """A day of samples makes it partial, fourteen make it the asset's own."""
    assert sampled(days).baseline(0) is baseline


def test_the_prior_stands_until_there_is_a_day() -> None:
    """Before a day of samples the scale is the conservative prior, whatever was seen."""
    assert sampled(0.99, share=4e-3).scale(0) == P.prior_scale_ratio


def test_the_full_baseline_is_the_quantile() -> None:
    """After fourteen days the scale is the asset's own quantile, to one percent."""
    assert sampled(14.0).scale(0) == pytest.approx(OWN, rel=0.01)
    assert sampled(40.0).scale(0) == sampled(14.0).scale(0)


@pytest.mark.parametrize("share", [1e-9, 1e-5, OWN, 4e-3, 0.5])
def test_the_scale_never_jumps_on_its_way(share: float) -> None:
    """From prior to own it moves in small steps, and never the wrong way."""
    days = [k / 100.0 for k in range(1600)]
    found = [sampled(day, share).scale(0) for day in days]
    steps = [math.log(after / before) for before, after in itertools.pairwise(found)]
    assert max(abs(step) for step in steps) < 0.01
    assert not (min(steps) < -1e-12 and max(steps) > 1e-12)


def test_half_way_is_the_geometric_middle() -> None:
    """Half way from one day to fourteen, prior and own count alike."""
    own = sampled(14.0).scale(0)
    assert sampled(7.5).scale(0) == pytest.approx(math.sqrt(P.prior_scale_ratio * own))


@pytest.mark.parametrize(("share", "scale"), [(0.0, 1e-6), (0.5, 5e-3)])
def test_the_scale_is_held_within_bounds(share: float, scale: float) -> None:
    """A dead market and a mad one have the least and the most scale."""
    assert sampled(14.0, share).scale(0) == pytest.approx(scale)


def test_a_fortnight_of_samples_has_the_exact_quantile() -> None:
    """Two weeks of both positions, faded by the hour, give the weighted quantile to 1 %."""
    dice = Random(5)
    scales = Scales(2, P)
    weighted: list[tuple[float, float]] = []
    fade = math.exp(-1.0 / (24.0 * 14.0))
    for _ in range(14 * 24):
        shares = [1e-6 * dice.paretovariate(1.2) for _ in range(30)]
        scales.sample(np.array([shares, [0.0] * 30]))
        weighted += [(share, 1.0) for share in shares]
        scales.age_hour()
        weighted = [(share, weight * fade) for share, weight in weighted]
    scales.sampled_s += 14 * 86_400.0
    assert scales.scale(0) == pytest.approx(naive.quantile(weighted, 0.995), rel=0.01)
    assert scales.scale(1) == pytest.approx(P.least_scale_ratio)


def test_unknown_shares_are_no_samples() -> None:
    """Without open interest an asset is not observed: its baseline does not grow."""
    scales = Scales(2, P)
    scales.sample(np.array([[NAN, NAN], [0.0, 1e-4]]))
    assert scales.sampled_s.tolist() == [0.0, SAMPLE_S]
    assert scales.mass.tolist() == [0.0, 2.0]


def test_a_day_takes_its_number_of_samples() -> None:
    """One sample each ten seconds makes a day in 8640 of them."""
    scales = Scales(1, P)
    for _ in range(A_DAY - 1):
        scales.sample(np.array([[0.0, 0.0]]))
    assert scales.baseline(0) is Baseline.PRIOR
    scales.sample(np.array([[0.0, 0.0]]))
    assert scales.baseline(0) is Baseline.PARTIAL


@pytest.mark.parametrize("seed", [1, 2])
def test_a_renewal_samples_and_scales_each_asset_by_itself(seed: int) -> None:
    """One call does what samples and scales do, and leaves out what is not known or is held."""
    dice = Random(seed)
    scales, twin = Scales(4, P), Scales(4, P)
    assets, pressure = np.zeros(6, dtypes.asset_dtype), np.zeros(12, dtypes.pressure_dtype)
    assets["scale"] = expected = np.full(6, 7.0)
    for _ in range(200):
        assets["interest"] = [dice.choice((NAN, 0.0, 5.0, 5.0, 5.0)) for _ in range(6)]
        assets["frozen"] = [dice.random() < 0.3 for _ in range(6)]
        pressure["share_60s"] = [
            dice.choice((0.0, NAN, 1e-6 * dice.paretovariate(1.2))) for _ in range(12)
        ]
        scales.renew(assets, pressure)
        shares = pressure["share_60s"][:8].reshape(4, 2).copy()
        shares[~(assets["interest"][:4] > 0.0)] = NAN
        twin.sample(shares)
        for asset in range(4):
            if not assets["frozen"][asset]:
                expected[asset] = twin.scale(asset)
        for one in (scales, twin):
            one.sampled_s *= 1.1  # so that all ages are seen
        assert assets["scale"].tolist() == expected.tolist()
    assert {scales.baseline(asset) for asset in range(4)} == {Baseline.OWN}
    for name in ("bins", "mass", "sampled_s"):
        assert (getattr(scales, name) == getattr(twin, name)).all()
    assert assets["scale"][:4].max() < 6.0
    assert assets["scale"][4:].tolist() == [7.0, 7.0]
