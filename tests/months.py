"""Hand-made months for the tests of scoring: quiet markets, and what is put into them."""

import numpy as np

from monitor.assess.alarms import TIERS
from monitor.assess.months import Alarm, Ending, Injection, Month
from monitor.assess.passage import Record

PRICE = 100.0
INTEREST = 1000.0


class Sketch:
    """A month of quiet assets that cascades can be drawn into."""

    def __init__(self, seconds: int = 20_000, assets: int = 1, regime: str = "base") -> None:
        self.seconds = seconds
        self.regime = regime
        self.forced = np.zeros((seconds, 2 * assets), np.float32)
        self.endogenous = np.zeros((seconds, 2 * assets), np.float32)
        self.mark = np.full((seconds, assets), PRICE, np.float32)
        self.interest = np.full((seconds, assets), INTEREST, np.float32)
        self.alarms: dict[str, list[Alarm]] = {tier: [] for tier in TIERS}
        self.endings: list[Ending] = []
        self.injections: list[Injection] = []
        self.record: Record | None = None

    def cascade(
        self,
        ladder: int,
        onset: int,
        lasts_s: int,
        share: float,
        *,
        endogenous: float = 0.5,
        move: float = 0.02,
    ) -> "Sketch":
        """Steady forced flow; the mark goes steadily as far, and is back the second after."""
        last = onset + lasts_s
        self.forced[onset:last, ladder] += share / lasts_s
        self.endogenous[onset:last, ladder] += endogenous * share / lasts_s
        sign = 1.0 if ladder % 2 else -1.0
        way = np.arange(1, lasts_s + 1) / lasts_s
        self.mark[onset:last, ladder // 2] = PRICE * (1.0 + sign * move * way)
        return self

    def alarm(self, ladder: int, detected: int, ended: int, tier: str = "ONSET") -> "Sketch":
        """An alarm of one tier, and of those below it."""
        for lower in TIERS[: TIERS.index(tier) + 1]:
            self.alarms[lower].append(Alarm(ladder, detected, ended))
        return self

    def ending(
        self,
        ladder: int,
        onset: int,
        second: int,
        state: str = "EXHAUSTED",
        probability: float = 0.2,
    ) -> "Sketch":
        """The end of a detected episode."""
        self.endings.append(Ending(ladder, onset, second, state, probability))
        return self

    def injected(self, kind: str, asset: int, start: int, end: int) -> "Sketch":
        """A hard negative."""
        self.injections.append(Injection(kind, asset, start, end))
        return self

    def recorded(self, coverage: float = 1.0) -> "Sketch":
        """A record in which every forced second was seen, as one order."""
        record = Record(self.seconds, self.mark.shape[1])
        record.share[:] = self.forced * coverage
        record.orders[:] = self.forced > 0.0
        record.usd[:] = record.share * INTEREST * PRICE
        record.price[:] = self.mark
        record.interest_index[:] = 1.0
        self.record = record
        return self

    def month(self) -> Month:
        """What was drawn."""
        return Month(
            regime=self.regime,
            forced=self.forced,
            endogenous=self.endogenous,
            mark=self.mark,
            interest=self.interest,
            record=self.record,
            alarms={tier: tuple(alarms) for tier, alarms in self.alarms.items()},
            endings=tuple(self.endings),
            injections=tuple(self.injections),
        )
