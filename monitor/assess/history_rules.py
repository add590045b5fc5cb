"""What the recorded samples are compared with, fixed before any result was looked at.

The detector's own rules run second by second; these files hold a value each minute, five
minutes or hour. Every constant below is the detector's, taken over as it is or carried to the
other spacing in the one way its own definition allows; none was chosen by its outcome.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from kernels import quantile
from monitor.assess.history_series import HOUR_S, Reals, Series
from monitor.events import Position
from monitor.parameters import Parameters

Flags = npt.NDArray[np.bool_]

DAY_S: Final = 86_400
MONTH_S: Final = 365.25 / 12.0 * DAY_S

# Sigma. The detector remembers an hour of one-second returns. An hour holds 12 samples of five
# minutes, fewer than any variance can rest on; so the memory is 60 samples, the number from
# which the detector's kernel trusts a variance enough to winsorise by it.
MEMORY_SAMPLES: Final = 60
WINSOR: Final = 3.0  # as in the kernel: returns count at no more than so many sigmas
LEAST_VARIANCE: Final = 1e-12  # as in the kernel
SPANS_S: Final = (60, 300)  # of price moves, as in the kernel; those shorter than a sample go
INTEREST_SPAN_S: Final = 300  # of the change in open interest, as in the kernel

# The published definition of a large event, of which 0.74-1.2 a coin and month are reported.
# (The two cuts of the detector are its parameters: -0.15 % confirms; -0.5 % makes a cascade,
# and is where published real data became significant.)
EVENT_INTEREST_RATIO: Final = -0.02
EVENT_SIGMAS: Final = 8.0
EVENT_MOVE_RATIO: Final = 0.01

# Hits no further apart than the horizon over which the detector counts another wave are one
# alarm.
ALARM_GAP_S: Final = 1800
# An alarm may precede a labelled onset by the ten minutes the evaluation protocol allows; it
# may follow by the half hour in which a label's fall takes place, and the error of its stamps.
EARLY_S: Final = 600
LATE_S: Final = 1800 + 300

# Of the labels: what the open interest must do within half an hour at the least.
LABEL_FALL_RATIO: Final = 0.01

# Open interest is flat: the fewest samples the kernel answers from (its LEAST_POINTS). At five
# minutes they span 25 minutes, at one minute five; the detector looks back three.
FLAT_SAMPLES: Final = 6
FLAT_HORIZON_S: Final = 6 * HOUR_S  # eight times the 90 % time to the bottom, 46 minutes
# Holds for which no new extreme is demanded: those of the design's table that whole samples of
# five minutes can express; 900 is the detector's.
HOLDS_S: Final = (0, 300, 600, 900, 1800)
WAVE_RATIO: Final = 0.25  # of the fall so far: another wave, as the detector's table counts it
WAVE_HORIZON_S: Final = 1800


PRIMARY: Final = "cascading"  # the rule whose alarms open episodes of their own


class Rule(msgspec.Struct, frozen=True):
    """A rule of the open-interest side; what is None is not asked.

    Attributes:
        name: In the result.
        price_z: Least price move in the forced direction, sigmas of its span.
        interest_ratio: Largest change of open interest over five minutes (a fall is negative).
        move_ratio: Least price move of five minutes in the forced direction, as a ratio.
        own_scale: Whether the fall must reach the coin's own tail quantile.
    """

    name: str
    price_z: float | None = None
    interest_ratio: float | None = None
    move_ratio: float | None = None
    own_scale: bool = False


def rules(parameters: Parameters) -> tuple[Rule, ...]:
    """The rules that are compared; PRIMARY names the detector's own.

    The first two ask one sign alone, the next two are the detector's two cuts beside its price
    confirmer, then the coin's own scale in place of a cut, then the published large event.
    """
    z = parameters.price_z
    cascading = parameters.cascading_interest_ratio
    return (
        Rule("price_only", price_z=z),
        Rule("interest_only", interest_ratio=cascading, move_ratio=0.0),
        Rule("confirmers", price_z=z, interest_ratio=parameters.interest_confirmer_ratio),
        Rule(PRIMARY, price_z=z, interest_ratio=cascading),
        Rule("own_scale", price_z=z, own_scale=True),
        Rule(
            "large_event",
            price_z=EVENT_SIGMAS,
            interest_ratio=EVENT_INTEREST_RATIO,
            move_ratio=EVENT_MOVE_RATIO,
        ),
    )


class AgedScale:
    """A coin's own tail quantile by the detector's histogram, asked before it is fed."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self.bins = np.zeros((1, quantile.BINS))
        self.mass = np.zeros(1)
        self.fed_s = 0.0

    def scale(self) -> float:
        """The quantile of all that was fed; NaN before a day of it, as in the detector."""
        if self.fed_s < DAY_S:
            return math.nan
        return quantile.quantile(self.bins, self.mass, 0, self.parameters.scale_quantile)

    def feed(self, values: Sequence[float], span_s: float) -> None:
        """Let so much time pass over the weights, then take the values of its end."""
        days = self.parameters.scale_days
        quantile.age(self.bins, self.mass, math.exp(-span_s / (days * DAY_S)))
        quantile.observe(self.bins, self.mass, np.array([values]), 1.0)
        self.fed_s += span_s


