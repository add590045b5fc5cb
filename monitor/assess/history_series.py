"""Recorded open interest, prices, liquidations and labels, read from files as they are.

A series keeps its own samples: nothing is put on a grid or filled in. Where samples are
missing it holds unknown ones (NaN), so a place in the arrays is a number of samples and a rule
that looks back across a hole sees that it cannot know. Every stamp is UTC.
"""

import csv
import gzip
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.events import Position

Reals = npt.NDArray[np.float64]

COINS: Final = ("BTC", "ETH", "SOL", "DOGE", "AVAX")
MAJORS: Final = ("BTC", "ETH", "SOL")
# A sample closer than half a step to its elder is a repeat; one and a half steps are a hole.
REPEAT_STEPS: Final = 0.5
HOLE_STEPS: Final = 1.5
HOUR_S: Final = 3600
# The hourly files of 2024 were written by a clock six hours ahead of UTC.
CLOCK_AHEAD_S: Final = 6 * HOUR_S


@dataclass(frozen=True)
class Series:
    """Open interest and price of one coin, sample by sample.

    Attributes:
        coin: Whose.
        step_s: Usual distance of samples, seconds.
        times_s: Stamps (samples), seconds since the epoch, ascending.
        interest: Open interest (samples), coins; NaN in a hole.
        price: Price (samples), US dollars; NaN in a hole.
    """

    coin: str
    step_s: int
    times_s: Reals
    interest: Reals
    price: Reals

    def place(self, time_s: float) -> int:
        """Place of the first sample at or after a time."""
        return int(np.searchsorted(self.times_s, time_s))


@dataclass(frozen=True)
class Flush:
    """One labelled flush.

    Attributes:
        coin: Whose.
        position: Which position was closed.
        onset_s: Where it begins, seconds since the epoch.
        exhaustion_s: Where open interest had stopped falling; NaN where that is not labelled.
    """

    coin: str
    position: Position
    onset_s: float
    exhaustion_s: float


class Candles(msgspec.Struct, frozen=True):
    """Hours of one coin: what was known when each had ended.

    Attributes:
        coin: Whose.
        times_s: Begin of each hour (hours), ascending.
        close: Last price.
        low: Lowest price.
        interest_open, interest_close: Open interest at both ends, coins.
        liquidated: Forced coins (hours x 2), longs first; zero is a measured zero.
    """

    coin: str
    times_s: Reals
    close: Reals
    low: Reals
    interest_open: Reals
    interest_close: Reals
    liquidated: Reals


class _Context(msgspec.Struct, frozen=True):
    """A line of the one-minute files."""

    ts: int
    oi: float
    mark: float


def series_of(coin: str, step_s: int, samples: Iterable[tuple[float, float, float]]) -> Series:
    """A series from (time_s, interest, price) in any order; repeats dropped, holes marked."""
    kept: list[tuple[float, float, float]] = []
    for sample in sorted(samples):
        if kept:
            steps = (sample[0] - kept[-1][0]) / step_s
            if steps < REPEAT_STEPS:
                continue
            if steps > HOLE_STEPS:
                last_s, missing = kept[-1][0], round(steps) - 1
                kept += [
                    (last_s + (k + 1) * step_s, float("nan"), float("nan"))
                    for k in range(max(1, missing))
                ]
        kept.append(sample)
    columns = np.array(kept, dtype=np.float64).reshape(-1, 3)
    return Series(
        coin,
        step_s,
        np.ascontiguousarray(columns[:, 0]),
        np.ascontiguousarray(columns[:, 1]),
        np.ascontiguousarray(columns[:, 2]),
    )


def five_minutes(data: Path, coin: str) -> Series:
    """Binance's open interest each five minutes; price is its US dollars over its coins."""
    path = data / "history" / f"binance_usdm_{coin}_oi_5m.csv.gz"
    return series_of(
        coin,
        300,
        (
            (int(row["t"]) / 1000.0, float(row["oi"]), float(row["oi_usd"]) / float(row["oi"]))
            for row in _rows(path)
        ),
    )


