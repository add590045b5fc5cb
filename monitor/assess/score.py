"""One month scored: the small result that is kept of it when its seconds are let go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kernels.dtypes import Records
from monitor.assess.alarms import ONSET, TIERS
from monitor.assess.baselines import STATISTICS, Statistic
from monitor.assess.curves import crossings
from monitor.assess.matching import Outcome, joined, ladder_of, meet, raised
from monitor.assess.months import Alarm, Month
from monitor.assess.negatives import Verdicts, negatives
from monitor.assess.rewave import Ends, ends
from monitor.assess.truth import RULES, Rules, month_episodes

MONTH_S: Final = 31 * 86_400
"""The month that rates are told per."""


@dataclass(frozen=True)
class Scored:
    """What is known of one month of several assets once it is scored.

    Attributes:
        regime: Name of the regime.
        assets: How many symbol-months it holds.
        seconds: How long it was.
        episodes: All true episodes (rows of `episode_dtype`), small ones too.
        tiers: How the alarms of `TIERS` met episodes.
        curves: Statistic -> how its alarms at every threshold met them.
        ends: How the end was called.
        negatives: Kind of injection -> what it raised.
    """

    regime: str
    assets: int
    seconds: int
    episodes: Records
    tiers: Outcome
    curves: dict[str, Outcome]
    ends: Ends
    negatives: dict[str, Verdicts]


def score(
    month: Month,
    statistics: Sequence[Statistic] = STATISTICS,
    rules: Rules = RULES,
    without: Sequence[Alarm] = (),
) -> Scored:
    """Score a month: its alarms, its endings, its injections, and curves where it has a record.

    Args:
        month: The month.
        statistics: Whose curves are wanted.
        rules: What counts.
        without: ONSETs of the same month without its injections.
    """
    episodes = month_episodes(month, rules)
    ladders = [ladder_of(month, k, episodes, rules) for k in range(2 * month.assets)]
    said = [month.alarms.get(tier, ()) for tier in TIERS]
    tiers = joined([meet(ladder, raised(said, ladder.number), rules) for ladder in ladders])
    curves: dict[str, Outcome] = {}
    record = month.record
    if record is not None:
        for statistic in statistics:
            parts = []
            for ladder in ladders:
                values = statistic.column(record, ladder.number)
                parts.append(meet(ladder, crossings(values, statistic.thresholds), rules))
            curves[statistic.name] = joined(parts)
    return Scored(
        regime=month.regime,
        assets=month.assets,
        seconds=month.seconds,
        episodes=episodes,
        tiers=tiers,
        curves=curves,
        ends=ends(month, ladders, episodes, tiers, ONSET),
        negatives=negatives(month, episodes, said[ONSET], rules, without),
    )
