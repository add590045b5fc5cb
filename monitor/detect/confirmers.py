"""Confirmers: five signs beside forced flow that a cascade is on its way.

Each is compared with the asset's own last hour, in the direction in which forced flow pushes:
down for closed longs, up for closed shorts. One that cannot be evaluated does not confirm.
"""

import math
from typing import Final

import msgspec

from monitor.detect.context import Context
from monitor.events import Position
from monitor.parameters import Parameters

CONFIRMERS: Final = ("price", "open_interest", "depth", "basis", "taker_flow")


class Confirmation(msgspec.Struct, frozen=True, gc=False):
    """Which confirmers hold, and how many could be evaluated; z in forced direction."""

    names: tuple[str, ...]
    evaluable: int
    price_z: float
    basis_z: float
    taker_z: float


def confirm(context: Context, position: Position, parameters: Parameters) -> Confirmation:
    """Evaluate the confirmers for one position."""
    sign = -1.0 if position is Position.LONG else 1.0
    moves = [sign * z for z in (context.price_z60, context.price_z300) if not math.isnan(z)]
    price_z = max(moves) if moves else math.nan
    basis_z = sign * context.basis_z
    taker_z = sign * context.taker_z
    fresh = context.interest_age_s <= parameters.interest_age_s
    change = context.interest_change_5m if fresh else math.nan
    tests = (
        (price_z, price_z >= parameters.price_z),
        (change, change <= parameters.interest_confirmer_ratio),
        (context.depth_ratio, context.depth_ratio <= parameters.depth_confirmer_ratio),
        (basis_z, basis_z >= parameters.basis_z),
        (taker_z, taker_z >= parameters.taker_z),
    )
    return Confirmation(
        names=tuple(name for name, (_, holds) in zip(CONFIRMERS, tests, strict=True) if holds),
        evaluable=sum(not math.isnan(value) for value, _ in tests),
        price_z=price_z,
        basis_z=basis_z,
        taker_z=taker_z,
    )


# Chance of another wave (more than 25 % of the forced notional so far, within 30 minutes), by
# seconds since the extreme, linear between the points: how often one came after the 3,894 calls
# of EXHAUSTING and EXHAUSTED in 80 simulated symbol-months of all regimes, training seeds 1 and 2.
REWAVE: Final = (
    (120, 0.33),
    (420, 0.31),
    (600, 0.24),
    (900, 0.20),
    (1080, 0.16),
    (1800, 0.15),
)


def rewave_probability(since_extreme_s: float) -> float:
    """Chance of another wave so long after the extreme."""
    before_s, before = REWAVE[0]
    if since_extreme_s <= before_s:
        return before
    for after_s, after in REWAVE[1:]:
        if since_extreme_s <= after_s:
            part = (since_extreme_s - before_s) / (after_s - before_s)
            return before + part * (after - before)
        before_s, before = after_s, after
    return before