def one_minute(data: Path, coin: str) -> Series:
    """Hyperliquid's open interest and mark each minute."""
    samples = []
    for path in sorted((data / "history" / "hyperliquid_2026-06").glob(f"ctx_{coin}_*.jsonl.gz")):
        with gzip.open(path) as lines:
            for line in lines:
                context = msgspec.json.decode(line, type=_Context)
                samples.append((context.ts / 1000.0, context.oi, context.mark))
    return series_of(coin, 60, samples)


def liquidations_by_hour(data: Path) -> dict[int, tuple[float, float]]:
    """Begin of each hour -> US dollars of BTC longs and shorts closed in it, all venues."""
    path = data / "history" / "coinglass_btc_liquidations_1h.csv.gz"
    return {
        int(row["timestamp"]) // 1000: (float(row["longUsd"]), float(row["shortUsd"]))
        for row in _rows(path)
    }


def candles(data: Path, coin: str) -> Candles:
    """The hours of 2024 of one coin.

    An hour without liquidations is absent from its file, and the hour before stands there
    twice; so a stamp counts once, values equal to those of the hour before count as none, and
    an absent hour is a zero.
    """
    folder = data / "history" / "binance_2024-08_1h"
    prices = dict(_hourly(folder / f"{coin}_ohlcv-history.csv.gz"))
    interests = dict(_hourly(folder / f"{coin}_open-interest-history.csv.gz"))
    forced: dict[float, tuple[float, float]] = {}
    before: tuple[float, float] | None = None
    for time_s, values in _hourly(folder / f"{coin}_liquidation-history.csv.gz"):
        pair = (values[0], values[1])
        if time_s not in forced:
            forced[time_s] = (0.0, 0.0) if pair == before else pair
        before = pair
    times = sorted(prices.keys() & interests.keys())
    return Candles(
        coin,
        times_s=np.array(times),
        close=np.array([prices[t][3] for t in times]),
        low=np.array([prices[t][2] for t in times]),
        interest_open=np.array([interests[t][0] for t in times]),
        interest_close=np.array([interests[t][3] for t in times]),
        liquidated=np.array([forced.get(t, (0.0, 0.0)) for t in times]).reshape(-1, 2),
    )


def flushes(data: Path, name: str) -> tuple[Flush, ...]:
    """Labelled flushes of a file."""
    with (data / "labels" / name).open(encoding="utf-8", newline="") as lines:
        return tuple(
            Flush(
                row["coin"],
                Position(row["direction"]),
                stamp_s(row["onset"]),
                stamp_s(row["exhaustion"]),
            )
            for row in csv.DictReader(lines)
        )


def tiers(data: Path) -> dict[int, str]:
    """Begin of each labelled BTC hour -> its tier; "" for none."""
    with (data / "labels" / "btc_hours.csv").open(encoding="utf-8", newline="") as lines:
        return {round(stamp_s(row["hour_utc"])): row["tier"] for row in csv.DictReader(lines)}


def stamp_s(text: str) -> float:
    """Seconds since the epoch of a stamp in UTC; NaN for none."""
    if not text:
        return float("nan")
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def words_of(time_s: float) -> str:
    """A time as people write it, to the minute, UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M")


def missing_files(data: Path) -> tuple[str, ...]:
    """What the evaluation needs and a data directory lacks, as paths inside it."""
    hourly = ("ohlcv", "open-interest", "liquidation")
    wanted = itertools.chain(
        (f"history/binance_usdm_{coin}_oi_5m.csv.gz" for coin in COINS),
        (
            f"history/binance_2024-08_1h/{coin}_{kind}-history.csv.gz"
            for coin in MAJORS
            for kind in hourly
        ),
        ("history/coinglass_btc_liquidations_1h.csv.gz", "history/hyperliquid_2026-06"),
        (f"labels/{name}" for name in ("flush_events_5m.csv", "btc_hours.csv")),
        ("labels/hyperliquid_flushes_1m.csv",),
    )
    return tuple(name for name in wanted if not (data / name).exists())


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a compressed table with a header."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def _hourly(path: Path) -> Iterator[tuple[float, tuple[float, ...]]]:
    """Time in UTC and values of each row of a compressed table without a header."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        for stamp, *values in csv.reader(lines):
            yield stamp_s(stamp) - CLOCK_AHEAD_S, tuple(float(value) for value in values)
