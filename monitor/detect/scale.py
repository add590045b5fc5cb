"""Each asset's own scale u: what is usual for it, so that verdicts need no dollar thresholds.

u is the geometric mean of two figures (see kernels.scale): the 0.995 quantile of the asset's
forced share of open interest over 60 seconds, both positions pooled, one sample each ten
seconds; and what is usually printed while open interest falls by a tenth of a percent. Both
age over two weeks. All samples are kept: leaving cascades out would lower them. Before a day of
samples a conservative prior stands in; from one day to fourteen the two are blended
geometrically, so that u never jumps.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import dtypes, quantile, scale
from kernels.dtypes import Records
from monitor.detect.verdict import Baseline
from monitor.parameters import Parameters

SAMPLE_S: Final = 10
DAY_S: Final = scale.DAY_S


class Scales:
    """Histograms of all watched assets (rows) and what follows from them.

    Attributes:
        bins: Weights (assets x bins), float64.
        mass: Their sums (assets).
        sampled_s: Seconds that each asset's samples stand for (assets).
        falls: What was printed and what fell (assets).
        rules: The parameters as the kernels take them, one record.
    """

    def __init__(self, assets: int, parameters: Parameters) -> None:
        self.parameters = parameters
        self.bins = np.zeros((assets, quantile.BINS))
        self.mass = np.zeros(assets)
        self.sampled_s = np.zeros(assets)
        self.falls = np.zeros(assets, dtypes.fall_dtype)
        self.rules = np.zeros(1, dtypes.scale_dtype)
        self.rules["prior"] = parameters.prior_scale_ratio
        self.rules["least"] = parameters.least_scale_ratio
        self.rules["most"] = parameters.most_scale_ratio
        self.rules["quantile"] = parameters.scale_quantile
        self.rules["days"] = parameters.scale_days
        self.rules["sample_s"] = SAMPLE_S
        self.rules["fade"] = math.exp(-1.0 / (24.0 * parameters.scale_days))
        self.rules["fall"] = parameters.scale_fall_ratio
        self.rules["least_fallen"] = parameters.least_fallen_ratio
        self.rules["most_lean"] = parameters.most_lean

    def renew(self, assets: Records, pressure: Records) -> None:
        """Sample every asset's 60-s shares and renew the scales that no episode holds."""
        scale.renew(self.bins, self.mass, self.sampled_s, self.falls, assets, pressure, self.rules)

    def sample(self, shares_60s: npt.NDArray[np.float64]) -> None:
        """Take one sample of both positions of every asset: (assets x 2), NaN for unknown."""
        quantile.observe(self.bins, self.mass, shares_60s, 1.0)
        self.sampled_s += np.where(np.isnan(shares_60s).any(axis=1), 0.0, SAMPLE_S)

    def age_hour(self) -> None:
        """Let an hour pass over the weights."""
        scale.fade(self.bins, self.mass, self.falls, float(self.rules["fade"][0]))

    def baseline(self, asset: int) -> Baseline:
        """What an asset's scale rests on."""
        if self.sampled_s[asset] < DAY_S:
            return Baseline.PRIOR
        if self.sampled_s[asset] < self.parameters.scale_days * DAY_S:
            return Baseline.PARTIAL
        return Baseline.OWN

    def scale(self, asset: int) -> float:
        """An asset's u, as a share of open interest."""
        return scale.scale(self.bins, self.mass, self.sampled_s, self.falls, asset, self.rules)