class Moves(msgspec.Struct, frozen=True):
    """What the detector's confirmers see at each sample; NaN is "not known".

    Attributes:
        z_long, z_short: Largest price move of the spans in the forced direction, in sigmas.
        change: Change of open interest over five minutes, as a ratio.
        move: Change of price over five minutes, as a ratio, up is positive.
        scale: The coin's own tail quantile of falls over five minutes, before this sample.
    """

    z_long: Reals
    z_short: Reals
    change: Reals
    move: Reals
    scale: Reals

    def known(self) -> Flags:
        """Samples at which every rule can be evaluated."""
        unknown = np.isnan(self.z_long) | np.isnan(self.change) | np.isnan(self.scale)
        return ~unknown

    def hits(self, rule: Rule, position: Position) -> Flags:
        """Samples at which a rule holds for a position."""
        held = self.known()
        sign = -1.0 if position is Position.LONG else 1.0
        if rule.price_z is not None:
            held &= (self.z_long if position is Position.LONG else self.z_short) >= rule.price_z
        if rule.interest_ratio is not None:
            held &= self.change <= rule.interest_ratio
        if rule.move_ratio is not None:
            # A price that did not move is forced in no direction.
            held &= (sign * self.move >= rule.move_ratio) & (self.move != 0.0)
        if rule.own_scale:
            held &= (-self.change >= self.scale) & (self.change < 0.0)
        return held


def sigmas(price: Reals) -> Reals:
    """Sigma of one sample's return, winsorised and exponentially weighted, as the kernel does.

    NaN until MEMORY_SAMPLES returns are in; a hole leaves it as it was.
    """
    out = np.full(len(price), math.nan)
    variance, n = 0.0, 0
    for i in range(1, len(price)):
        before, now = float(price[i - 1]), float(price[i])
        if not (before > 0.0 and now > 0.0):
            continue
        known = n >= MEMORY_SAMPLES
        step = math.log(now / before)
        if known:
            most = WINSOR * math.sqrt(variance)
            step = min(most, max(-most, step))
        weight = max(1.0 / MEMORY_SAMPLES, 1.0 / (n + 1.0))
        variance = max(LEAST_VARIANCE, variance + weight * (step * step - variance))
        n += 1
        if known:
            out[i] = math.sqrt(variance)
    return out


def moves(series: Series, parameters: Parameters) -> Moves:
    """The confirmers' inputs at each sample, each known from samples up to it alone."""
    sigma = sigmas(series.price)
    spans = [span_s // series.step_s for span_s in SPANS_S if span_s >= series.step_s]
    z = np.array([np.log(_ratio(series.price, k)) / (sigma * math.sqrt(k)) for k in spans])
    back = max(1, INTEREST_SPAN_S // series.step_s)
    change = _ratio(series.interest, back) - 1.0
    scale = np.full(len(change), math.nan)
    own = AgedScale(parameters)
    for i, value in enumerate(change):
        scale[i] = own.scale()
        if not math.isnan(value):
            own.feed([max(0.0, -float(value))], series.step_s)
    return Moves(
        # `fmax` passes over a span that is not known, as the detector does.
        z_long=np.fmax.reduce(-z),
        z_short=np.fmax.reduce(z),
        change=change,
        move=_ratio(series.price, back) - 1.0,
        scale=scale,
    )


def alarms(times_s: Reals, hits: Flags) -> Iterator[list[int]]:
    """Places of the hits of each alarm, in order."""
    alarm: list[int] = []
    for place in np.flatnonzero(hits):
        if alarm and times_s[place] - times_s[alarm[-1]] > ALARM_GAP_S:
            yield alarm
            alarm = []
        alarm.append(int(place))
    if alarm:
        yield alarm


def peak_before(series: Series, place: int) -> float:
    """Highest open interest of a sample and the five minutes before: a fall counts from it."""
    back = max(1, INTEREST_SPAN_S // series.step_s)
    return float(np.nanmax(series.interest[max(0, place - back) : place + 1]))


def _ratio(values: Reals, back: int) -> Reals:
    """Each value over the one so many samples before; NaN for the first ones."""
    out = np.full(len(values), math.nan)
    out[back:] = values[back:] / values[:-back]
    return out
