"""Scored months laid side by side: the cases that figures are computed from.

Every case knows its symbol-month, so that whole symbol-months can be drawn again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels import scoring
from kernels.dtypes import Flags, Integers, Reals, Records
from monitor.assess import results
from monitor.assess.intervals import Choice, Draws, Places, draw
from monitor.assess.matching import Outcome
from monitor.assess.score import MONTH_S, Scored
from monitor.assess.truth import RULES, Rules


@dataclass(frozen=True)
class Cases:
    """Alarms and episodes of one regime, at several tiers or thresholds.

    Attributes:
        draws: How symbol-months are drawn.
        exposure: Length of each symbol-month, in months (months).
        tallies: Alarms by the highest rank they meet (months x thresholds x RANKS).
        month_of: Symbol-month of each episode.
        episodes: Those of 0.3 % or more.
        remaining: As in `Outcome` (episodes x thresholds), as are the following.
        price: The same of the price move.
        seconds: Second of the first alarm, -1 for a miss.
        covered: Whether a miss began while an older alarm was active.
    """

    draws: Draws
    exposure: Reals
    tallies: Integers
    month_of: Places
    episodes: Records
    remaining: Reals
    price: Reals
    seconds: Integers
    covered: Flags

    def chosen(self, group: str, rules: Rules = RULES) -> Choice:
        """Which episodes belong to a group."""
        positive = self.episodes["rank"] == scoring.POSITIVE
        large = self.episodes["share"] >= rules.large_share
        match group:
            case results.ALL:
                return np.asarray(positive)
            case results.MEDIUM:
                return np.asarray(positive & ~large)
            case results.LARGE:
                return np.asarray(positive & large)
            case results.LONG_CLOSED:
                return np.asarray(positive & (self.episodes["ladder"] % 2 == 0))
            case results.SHORT_CLOSED:
                return np.asarray(positive & (self.episodes["ladder"] % 2 == 1))
            case _:
                return np.asarray(self.episodes["rank"] == scoring.MINOR)


def cases(scored: Sequence[Scored], outcomes: Sequence[Outcome], draws: Draws) -> Cases:
    """Lay one regime's months side by side: `outcomes` are theirs, of one kind."""
    first = firsts(scored)
    return Cases(
        draws=draws,
        exposure=exposure(scored),
        tallies=np.concatenate([outcome.tallies for outcome in outcomes]),
        month_of=np.concatenate(
            [
                outcome.episodes["ladder"] // 2 + start
                for outcome, start in zip(outcomes, first, strict=True)
            ]
        ),
        episodes=np.concatenate([outcome.episodes for outcome in outcomes]),
        remaining=np.concatenate([outcome.remaining for outcome in outcomes]),
        price=np.concatenate([outcome.price for outcome in outcomes]),
        seconds=np.concatenate([outcome.seconds for outcome in outcomes]),
        covered=np.concatenate([outcome.covered for outcome in outcomes]),
    )


def firsts(scored: Sequence[Scored]) -> list[int]:
    """Place of each month's first symbol-month among all of the regime."""
    sizes = [month.assets for month in scored]
    return [sum(sizes[:k]) for k in range(len(sizes))]


def exposure(scored: Sequence[Scored]) -> Reals:
    """Length of each symbol-month, in months."""
    return np.concatenate([np.full(month.assets, month.seconds / MONTH_S) for month in scored])


def drawn(scored: Sequence[Scored], resamples: int, seed: int) -> Draws:
    """Draws of one regime's symbol-months."""
    return draw(sum(month.assets for month in scored), resamples, seed)
