"""Passes over a month of seconds: true episodes, alarms of a statistic, and how they meet.

A month is one column per ladder (forced flow, a statistic) or asset (mark, open interest), one
value a second, float32 as it is stored; every sum is float64. Forced flow comes as a share of
open interest, so coins are share times open interest of the same second.
"""

import math
from typing import Final

from numba import float32, float64, int64, uint8, void
from numba.np.numpy_support import from_dtype

from kernels.dtypes import LONG, Flags, Integers, Reals, Records, Singles, episode_dtype
from kernels.jit import kernel

# Ranks of true episodes, and of alarms by the highest episode they meet (0: none).
SMALL: Final = 0
MINOR: Final = 1
OTHER: Final = 2
POSITIVE: Final = 3
RANKS: Final = 4

EARLY_RATIO: Final = 0.05

_column = float32[::1]
_episodes = from_dtype(episode_dtype)[::1]
_Episode = from_dtype(episode_dtype)


@kernel(float64(float32))
def _wide(value: float) -> float:
    """A stored value for float64 arithmetic: compiled, `float` leaves a float32 what it is."""
    return float(value)


@kernel(void(_column, _column, _column, _column, int64, int64, int64, _Episode))
def _measure(
    forced: Singles,
    endogenous: Singles,
    mark: Singles,
    interest: Singles,
    position: int,
    before_s: int,
    after_s: int,
    episode: Records,
) -> None:
    """Fill in what follows from an episode's first and last second."""
    onset, end = int(episode["onset"]), int(episode["end"])
    coins = 0.0
    own = 0.0
    for s in range(onset, end + 1):
        coins += _wide(forced[s]) * _wide(interest[s])
        own += _wide(endogenous[s]) * _wide(interest[s])
    gone = 0.0
    early = onset
    while early < end:
        gone += _wide(forced[early]) * _wide(interest[early])
        if gone >= EARLY_RATIO * coins:
            break
        early += 1
    sign = -1.0 if position == LONG else 1.0
    bottom = onset
    for s in range(onset, end + 1):
        if sign * _wide(mark[s]) > sign * _wide(mark[bottom]):
            bottom = s
    before = max(onset - before_s, 0)
    after = min(end + after_s, len(interest) - 1)
    episode["early"] = early
    episode["bottom"] = bottom
    episode["share"] = coins / _wide(interest[max(onset - 1, 0)])
    episode["endogenous"] = own / coins
    episode["start_price"] = _wide(mark[before])
    episode["extreme"] = _wide(mark[bottom])
    episode["move"] = sign * (_wide(mark[bottom]) / _wide(mark[before]) - 1.0)
    episode["decline"] = 1.0 - _wide(interest[after]) / _wide(interest[before])


@kernel(
    int64(
        _column,
        _column,
        _column,
        _column,
        int64,
        int64,
        float64,
        int64,
        int64,
        _episodes,
    )
)
def find_episodes(
    forced: Singles,
    endogenous: Singles,
    mark: Singles,
    interest: Singles,
    position: int,
    window_s: int,
    least_share: float,
    before_s: int,
    after_s: int,
    episodes: Records,
) -> int:
    """Find every episode of one ladder: forced flow that does not pause for long.

    An episode runs while the forced share of the last `window_s` seconds is at least
    `least_share`. Its onset is the first second with forced flow of the window that began it
    (and after the episode before), its end the last one while it ran.

    Args:
        forced: Forced coins over open interest, by second.
        endogenous: The part of them that no mark without forced flow had reached.
        mark: Mark price.
        interest: Open interest, coins.
        position: LONG or SHORT.
        window_s: Length of the trailing window.
        least_share: What it must hold.
        before_s: The price move and the decline are counted from so long before onset.
        after_s: The decline is counted to so long after the end.
        episodes: Room for what is found, in order; `ladder` and `rank` are left alone.

    Returns:
        How many there are, which may be more than there was room for.
    """
    found = 0
    running = False
    onset = 0
    last = -1
    held = 0.0
    busy = 0  # seconds of the window with forced flow; without any, its sum is exactly zero
    for s in range(len(forced) + 1):
        flows = False
        if s < len(forced):
            flows = forced[s] > 0.0
            if flows:
                held += _wide(forced[s])
                busy += 1
            if s >= window_s and forced[s - window_s] > 0.0:
                held -= _wide(forced[s - window_s])
                busy -= 1
            if busy == 0:
                held = 0.0
        if s < len(forced) and busy > 0 and held >= least_share:
            if not running:
                running = True
                onset = max(last + 1, s - window_s + 1)
                while onset < s and not forced[onset] > 0.0:
                    onset += 1
            if flows:
                last = s
        elif running:
            running = False
            if found < len(episodes):
                episodes[found]["onset"] = onset
                episodes[found]["end"] = last
                _measure(
                    forced,
                    endogenous,
                    mark,
                    interest,
                    position,
                    before_s,
                    after_s,
                    episodes[found],
                )
            found += 1
    return found


