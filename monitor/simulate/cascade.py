"""One scripted cascade: what happens to a market, second by second, when positions break.

All seconds count from the onset, the first second of the ramp of forced orders. The price slips
a little before it (something starts a cascade), the forced flow ramps up, comes in three surges
and decays; open interest falls along with it and then stays where it is; the low is made near
the end of the decay, and the price comes back by a part of the fall and stays there.
"""

import bisect
import itertools
import math

import msgspec

from monitor.events import Position

PRELUDE_S = 40  # for so long before the onset price, taker flow and depth already slip
# Forced flow over its peak: (second, level), straight lines between, zero before the onset.
SURGES = (
    (-1, 0.0),
    (90, 0.22),  # the ramp
    (112, 0.75),  # first surge
    (150, 0.35),
    (180, 1.0),  # second surge, the peak
    (215, 0.45),
    (240, 0.80),  # third surge, from which it decays
)
HALF_LIFE_S = 32  # of the decay
LEAST_FLOW = 0.01  # of the peak; below it the cascade is over and nothing more is forced
LOW_S = 400  # the low; the rebound starts here
REBOUND_S = 60  # time constant of the rebound and of the basis closing again
DEPTH_RECOVERY_S = 180  # time constant of the book filling up again

PRELUDE_FALL = 0.08  # part of the whole fall that the prelude makes
STEADY_FALL = 0.30  # part of the rest that runs evenly in time rather than with the flow
PRELUDE_INTEREST = 0.04  # part of the whole loss of open interest that the prelude makes
DEPTH_KNOTS = ((-PRELUDE_S, 1.0), (0, 0.75), (45, 0.5), (110, 0.30), (LOW_S, 0.30))
BASIS_KNOTS_BP = ((-PRELUDE_S, 0.0), (0, 4.0), (45, 9.0), (110, 20.0), (240, 20.0), (LOW_S, 10.0))
TAKER_KNOTS = ((-PRELUDE_S, 0.0), (0, 0.5), (60, 0.7), (110, 0.8), (240, 0.7), (LOW_S, 0.0))


class Effect(msgspec.Struct, frozen=True):
    """What a cascade does to its asset in one second.

    Attributes:
        price: Change of log price since before it, in the direction of the fall (positive).
        basis_bp: How far the perpetual runs ahead of spot in that direction.
        depth: Factor on the depth of the book.
        interest: Factor on open interest.
        taker: Excess of takers in that direction, of all takers, 0 to 1.
        flow: Forced flow over its peak.
    """

    price: float = 0.0
    basis_bp: float = 0.0
    depth: float = 1.0
    interest: float = 1.0
    taker: float = 0.0
    flow: float = 0.0


NOTHING = Effect()


class Cascade(msgspec.Struct, frozen=True):
    """One cascade of one asset; ratios are of the price or of open interest before it.

    Attributes:
        asset: Whose.
        position: Which positions are forced; prices fall when it is longs.
        onset_s: Second of the market at which it starts.
        fall_ratio: How far the price goes.
        rebound_ratio: How far it then comes back, of the price at the low.
        interest_ratio: How much open interest is lost for good.
        forced_ratio: How much of open interest is forced; the rest leaves of its own will.
    """

    asset: str = "BTC"
    position: Position = Position.LONG
    onset_s: int = 120
    fall_ratio: float = 0.055
    rebound_ratio: float = 0.015
    interest_ratio: float = 0.08
    forced_ratio: float = 0.025

    def effect(self, second: int) -> Effect:
        """What it does in a second of the market."""
        t = second - self.onset_s
        if t < -PRELUDE_S:
            return NOTHING
        done = _done(t)
        return Effect(
            price=-math.log1p(-self.fall_ratio) * _fallen(t)
            - math.log1p(self.rebound_ratio) * _recovered(t, REBOUND_S),
            basis_bp=_along(BASIS_KNOTS_BP, t) * (1.0 - _recovered(t, REBOUND_S)),
            depth=_along(DEPTH_KNOTS, t) + 0.6 * _recovered(t, DEPTH_RECOVERY_S),
            interest=1.0
            - self.interest_ratio
            * (PRELUDE_INTEREST * _prelude(t) + (1.0 - PRELUDE_INTEREST) * done),
            taker=_along(TAKER_KNOTS, t),
            flow=flow(t),
        )


def flow(t: int) -> float:
    """Forced flow over its peak, `t` seconds after the onset."""
    last_s, last = SURGES[-1]
    if t <= last_s:
        return _along(SURGES, t) if t >= 0 else 0.0
    level: float = last * 2.0 ** (-(t - last_s) / HALF_LIFE_S)
    return level if level > LEAST_FLOW else 0.0


def _along(knots: tuple[tuple[float, float], ...], t: float) -> float:
    after = bisect.bisect_right(knots, t, key=lambda knot: knot[0])
    if after == 0:
        return knots[0][1]
    if after == len(knots):
        return knots[-1][1]
    (t0, v0), (t1, v1) = knots[after - 1], knots[after]
    return v0 + (v1 - v0) * (t - t0) / (t1 - t0)


# How many seconds from the onset have forced flow, and the flow's running sum.
LENGTH_S = next(t for t in itertools.count() if flow(t) == 0.0)
_SUMS = tuple(itertools.accumulate(flow(t) for t in range(LENGTH_S)))
TOTAL_FLOW = _SUMS[-1]  # peak-seconds


def _done(t: int) -> float:
    return 0.0 if t < 0 else _SUMS[min(t, LENGTH_S - 1)] / TOTAL_FLOW


def _prelude(t: int) -> float:
    return min(1.0, (t + PRELUDE_S) / PRELUDE_S)


def _fallen(t: int) -> float:
    until = min(max(t, 0), LOW_S)
    with_flow = _done(until) / _done(LOW_S) if t >= 0 else 0.0
    ramp = (1.0 - STEADY_FALL) * with_flow + STEADY_FALL * until / LOW_S
    return PRELUDE_FALL * _prelude(t) + (1.0 - PRELUDE_FALL) * ramp


def _recovered(t: int, constant_s: float) -> float:
    return 0.0 if t <= LOW_S else 1.0 - math.exp(-(t - LOW_S) / constant_s)
