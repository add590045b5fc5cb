"""Alarms against true episodes: which alarm meets which episode, and what was still to come.

An alarm meets an episode when it is detected between the episode's onset and end, or at most ten
minutes before its onset and is still active then. For an episode its first alarm counts, for an
alarm the highest episode it meets: none of 0.3 % or more makes it false, a minor one puts it in
the band between, anything larger explains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kernels import scoring
from kernels.dtypes import Flags, Integers, Reals, Records
from monitor.assess.months import Alarm, Month, Shares, column
from monitor.assess.truth import RULES, Rules


@dataclass(frozen=True)
class Ladder:
    """One ladder of a month: its columns (float32 by second) and its episodes from 0.3 % on."""

    number: int
    forced: Shares
    interest: Shares
    mark: Shares
    episodes: Records


@dataclass(frozen=True)
class Raised:
    """Alarms of one ladder at several tiers or thresholds, in order.

    Attributes:
        detected: Second of each (thresholds x room).
        ended: Second in which it ended (the same).
        counts: How many each threshold raised.
    """

    detected: Integers
    ended: Integers
    counts: Integers


@dataclass(frozen=True)
class Outcome:
    """How alarms at several tiers or thresholds met the episodes of a ladder or of a month.

    Attributes:
        tallies: Alarms by the highest rank they meet (assets x thresholds x RANKS).
        episodes: Those of 0.3 % or more (rows of `episode_dtype`).
        remaining: Forced flow still to come at the first alarm (episodes x thresholds), NaN for
            a miss.
        price: The same of the price move.
        seconds: Second of the first alarm, -1 for a miss.
        covered: 1 where a miss began while an older alarm was still active.
    """

    tallies: Integers
    episodes: Records
    remaining: Reals
    price: Reals
    seconds: Integers
    covered: Flags


def ladder_of(month: Month, number: int, episodes: Records, rules: Rules = RULES) -> Ladder:
    """A month's ladder, with those of its episodes that excuse an alarm."""
    mine = episodes[(episodes["ladder"] == number) & (episodes["share"] >= rules.minor_share)]
    return Ladder(
        number=number,
        forced=column(month.forced, number),
        interest=column(month.interest, number // 2),
        mark=column(month.mark, number // 2),
        episodes=np.ascontiguousarray(mine),
    )


def raised(tiers: Sequence[Sequence[Alarm]], ladder: int) -> Raised:
    """One ladder's alarms of several tiers, each tier's in order of detection."""
    mine = [[alarm for alarm in alarms if alarm.ladder == ladder] for alarms in tiers]
    room = max((len(alarms) for alarms in mine), default=0)
    detected = np.zeros((len(tiers), room), np.int64)
    ended = np.zeros((len(tiers), room), np.int64)
    for k, alarms in enumerate(mine):
        detected[k, : len(alarms)] = [alarm.detected for alarm in alarms]
        ended[k, : len(alarms)] = [alarm.ended for alarm in alarms]
    return Raised(detected, ended, np.array([len(alarms) for alarms in mine], np.int64))


def meet(ladder: Ladder, alarms: Raised, rules: Rules = RULES) -> Outcome:
    """Match one ladder's alarms with its episodes."""
    shape = (len(ladder.episodes), len(alarms.counts))
    outcome = Outcome(
        tallies=np.zeros((1, len(alarms.counts), scoring.RANKS), np.int64),
        episodes=ladder.episodes,
        remaining=np.empty(shape),
        price=np.empty(shape),
        seconds=np.empty(shape, np.int64),
        covered=np.empty(shape, np.uint8),
    )
    scoring.meet(
        alarms.detected,
        alarms.ended,
        alarms.counts,
        ladder.episodes,
        ladder.forced,
        ladder.interest,
        ladder.mark,
        rules.lead_s,
        outcome.tallies[0],
        outcome.remaining,
        outcome.price,
        outcome.seconds,
        outcome.covered,
    )
    return outcome


def joined(ladders: Sequence[Outcome]) -> Outcome:
    """The outcome of a month from those of all its ladders, in order."""
    tallies = np.concatenate([ladder.tallies for ladder in ladders])
    return Outcome(
        tallies=tallies[0::2] + tallies[1::2],
        episodes=np.concatenate([ladder.episodes for ladder in ladders]),
        remaining=np.concatenate([ladder.remaining for ladder in ladders]),
        price=np.concatenate([ladder.price for ladder in ladders]),
        seconds=np.concatenate([ladder.seconds for ladder in ladders]),
        covered=np.concatenate([ladder.covered for ladder in ladders]),
    )
