"""Slow, obvious twins of the kernels that score: every rule again, second by second."""

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

NAN = math.nan


class Episode(NamedTuple):
    """A true episode, field for field as the kernel tells it."""

    onset: int
    end: int
    early: int
    bottom: int
    share: float
    endogenous: float
    start_price: float
    extreme: float
    move: float
    decline: float


def episodes(
    forced: Sequence[float],
    endogenous: Sequence[float],
    mark: Sequence[float],
    interest: Sequence[float],
    position: int,
    *,
    window_s: int,
    least_share: float,
    before_s: int,
    after_s: int,
) -> list[Episode]:
    """Stretches of seconds whose trailing window holds enough, cut to their forced flow."""
    runs = [
        math.fsum(forced[max(0, s - window_s + 1) : s + 1]) >= least_share
        and any(forced[max(0, s - window_s + 1) : s + 1])
        for s in range(len(forced))
    ]
    starts = [s for s in range(len(runs)) if runs[s] and not (s and runs[s - 1])]
    stops = [s for s in range(len(runs)) if runs[s] and not (s + 1 < len(runs) and runs[s + 1])]
    found = []
    last = -1
    for start, stop in zip(starts, stops, strict=True):
        first = max(last + 1, start - window_s + 1)
        seconds = [s for s in range(first, stop + 1) if forced[s] > 0.0]
        last = seconds[-1]
        found.append(
            _measured(
                range(seconds[0], last + 1),
                [x * i for x, i in zip(forced, interest, strict=True)],
                [x * i for x, i in zip(endogenous, interest, strict=True)],
                mark,
                interest,
                -1.0 if position == 0 else 1.0,
                before_s,
                after_s,
            )
        )
    return found


def _measured(
    seconds: range,
    coins: Sequence[float],
    own: Sequence[float],
    mark: Sequence[float],
    interest: Sequence[float],
    sign: float,
    before_s: int,
    after_s: int,
) -> Episode:
    onset, end = seconds[0], seconds[-1]
    total = math.fsum(coins[onset : end + 1])
    early = next(s for s in seconds if math.fsum(coins[onset : s + 1]) >= 0.05 * total)
    bottom = max(seconds, key=lambda s: (sign * mark[s], -s))
    before, after = max(0, onset - before_s), min(len(mark) - 1, end + after_s)
    return Episode(
        onset=onset,
        end=end,
        early=early,
        bottom=bottom,
        share=total / interest[max(0, onset - 1)],
        endogenous=math.fsum(own[onset : end + 1]) / total,
        start_price=mark[before],
        extreme=mark[bottom],
        move=sign * (mark[bottom] / mark[before] - 1.0),
        decline=1.0 - interest[after] / interest[before],
    )


def crossings(
    statistic: Sequence[float], threshold: float, rearm_ratio: float, rearm_s: int
) -> list[tuple[int, int]]:
    """(detected, ended) of the alarms of one threshold."""
    found = []
    since = None
    for s, value in enumerate(statistic):
        if since is None:
            if value >= threshold:
                since = s
        elif value < rearm_ratio * threshold and s - since >= rearm_s:
            found.append((since, s))
            since = None
    if since is not None:
        found.append((since, len(statistic)))
    return found


class Met(NamedTuple):
    """What one threshold's alarms met: alarms by rank; the rest by episode."""

    tallies: list[int]
    remaining: list[float]
    price: list[float]
    seconds: list[int]
    covered: list[int]


def meet(
    alarms: Sequence[tuple[int, int]],
    true: Sequence[Episode],
    ranks: Sequence[int],
    forced: Sequence[float],
    interest: Sequence[float],
    mark: Sequence[float],
    lead_s: int,
) -> Met:
    """Every alarm with every episode."""

    def met(at: int, until: int, episode: Episode) -> bool:
        within = episode.onset <= at <= episode.end
        return within or (at < episode.onset <= at + lead_s and until >= episode.onset)

    tallies = [0, 0, 0, 0]
    for at, until in alarms:
        tallies[max([0, *(r for e, r in zip(true, ranks, strict=True) if met(at, until, e))])] += 1
    found = Met(tallies, [], [], [], [])
    coins = [x * i for x, i in zip(forced, interest, strict=True)]
    for episode in true:
        hits = [at for at, until in alarms if met(at, until, episode)]
        found.seconds.append(hits[0] if hits else -1)
        older = [at for at, until in alarms if at < episode.onset <= until]
        found.covered.append(int(bool(older) and not hits))
        if not hits:
            found.remaining.append(NAN)
            found.price.append(NAN)
            continue
        total = math.fsum(coins[episode.onset : episode.end + 1])
        gone = math.fsum(coins[episode.onset : hits[0] + 1])
        found.remaining.append(1.0 - gone / total)
        whole = episode.extreme - episode.start_price
        rest = 0.0
        if hits[0] < episode.bottom and episode.move > 0.0:
            rest = (episode.extreme - mark[hits[0]]) / whole
        found.price.append(min(1.0, max(0.0, rest)))
    return found


def holds(
    mark: Sequence[float], start: int, limit: int, position: int, holds_s: Sequence[int]
) -> list[int]:
    """For each hold the first second with no new extreme for so long, or -1."""
    sign = -1.0 if position == 0 else 1.0
    found = []
    for hold_s in holds_s:
        call = -1
        for s in range(start, limit):
            extreme = max(range(start, s + 1), key=lambda k: (sign * mark[k], -k))
            if s - extreme >= hold_s:
                call = s
                break
        found.append(call)
    return found


def rolling_sum(values: Sequence[float], window_s: int) -> list[float]:
    """Sums of slices."""
    return [math.fsum(values[max(0, s - window_s + 1) : s + 1]) for s in range(len(values))]


def rolling_moments(
    values: Sequence[float], window_s: int, least: int
) -> tuple[list[float], list[float]]:
    """Mean and deviation of the known values before each second."""
    means, deviations = [], []
    for s in range(len(values)):
        known = [v for v in values[max(0, s - window_s) : s] if not math.isnan(v)]
        enough = len(known) >= least
        means.append(statistics.fmean(known) if enough else NAN)
        deviations.append(statistics.pstdev(known) if enough else NAN)
    return means, deviations


def drained(values: Sequence[float], drain_per_s: float) -> list[float]:
    """The largest, over all pasts, of what came less what ran out after its first second."""
    return [
        max(math.fsum(values[k : s + 1]) - drain_per_s * (s - k) for k in range(s + 1))
        for s in range(len(values))
    ]


def recall_at(false_alarms: Sequence[float], recall: Sequence[float], most: float) -> float:
    """The best of all points that keep the bound, and of where neighbours straddle it."""
    best = max([0.0, *(r for f, r in zip(false_alarms, recall, strict=True) if f <= most)])
    for left, right in pairwise(zip(false_alarms, recall, strict=True)):
        (inside, outside) = sorted((left, right))
        if inside[0] <= most < outside[0]:
            part = (most - inside[0]) / (outside[0] - inside[0])
            best = max(best, inside[1] + part * (outside[1] - inside[1]))
    return best
