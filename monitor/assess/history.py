"""The open-interest side alone, on recorded data: flushes, flat open interest, hours, a crash.

The recordings hold open interest, prices and hourly liquidations, but no print by print tape,
so nothing here runs the bucket or the ladder: it asks what the detector's confirmers and its
rule for flat open interest are worth by themselves. The truth is unknown. Labels were found by
a rule in the same files, with thresholds taken over their whole range; they say when something
large happened, not that it was forced. So everything is counted and nothing is gated.

`evaluate_history` reads a directory in place and returns the figures; `missing_files` says
what a directory lacks.
"""

from pathlib import Path
from typing import Final

import msgspec

from monitor.assess import history_rules as fixed
from monitor.assess.history_flat import FlatFigures, flat_figures
from monitor.assess.history_flush import FlushFigures, flush_figures
from monitor.assess.history_hours import (
    CrashFigures,
    TierFigures,
    crash_figures,
    tier_figures,
)
from monitor.assess.history_rules import PRIMARY, Moves, Rule, moves, rules
from monitor.assess.history_series import (
    COINS,
    MAJORS,
    Series,
    candles,
    five_minutes,
    flushes,
    liquidations_by_hour,
    missing_files,
    one_minute,
    tiers,
    words_of,
)
from monitor.errors import MeasureError
from monitor.parameters import Parameters

__all__ = ["History", "evaluate_history", "missing_files"]

NOTES: Final = (
    "Labels are found by rule in the same open interest that is scored, over its whole range.",
    "Recall tells how surely the cuts see what that rule sees, not how many cascades are found.",
    "An alarm that no label explains is unlabelled, not shown to be false.",
    "Five-minute stamps are within +-5 min of the market; no delay is better known than that.",
    "Five-minute prices are open interest in US dollars over coins of the same stamp.",
    "Coins fall together: flushes of one day are not independent, n overstates what is known.",
    "Sigma remembers 60 samples (5 h, or 1 h of one minute), not an hour of seconds.",
    "The slope for flat looks back 25 min (5 min of one-minute samples), not 3 min.",
    "The age limit of 45 s on open interest cannot be kept by samples so far apart.",
    "Labelled exhaustion looks 30 min ahead, so no causal call can be expected to meet it.",
    "Calls that wait for flat interest come later than the hold alone: compare at like lateness.",
    "Another wave is counted in open interest, not in forced notional.",
    "Hourly liquidations of BTC are all venues' from throttled feeds, over one venue's interest.",
    "A flag of an hour is known when the hour has ended.",
)


class Thresholds(msgspec.Struct, frozen=True):
    """Every threshold in force, as named in `history_rules`; rules with their own."""

    rules: tuple[Rule, ...]
    primary: str = PRIMARY
    memory_samples: int = fixed.MEMORY_SAMPLES
    winsor: float = fixed.WINSOR
    alarm_gap_s: int = fixed.ALARM_GAP_S
    early_s: int = fixed.EARLY_S
    late_s: int = fixed.LATE_S
    flat_samples: int = fixed.FLAT_SAMPLES
    flat_horizon_s: int = fixed.FLAT_HORIZON_S
    wave_ratio: float = fixed.WAVE_RATIO
    wave_horizon_s: int = fixed.WAVE_HORIZON_S
    label_fall_ratio: float = fixed.LABEL_FALL_RATIO


class Recorded(msgspec.Struct, frozen=True):
    """One series that was read.

    Attributes:
        coin, step_s: Which, and its spacing.
        first_utc, last_utc: Its outermost stamps.
        samples: Samples with a value.
        evaluable: Those at which every rule could be evaluated.
    """

    coin: str
    step_s: int
    first_utc: str
    last_utc: str
    samples: int
    evaluable: int


class History(msgspec.Struct, frozen=True):
    """All figures; as JSON under the key `history`.

    Attributes:
        thresholds: What was compared with, fixed before.
        series: What was read.
        flush_5m, flush_1m: Flush timing at five minutes (Binance) and one (Hyperliquid).
        flat_5m, flat_1m: Flat timing at the same.
        btc_hours: Hours of BTC by tier.
        crash_2024_08: The hours around 5 August 2024, coin by coin.
        notes: Limits that go with every figure.
    """

    thresholds: Thresholds
    series: tuple[Recorded, ...]
    flush_5m: FlushFigures
    flush_1m: FlushFigures
    flat_5m: FlatFigures
    flat_1m: FlatFigures
    btc_hours: tuple[TierFigures, ...]
    crash_2024_08: tuple[CrashFigures, ...]
    notes: tuple[str, ...] = NOTES


def evaluate_history(data: Path, parameters: Parameters | None = None) -> History:
    """Evaluate the recordings below a directory that holds `history/` and `labels/`.

    Raises:
        MeasureError: Files are missing; the message names them.
    """
    if missing := missing_files(data):
        raise MeasureError(f"recorded data is incomplete: {data} lacks {', '.join(missing)}")
    detector = parameters or Parameters()
    compared = rules(detector)
    [primary] = [rule for rule in compared if rule.name == PRIMARY]
    slow = [_seen(five_minutes(data, coin), detector) for coin in COINS]
    fast = [_seen(one_minute(data, coin), detector) for coin in MAJORS]
    slow_labels = flushes(data, "flush_events_5m.csv")
    fast_labels = flushes(data, "hyperliquid_flushes_1m.csv")
    btc, btc_seen = slow[COINS.index("BTC")]
    return History(
        thresholds=Thresholds(compared),
        series=tuple(_recorded(series, seen) for series, seen in slow + fast),
        flush_5m=flush_figures(slow, slow_labels, compared),
        flush_1m=flush_figures(fast, fast_labels, compared),
        flat_5m=flat_figures(slow, slow_labels, primary, detector),
        flat_1m=flat_figures(fast, fast_labels, primary, detector),
        btc_hours=tier_figures(btc, btc_seen, liquidations_by_hour(data), tiers(data), detector),
        crash_2024_08=tuple(crash_figures(candles(data, coin), detector) for coin in MAJORS),
    )


def _seen(series: Series, parameters: Parameters) -> tuple[Series, Moves]:
    return series, moves(series, parameters)


def _recorded(series: Series, seen: Moves) -> Recorded:
    return Recorded(
        series.coin,
        series.step_s,
        words_of(float(series.times_s[0])),
        words_of(float(series.times_s[-1])),
        samples=int((series.interest > 0.0).sum()),
        evaluable=int(seen.known().sum()),
    )