@kernel(
    void(
        float64[::1],
        float64[::1],
        float64,
        int64,
        int64[:, ::1],
        int64[:, ::1],
        int64[::1],
    )
)
def crossings(
    statistic: Reals,
    thresholds: Reals,
    rearm_ratio: float,
    rearm_s: int,
    detected: Integers,
    ended: Integers,
    counts: Integers,
) -> None:
    """Alarms that a statistic raises at each of many thresholds, in one pass.

    A threshold raises an alarm when the statistic reaches it, and is armed again once the
    statistic is below `rearm_ratio` of it and `rearm_s` seconds have passed since. NaN does
    neither.

    Args:
        statistic: One value a second.
        thresholds: Ascending.
        rearm_ratio: Below 1.
        rearm_s: At least 1.
        detected: Second of each alarm (thresholds x room, at least seconds / rearm_s + 1).
        ended: Second in which it was armed again; that after the last when it never was.
        counts: How many alarms each threshold raised.
    """
    counts[:] = 0
    top = -1  # highest threshold with an active alarm
    for s in range(len(statistic)):
        value = statistic[s]
        highest = -1
        k = 0
        while k < len(thresholds) and (k <= top or thresholds[k] <= value):
            n = counts[k]
            active = n > 0 and ended[k, n - 1] < 0
            if active:
                rested = s - detected[k, n - 1] >= rearm_s
                if rested and value < rearm_ratio * thresholds[k]:
                    ended[k, n - 1] = s
                    active = False
            elif thresholds[k] <= value:
                detected[k, n] = s
                ended[k, n] = -1
                counts[k] = n + 1
                active = True
            if active:
                highest = k
            k += 1
        top = highest
    for k in range(len(thresholds)):
        n = counts[k]
        if n > 0 and ended[k, n - 1] < 0:
            ended[k, n - 1] = len(statistic)


@kernel(float64(_column, _column, int64, int64))
def _coins(forced: Singles, interest: Singles, start: int, end: int) -> float:
    """Forced coins of the seconds from start to end, both included."""
    coins = 0.0
    for s in range(start, end + 1):
        coins += _wide(forced[s]) * _wide(interest[s])
    return coins


@kernel(
    void(
        int64[:, ::1],
        int64[:, ::1],
        int64[::1],
        _episodes,
        _column,
        _column,
        _column,
        int64,
        int64[:, ::1],
        float64[:, ::1],
        float64[:, ::1],
        int64[:, ::1],
        uint8[:, ::1],
    )
)
def meet(
    detected: Integers,
    ended: Integers,
    counts: Integers,
    episodes: Records,
    forced: Singles,
    interest: Singles,
    mark: Singles,
    lead_s: int,
    tallies: Integers,
    remaining: Reals,
    price: Reals,
    seconds: Integers,
    covered: Flags,
) -> None:
    """Match one ladder's alarms of every threshold with its true episodes.

    An alarm meets an episode when it is detected between onset and end, or at most `lead_s`
    seconds before onset and is still active then. The first alarm counts for the episode; the
    highest rank it meets counts for the alarm.

    Args:
        detected: Seconds of alarms, ascending (thresholds x room).
        ended: Seconds in which they ended.
        counts: How many alarms each threshold raised.
        episodes: In order, with ranks.
        forced: Forced coins over open interest, by second.
        interest: Open interest, coins.
        mark: Mark price.
        lead_s: How early an alarm may be.
        tallies: Alarms by rank (thresholds x RANKS), added to.
        remaining: Share of forced flow after the first alarm's second (episodes x thresholds);
            NaN for a miss.
        price: Share of the price move after it; NaN for a miss.
        seconds: The first alarm's second; -1 for a miss.
        covered: Whether a miss began while an older alarm was active.
    """
    for k in range(len(counts)):
        for e in range(len(episodes)):
            remaining[e, k] = math.nan
            price[e, k] = math.nan
            seconds[e, k] = -1
            covered[e, k] = 0
        first = 0
        for a in range(counts[k]):
            at, until = detected[k, a], ended[k, a]
            while first < len(episodes) and episodes[first]["end"] < at:
                first += 1
            rank = 0
            e = first
            while e < len(episodes) and episodes[e]["onset"] <= until:
                episode = episodes[e]
                onset, end = episode["onset"], episode["end"]
                if onset > at + lead_s:
                    covered[e, k] = 1
                    e += 1
                    continue
                rank = max(rank, episode["rank"])
                if seconds[e, k] < 0:
                    seconds[e, k] = at
                    remaining[e, k] = 1.0
                    if at >= onset:
                        total = _coins(forced, interest, onset, end)
                        gone = _coins(forced, interest, onset, at)
                        remaining[e, k] = max(0.0, 1.0 - gone / total)
                    whole = episode["extreme"] - episode["start_price"]
                    price[e, k] = 0.0
                    if at < episode["bottom"] and episode["move"] > 0.0:
                        rest = (episode["extreme"] - _wide(mark[at])) / whole
                        price[e, k] = min(1.0, max(0.0, rest))
                e += 1
            tallies[k, rank] += 1
        for e in range(len(episodes)):
            if seconds[e, k] >= 0:
                covered[e, k] = 0


@kernel(void(_column, int64, int64, int64, int64[::1], int64[::1]))
def holds(
    mark: Singles, start: int, limit: int, position: int, holds_s: Integers, calls: Integers
) -> None:
    """When there had been no new extreme for so long: one second for each hold.

    Args:
        mark: Mark price by second.
        start: Second from which extremes are counted.
        limit: Second before which a call must come.
        position: LONG or SHORT.
        holds_s: Ascending.
        calls: The second of each call; -1 when there was none.
    """
    sign = -1.0 if position == LONG else 1.0
    calls[:] = -1
    h = 0
    at = start
    for s in range(start, limit):
        if sign * _wide(mark[s]) > sign * _wide(mark[at]):
            at = s
        while h < len(holds_s) and s - at >= holds_s[h]:
            calls[h] = s
            h += 1
        if h == len(holds_s):
            break
