"""What an evaluation found: one tree of figures, and the stable keys of its JSON.

`msgspec.json.encode` of a `Results` is what `liqmon evaluate --json` prints. Every figure has
its number of cases beside it; a figure that no case supports is null. Ratios are between 0 and
1, times are seconds, rates are per symbol-month (one asset, one month, both positions).
"""

from typing import Final

import msgspec

SCHEMA_VERSION: Final = 1

# Groups of true episodes, by the forced flow's share of open interest and by position.
ALL: Final = "all"  # episodes of at least 1 % that count as cascades
MEDIUM: Final = "from_1_to_2_percent"
LARGE: Final = "from_2_percent"
LONG_CLOSED: Final = "long"
SHORT_CLOSED: Final = "short"
MINOR: Final = "minor"  # 0.3 to 1 %: neither asked for nor held against the detector


class Figure(msgspec.Struct, frozen=True):
    """A figure, its 95 % interval, and the number of cases it rests on.

    Attributes:
        value: The figure; null when it has no cases.
        low: Lower bound of the interval, from resampled symbol-months unless said otherwise.
        high: Upper bound.
        n: Cases: symbol-months of a rate, episodes, hits, calls or injections of a share.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int


class Quantiles(msgspec.Struct, frozen=True):
    """Three quantiles of a time in seconds."""

    p10: Figure
    p50: Figure
    p90: Figure


class Group(msgspec.Struct, frozen=True):
    """How the episodes of one group were met by the alarms of one tier.

    Attributes:
        recall: Share of episodes with an alarm; n = episodes.
        share_to_come: Mean share of forced flow still to come at the first alarm, misses 0.
        share_to_come_given_hit: Its median over hits; n = hits.
        mostly_to_come: Share of episodes with at least 80 % still to come, misses count as not.
        price_to_come: Mean share of the price move still to come, misses 0.
        price_to_come_given_hit: Its median over hits.
        delay_s: First alarm behind onset, over hits; negative when it came before.
        delay_after_5_percent_s: First alarm behind the second in which 5 % was done.
        covered: Share of misses during which an older alarm of the ladder was still active;
            n = misses.
    """

    recall: Figure
    share_to_come: Figure
    share_to_come_given_hit: Figure
    mostly_to_come: Figure
    price_to_come: Figure
    price_to_come_given_hit: Figure
    delay_s: Quantiles
    delay_after_5_percent_s: Quantiles
    covered: Figure


class Alerts(msgspec.Struct, frozen=True):
    """The alarms of one tier.

    Attributes:
        alarms: How many there were.
        false_alarms: Per symbol-month, those that match no episode of at least 0.3 %.
        band_alarms: Per symbol-month, those whose largest match is a minor episode.
        other_alarms: Per symbol-month, those whose largest match is an episode of at least 1 %
            that does not count as a cascade.
        groups: Group -> how its episodes were met.
    """

    alarms: int
    false_alarms: Figure
    band_alarms: Figure
    other_alarms: Figure
    groups: dict[str, Group]


class Truth(msgspec.Struct, frozen=True):
    """True episodes per symbol-month, by class."""

    positive: Figure
    large: Figure
    minor: Figure
    other: Figure


class Hold(msgspec.Struct, frozen=True):
    """One point of the re-wave curve: a call made when there was no new extreme for so long.

    Attributes:
        hold_s: How long.
        rewave: Share of calls followed by another wave, over all alarmed episodes.
        rewave_positive: The same over alarmed episodes of at least 1 %.
    """

    hold_s: int
    rewave: Figure
    rewave_positive: Figure


class Bin(msgspec.Struct, frozen=True):
    """One bin of the reliability curve.

    Attributes:
        low: Its lowest forecast.
        high: Its highest.
        n: Calls in it.
        forecast: Their mean forecast.
        observed: Share of them followed by another wave.
    """

    low: float
    high: float
    n: int
    forecast: float
    observed: float


class Exhaustion(msgspec.Struct, frozen=True):
    """How well the end was called.

    Attributes:
        endings: Name of an ending -> how many detected episodes ended so.
        rewave: Share of EXHAUSTED calls followed within 30 min by forced flow above 25 % of
            that from the episode's onset to the call.
        rewave_minor: The same where the call ended a true episode of at least 0.3 %.
        rewave_positive: The same where it ended a true cascade of at least 1 %.
        missed: Share of alarmed cascades without an EXHAUSTED call within two hours of their
            end; those overtaken by another episode before a call are left out.
        overtaken: How many were left out.
        lag_s: EXHAUSTED behind the true end, over alarmed cascades that got one.
        age_s: EXHAUSTED behind the extreme of the mark since onset.
        holds: The re-wave curve.
        reliability: Published re-wave probability against what happened, over EXHAUSTING and
            EXHAUSTED calls; those of several regimes are put together.
        calibration_error: Mean distance of forecast and outcome over its bins, weighted by n.
    """

    endings: dict[str, int]
    rewave: Figure
    rewave_minor: Figure
    rewave_positive: Figure
    missed: Figure
    overtaken: int
    lag_s: Quantiles
    age_s: Quantiles
    holds: tuple[Hold, ...]
    reliability: tuple[Bin, ...]
    calibration_error: Figure


class Point(msgspec.Struct, frozen=True):
    """One threshold of a trade-off curve; plain numbers are means as in `Group`.

    Attributes:
        threshold: In the statistic's unit.
        false_alarms: Per symbol-month.
        recall: Of episodes of at least 1 %.
        recall_large: Of episodes of at least 2 %.
        share_to_come: Mean, misses 0.
        share_to_come_large: The same for episodes of at least 2 %.
        share_to_come_given_hit: Median.
        mostly_to_come: Share of episodes with at least 80 % to come.
        price_to_come: Mean, misses 0.
        delay_after_5_percent_s: Median.
    """

    threshold: float
    false_alarms: Figure
    recall: Figure
    recall_large: Figure
    share_to_come: float | None
    share_to_come_large: float | None
    share_to_come_given_hit: float | None
    mostly_to_come: float | None
    price_to_come: float | None
    delay_after_5_percent_s: float | None


class Curve(msgspec.Struct, frozen=True):
    """The trade-off of one statistic.

    Attributes:
        unit: Of its thresholds.
        points: From the lowest threshold to the highest.
        recall_at: False alarms per symbol-month ("0.3", "1", "3", "10", "30") -> the best
            recall at no more of them.
    """

    unit: str
    points: tuple[Point, ...]
    recall_at: dict[str, Figure]


class Figures(msgspec.Struct, frozen=True):
    """The figures of one regime, or their mean over regimes.

    Attributes:
        symbol_months: How many were scored.
        truth: What was there to find.
        alerts: Tier -> its alarms: "NOTICE", "BUILDING", "ONSET" (a bucket filled to the onset
            tier: the start of an episode or another wave of it), "EPISODE" (starts alone).
        exhaustion: How well the end was called.
        curves: Statistic -> its trade-off; "level" is the detector's own bucket.
    """

    symbol_months: int
    truth: Truth
    alerts: dict[str, Alerts]
    exhaustion: Exhaustion
    curves: dict[str, Curve]


class Rival(msgspec.Struct, frozen=True):
    """A baseline's recall of cascades at no more than one false alarm a symbol-month.

    Attributes:
        shared: With one threshold for all regimes, as a rule that is shipped has it.
        tuned: With the best threshold of each regime: more than any shipped rule can have.
        advantage: The detector's recall, at one threshold for all regimes, less the larger.
    """

    shared: Figure
    tuned: Figure
    advantage: Figure


class Negatives(msgspec.Struct, frozen=True):
    """Injected hard negatives of one kind.

    Attributes:
        injected: How many, all in all.
        left_out: Those whose own forced flow, or a neighbour's, met the definition of an
            episode, or whose alarm came in the same month without them, too, and that raised
            nothing else.
        raised: How many raised an ONSET that no true episode explains.
        rate: `raised` over those not left out, with exact bounds: `high` is the one-sided 95 %
            bound of Clopper and Pearson, `low` likewise.
    """

    injected: int
    left_out: int
    raised: int
    rate: Figure


class Gate(msgspec.Struct, frozen=True):
    """One promise, and whether it was kept.

    Attributes:
        gate: Its name.
        comparator: "<=" or ">=".
        bound: What was promised.
        counted: Which number is held against it: "value", "low" or "high".
        value: The figure's value.
        low: Its lower bound.
        high: Its upper bound.
        n: Its cases.
        held: Whether the promise was kept; false when there is nothing to judge by.
    """

    gate: str
    comparator: str
    bound: float
    counted: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    held: bool


class Results(msgspec.Struct, frozen=True):
    """All that an evaluation found.

    Attributes:
        schema_version: Of these keys.
        resamples: How often symbol-months were drawn again for an interval.
        seed: Of those draws.
        regimes: Regime -> its figures.
        macro: Their mean over regimes, with intervals resampled within each regime.
        rivals: Baseline -> its recall at one false alarm, over regimes.
        detector: The detector's own statistic in the same comparison.
        negatives: Kind of hard negative -> what it raised, over regimes.
        gates: Promises and whether they were kept.
    """

    schema_version: int
    resamples: int
    seed: int
    regimes: dict[str, Figures]
    macro: Figures
    rivals: dict[str, Rival]
    detector: Figure
    negatives: dict[str, Negatives]
    gates: tuple[Gate, ...]
