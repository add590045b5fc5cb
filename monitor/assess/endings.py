"""Figures of how the end was called."""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from kernels import scoring
from kernels.dtypes import Reals, Records
from monitor.assess import intervals
from monitor.assess.cases import firsts
from monitor.assess.figures import QUANTILES, mean_of
from monitor.assess.intervals import Choice, Draws, Places
from monitor.assess.results import Bin, Exhaustion, Figure, Hold, Quantiles
from monitor.assess.rewave import CALLED, HOLDS_S, MISSED, OVERTAKEN
from monitor.assess.score import Scored

Regimes = Sequence[tuple[Sequence[Scored], Draws]]

BINS: Final = 10


def exhaustion(regimes: Regimes) -> Exhaustion:
    """How well the end was called in one regime, or on average over several."""
    calls = _Rows(regimes, lambda month: month.ends.calls)
    research = _Rows(regimes, lambda month: month.ends.research)
    fates = _Rows(regimes, lambda month: month.ends.fates)
    reliability, error = _calibration(calls)
    return Exhaustion(
        endings=_endings(regimes),
        rewave=calls.mean("rewave", _final(scoring.SMALL)),
        rewave_minor=calls.mean("rewave", _final(scoring.MINOR)),
        rewave_positive=calls.mean("rewave", _final(scoring.POSITIVE)),
        missed=fates.share(
            lambda rows: rows["fate"] == MISSED, lambda rows: rows["fate"] != OVERTAKEN
        ),
        overtaken=int(sum((rows["fate"] == OVERTAKEN).sum() for rows, _, _ in fates.parts)),
        lag_s=fates.quantiles("lag_s", lambda rows: rows["fate"] == CALLED),
        age_s=calls.quantiles("age_s", _final(scoring.SMALL)),
        holds=tuple(_hold(research, hold_s) for hold_s in HOLDS_S),
        reliability=reliability,
        calibration_error=error,
    )


def _final(rank: int) -> Callable[[Records], Choice]:
    """Which calls are EXHAUSTED and ended an episode of at least this rank."""
    return lambda rows: np.asarray((rows["final"] == 1) & (rows["rank"] >= rank))


def _hold(research: "_Rows", hold_s: int) -> Hold:
    """One point of the re-wave curve."""

    def at_least(rank: int) -> Callable[[Records], Choice]:
        return lambda rows: np.asarray((rows["hold_s"] == hold_s) & (rows["rank"] >= rank))

    return Hold(
        hold_s=hold_s,
        rewave=research.mean("rewave", at_least(scoring.MINOR)),
        rewave_positive=research.mean("rewave", at_least(scoring.POSITIVE)),
    )


def _endings(regimes: Regimes) -> dict[str, int]:
    """Detected episodes by how they ended."""
    found: dict[str, int] = {}
    for scored, _ in regimes:
        for month in scored:
            for name, n in month.ends.endings.items():
                found[name] = found.get(name, 0) + n
    return dict(sorted(found.items()))


class _Rows:
    """Rows of all months of each regime, with the symbol-month of each row."""

    def __init__(self, regimes: Regimes, rows: Callable[[Scored], Records]) -> None:
        self.parts: list[tuple[Records, Places, Draws]] = []
        for scored, draws in regimes:
            tables = [rows(month) for month in scored]
            places = [
                table["asset"] + start for table, start in zip(tables, firsts(scored), strict=True)
            ]
            self.parts.append((np.concatenate(tables), np.concatenate(places), draws))

    def mean(self, name: str, which: Callable[[Records], Choice]) -> Figure:
        """Mean of a field over chosen rows."""
        return self.share(lambda rows: rows[name], which)

    def share(
        self,
        value: Callable[[Records], Places | Choice],
        which: Callable[[Records], Choice],
    ) -> Figure:
        """Mean of something over chosen rows."""
        samples, n = [], 0
        for rows, places, draws in self.parts:
            chosen = which(rows)
            values = value(rows)[chosen].astype(np.float64)
            samples.append(mean_of(draws, values, places[chosen]))
            n += len(values)
        return intervals.figure(intervals.mean(samples), n)

    def quantiles(self, name: str, which: Callable[[Records], Choice]) -> Quantiles:
        """Quantiles of a field over chosen rows."""
        samples, n = [], 0
        for rows, places, draws in self.parts:
            chosen = which(rows)
            values = rows[name][chosen].astype(np.float64)
            samples.append(intervals.quantiles(draws, values, places[chosen], QUANTILES))
            n += len(values)
        return Quantiles(
            *(
                intervals.figure(intervals.mean([regime[k] for regime in samples]), n)
                for k in range(len(QUANTILES))
            )
        )


def _calibration(calls: _Rows) -> tuple[tuple[Bin, ...], Figure]:
    """Reliability of the published chance; calls of several regimes are put together."""
    known = [
        (rows[~np.isnan(rows["probability"])], places[~np.isnan(rows["probability"])], draws)
        for rows, places, draws in calls.parts
    ]
    counted = [_binned(rows, places, draws, _ones) for rows, places, draws in known]
    forecast = [_binned(rows, places, draws, _chance) for rows, places, draws in known]
    observed = [_binned(rows, places, draws, _came) for rows, places, draws in known]
    n, said, came = (np.sum(parts, axis=0) for parts in (counted, forecast, observed))
    total: Reals = np.sum(n, axis=1)
    off: Reals = np.sum(np.abs(said - came), axis=1)
    error = np.divide(off, total, out=np.full(len(total), math.nan), where=total > 0.0)
    bins = tuple(
        Bin(
            low=k / BINS,
            high=(k + 1) / BINS,
            n=int(n[0, k]),
            forecast=float(said[0, k] / n[0, k]),
            observed=float(came[0, k] / n[0, k]),
        )
        for k in range(BINS)
        if n[0, k] > 0.0
    )
    return bins, intervals.figure(error, int(total[0]))


def _binned(
    rows: Records, places: Places, draws: Draws, value: Callable[[Records], Reals]
) -> Reals:
    """Sums of a value by sample and bin of the published chance."""
    months = draws.weights.shape[1]
    bins = np.clip((rows["probability"] * BINS).astype(np.int64), 0, BINS - 1)
    sums = np.zeros((months, BINS))
    np.add.at(sums, (places, bins), value(rows))
    return np.asarray(draws.weights @ sums)


def _ones(rows: Records) -> Reals:
    return np.ones(len(rows))


def _chance(rows: Records) -> Reals:
    return np.asarray(rows["probability"])


def _came(rows: Records) -> Reals:
    return np.asarray(rows["rewave"].astype(np.float64))
