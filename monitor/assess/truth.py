"""True episodes of a month: where forced flow really was, and which of it is a cascade.

A positive is an episode of at least 1 % of open interest, of which forced flow itself brought
about at least 35 %, with a price move of at least 1 % in the forced direction. From 0.3 to 1 %
an episode is minor: an alarm there is neither asked for nor false. An episode of 1 % or more
that fails the other two conditions is `other`: no alarm is asked for, and one is not false.
"""

import msgspec
import numpy as np

from kernels import scoring
from kernels.dtypes import Records, episode_dtype
from monitor.assess.months import Month, Shares, column

_ROOM = 4096


class Rules(msgspec.Struct, frozen=True):
    """What makes an episode, and what makes it count.

    Attributes:
        window_s: Forced flow of so many seconds is looked at together.
        least_share: Share of open interest it must hold for an episode to run.
        before_s: Price move and decline are counted from so long before onset.
        after_s: The decline is counted to so long after the end.
        minor_share: Least share of an episode that excuses an alarm.
        positive_share: Least share of a positive.
        large_share: Least share of a large one.
        endogenous_ratio: Least part of a positive that forced flow brought about itself.
        move_ratio: Least price move of a positive.
        lead_s: How long before onset an alarm may come.
    """

    window_s: int = 120
    least_share: float = 5e-5
    before_s: int = 60
    after_s: int = 300
    minor_share: float = 0.003
    positive_share: float = 0.01
    large_share: float = 0.02
    endogenous_ratio: float = 0.35
    move_ratio: float = 0.01
    lead_s: int = 600


RULES = Rules()


def ladder_episodes(
    forced: Shares,
    endogenous: Shares,
    mark: Shares,
    interest: Shares,
    ladder: int,
    rules: Rules = RULES,
) -> Records:
    """Every episode of one ladder (rows of `episode_dtype`), from its columns (float32)."""
    room = _ROOM
    while True:
        found = np.zeros(room, episode_dtype)
        n = scoring.find_episodes(
            forced,
            endogenous,
            mark,
            interest,
            ladder % 2,
            rules.window_s,
            rules.least_share,
            rules.before_s,
            rules.after_s,
            found,
        )
        if n <= room:
            break
        room = n
    found = found[:n]
    found["ladder"] = ladder
    found["rank"] = ranks(found, rules)
    return found


def ranks(episodes: Records, rules: Rules = RULES) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """SMALL, MINOR, OTHER or POSITIVE of each episode."""
    counts = (episodes["endogenous"] >= rules.endogenous_ratio) & (
        episodes["move"] >= rules.move_ratio
    )
    large = np.where(counts, scoring.POSITIVE, scoring.OTHER)
    rest = np.where(episodes["share"] >= rules.minor_share, scoring.MINOR, scoring.SMALL)
    return np.where(episodes["share"] >= rules.positive_share, large, rest).astype(np.int64)


def month_episodes(month: Month, rules: Rules = RULES) -> Records:
    """Every episode of a month, ladder by ladder, each ladder's in order."""
    return np.concatenate(
        [
            ladder_episodes(
                column(month.forced, ladder),
                column(month.endogenous, ladder),
                column(month.mark, ladder // 2),
                column(month.interest, ladder // 2),
                ladder,
                rules,
            )
            for ladder in range(month.forced.shape[1])
        ]
    )
