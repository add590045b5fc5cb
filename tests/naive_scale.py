"""The twin of kernels.scale: one asset's own scale from all that was ever sampled of it.

It keeps every sample and every quarter hour with the weight it has left, and adds up anew.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tests import naive

DAY_S = 86_400.0
BLOCK_S = 900.0


class Rules(NamedTuple):
    """What the scale is told; as the parameters name it."""

    prior: float = 3e-4
    least: float = 1e-6
    most: float = 5e-3
    # No rank of a few hundred samples lies on the edge of a bin.
    quantile: float = 0.937
    days: float = 14.0
    sample_s: float = 300.0
    fall: float = 0.001
    least_fallen: float = 0.01
    most_lean: float = 2.0


class Sample(NamedTuple):
    """What is known of an asset when a sample is taken.

    Attributes:
        interest: Open interest, coins.
        shares_60s: Forced shares of the last minute, (long, short).
        totals: Forced shares since ever.
        chain: Index of its open interest.
    """

    interest: float
    shares_60s: tuple[float, float]
    totals: tuple[float, float]
    chain: float


class Scale:
    """Twin of one row of kernels.scale.

    Attributes:
        sampled_s: Seconds that its samples stand for.
        shares: [60-s share, weight] of all samples.
        falls: [printed, fallen, weight] of all busy quarter hours.
        run: Samples since the quarter hour began, the first of which began it.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.sampled_s = 0.0
        self.shares: list[list[float]] = []
        self.falls: list[list[float]] = []
        self.run: list[Sample] = []

    def renew(self, sample: Sample) -> None:
        """Take a sample, where there is anything to sample."""
        if not sample.interest > 0.0:
            self.run = []
            return
        known = [share for share in sample.shares_60s if not math.isnan(share)]
        self.shares += [[share, 1.0] for share in known]
        if len(known) == 2:
            self.sampled_s += self.rules.sample_s
        self.run.append(sample)
        if (len(self.run) - 1) * self.rules.sample_s >= BLOCK_S:
            self._see_fall(self.run[0], self.run[-1])
            self.run = [sample]

    def fade(self, factor: float) -> None:
        """Let all that was seen count less."""
        for one in (*self.shares, *self.falls):
            one[-1] *= factor

    def usual(self) -> float:
        """The tail quantile of the 60-s share, as the histogram tells it."""
        bins = naive.Histogram()
        for share, weight in self.shares:
            bins.observe(share, weight)
        return bins.quantile(self.rules.quantile)

    def fallen(self) -> tuple[float, float]:
        """What was printed in the busy quarter hours, and by how much open interest fell."""
        return (
            math.fsum(printed * weight for printed, _, weight in self.falls),
            math.fsum(fallen * weight for _, fallen, weight in self.falls),
        )

    def own(self) -> float:
        """The scale from what was seen of the asset alone."""
        rules, usual = self.rules, self.usual()
        if math.isnan(usual) or usual <= rules.least:
            return rules.least
        printed, fallen = self.fallen()
        u = usual
        if printed > 0.0 and fallen >= rules.least_fallen:
            u = math.sqrt(usual * rules.fall * printed / fallen)
        u = _within(usual / rules.most_lean, u, usual * rules.most_lean)
        return _within(rules.least, u, rules.most)

    def scale(self) -> float:
        """The scale: the prior for a day, then more and more the own one."""
        days = self.sampled_s / DAY_S
        if days < 1.0:
            return self.rules.prior
        own = min(1.0, (days - 1.0) / (self.rules.days - 1.0))
        return math.pow(self.rules.prior, 1.0 - own) * math.pow(self.own(), own)

    def _see_fall(self, first: Sample, last: Sample) -> None:
        printed = _less(last.totals, first.totals)
        fallen = 1.0 - last.chain / first.chain
        busy = self.usual() > 0.0 and max(printed) >= self.usual()
        if busy and abs(fallen) < 1.0:  # nor is NaN
            self.falls.append([sum(printed), fallen, 1.0])


def _less(last: Sequence[float], first: Sequence[float]) -> list[float]:
    return [after - before for after, before in zip(last, first, strict=True)]


def _within(low: float, value: float, high: float) -> float:
    return min(high, max(low, value))
