"""Each asset's own scale u: what is usual for it, so that verdicts need no dollar thresholds.

u is the 0.995 quantile of the asset's forced share of open interest over 60 seconds, both
positions pooled, one sample each ten seconds, aged over two weeks. All samples are kept:
leaving cascades out would lower it. Before a day of samples a conservative prior stands in;
from one day to fourteen the two are blended geometrically, so that u never jumps.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import quantile
from monitor.detect.verdict import Baseline
from monitor.parameters import Parameters

SAMPLE_S: Final = 10
DAY_S: Final = 86_400.0


class Scales:
    """Histograms of all watched assets (rows) and what follows from them."""

    def __init__(self, assets: int, parameters: Parameters) -> None:
        self.parameters = parameters
        self.bins = np.zeros((assets, quantile.BINS))
        self.mass = np.zeros(assets)
        self.sampled_s = np.zeros(assets)

    def sample(self, shares_60s: npt.NDArray[np.float64]) -> None:
        """Take one sample of both positions of every asset: (assets x 2), NaN for unknown."""
        quantile.observe(self.bins, self.mass, shares_60s, 1.0)
        self.sampled_s += np.where(np.isnan(shares_60s).any(axis=1), 0.0, SAMPLE_S)

    def age_hour(self) -> None:
        """Let an hour pass over the weights."""
        quantile.age(self.bins, self.mass, math.exp(-1.0 / (24.0 * self.parameters.scale_days)))

    def baseline(self, asset: int) -> Baseline:
        """What an asset's scale rests on."""
        if self.sampled_s[asset] < DAY_S:
            return Baseline.PRIOR
        if self.sampled_s[asset] < self.parameters.scale_days * DAY_S:
            return Baseline.PARTIAL
        return Baseline.OWN

    def scale(self, asset: int) -> float:
        """An asset's u, as a share of open interest."""
        p = self.parameters
        prior = p.prior_scale_ratio
        days = self.sampled_s[asset] / DAY_S
        if days < 1.0:
            return prior
        own = quantile.quantile(self.bins, self.mass, asset, p.scale_quantile)
        own = min(p.most_scale_ratio, max(p.least_scale_ratio, own))
        weight = min(1.0, (days - 1.0) / max(1e-9, p.scale_days - 1.0))
        return math.exp((1.0 - weight) * math.log(prior) + weight * math.log(own))
