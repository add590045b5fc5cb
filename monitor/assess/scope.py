"""Which worlds an evaluation lives through, and by which seeds: fixed before any result.

Seeds of training are 0 to 999, held-out ones begin at 10,000; every evaluation seed has a
hundred of either to itself. A world's seed follows from its place alone, so that one regime by
itself gives the same months as all of them together.
"""

from enum import StrEnum
from typing import Final

import msgspec

from monitor.assess.worlds import Plan
from monitor.errors import ConfigError
from monitor.parameters import Parameters
from monitor.simulate.regimes import BASE, REGIMES

HELD_OUT: Final = 10_000
SEEDS: Final = 100  # of one evaluation
TRAINING: Final = 1000  # seeds, all in all
ASSETS: Final = 8
MOST_WORLDS: Final = 16  # of one regime, so that their seeds end below those of injections
_INJECTED_FROM: Final = 80
_PAIRS_FROM: Final = 90
# Factors on all prints. The first is a power of the own scale's histogram ratio, so that every
# value keeps its place within its bin, and all that differs is rounding; the second is not.
EXACT_SCALE: Final = 1.02**-150
ROUND_SCALE: Final = 0.05
DEFAULTS: Final = Parameters()


class Purpose(StrEnum):
    """What a world is lived through for."""

    USUAL = "usual"  # to be scored, with curves and baselines
    THINNED = "thinned"  # the same world, with full tapes thinned to one print a second
    INJECTED = "injected"  # hard negatives of every kind; and once more without them
    UNSCALED = "unscaled"  # beside the two that follow
    EXACT = "exact"  # all prints scaled by EXACT_SCALE
    ROUND = "round"  # all prints scaled by ROUND_SCALE


class Scope(msgspec.Struct, frozen=True):
    """What an evaluation covers.

    Attributes:
        regimes: Their names.
        worlds: Worlds of each regime.
        assets: Assets of each world.
        warm_days: Days before those that are scored.
        days: Days that are scored.
        injected_worlds: Worlds of the base regime with hard negatives.
        injections: Hard negatives of each kind in each of those.
        scaled_days: Scored days of the worlds that are lived through again with scaled prints;
            there is one in each regime.
        seed: Of the evaluation.
        held_out: Whether seeds are those that nothing was tuned on.
        calibrated: Whether the simulated market is measured, too.
        quick: Whether it is too short for its intervals to be held against promises.
    """

    regimes: tuple[str, ...]
    worlds: int
    assets: int = ASSETS
    warm_days: int = 14
    days: int = 31
    injected_worlds: int = 5
    injections: int = 100
    scaled_days: int = 7
    seed: int = 0
    held_out: bool = True
    calibrated: bool = True
    quick: bool = False


class Job(msgspec.Struct, frozen=True):
    """One world to live through, with a detector told this."""

    purpose: Purpose
    plan: Plan
    parameters: Parameters = DEFAULTS

    @property
    def days(self) -> int:
        """Days that pass in it."""
        return self.plan.warm_days + self.plan.days

    @property
    def lived_days(self) -> int:
        """Asset-days that its detectors see."""
        times = 2 if self.purpose is Purpose.INJECTED else 1
        return self.days * self.plan.assets * times

    @property
    def cost(self) -> float:
        """Rough measure of how long it takes: asset-days, those with curves for more."""
        return self.lived_days * (1.3 if self.plan.curves else 1.0)


class Held(msgspec.Struct, frozen=True):
    """Worlds of one market that are lived through without a detector, to see how real it is.

    Attributes:
        regime: Of a usual market; empty for a crash.
        worlds: How many; their seeds are the first of training.
        assets: Of each.
        days: Of each.
    """

    regime: str
    worlds: int
    assets: int = ASSETS
    days: int = 31

    @property
    def cost(self) -> float:
        """As of a job."""
        return 0.5 * self.worlds * self.assets * self.days


# What tests hold to published facts, by the same seeds.
USUAL_MARKET: Final = Held(BASE.name, 8)
CRASH: Final = Held("", 12, days=1)


def full(regimes: tuple[str, ...], months: int, seed: int = 0, *, held_out: bool = True) -> Scope:
    """Whole months: at least so many symbol-months of each regime, in whole worlds."""
    return Scope(regimes or tuple(REGIMES), -(-months // ASSETS), seed=seed, held_out=held_out)


def quick(regimes: tuple[str, ...], seed: int = 0, *, held_out: bool = True) -> Scope:
    """What two cores live through in less than three minutes."""
    return Scope(
        regimes or ("base", "wild", "crowded"),
        1,
        assets=4,
        days=10,
        injected_worlds=1,
        injections=10,
        scaled_days=3,
        seed=seed,
        held_out=held_out,
        calibrated=False,
        quick=True,
    )


def jobs(scope: Scope, parameters: Parameters = DEFAULTS) -> list[Job]:
    """Every world of an evaluation of a detector that was told these parameters.

    Raises:
        ConfigError: There are no seeds, or no regimes, for so much.
    """
    if scope.worlds > MOST_WORLDS:
        most = MOST_WORLDS * ASSETS
        raise ConfigError(f"--months: expected at most {most}, was {scope.worlds * ASSETS}")
    if not scope.held_out and scope.seed >= TRAINING // SEEDS:
        raise ConfigError(
            f"--seed: expected at most {TRAINING // SEEDS - 1} with --train, was {scope.seed}"
        )
    if unknown := [name for name in scope.regimes if name not in REGIMES]:
        raise ConfigError(f"--regime: expected one of {', '.join(REGIMES)}, was {unknown[0]}")
    found = []
    for world in range(scope.worlds):
        for regime in scope.regimes:
            plan = _plan(scope, regime, _place(regime, world))
            thinned = msgspec.structs.replace(plan, thin_full=True, curves=False)
            found += [
                Job(Purpose.USUAL, plan, parameters),
                Job(Purpose.THINNED, thinned, parameters),
            ]
    for world in range(scope.injected_worlds):
        plan = _plan(scope, BASE.name, _INJECTED_FROM + world)
        plan = msgspec.structs.replace(plan, injections=scope.injections, curves=False)
        found.append(Job(Purpose.INJECTED, plan, parameters))
    for regime in scope.regimes:
        plan = _plan(scope, regime, _PAIRS_FROM + _order(regime))
        # A day longer: until u rests on an asset's own weeks alone, the prior is not scaled.
        plan = msgspec.structs.replace(
            plan, warm_days=scope.warm_days + 1, days=scope.scaled_days, curves=False
        )
        for purpose, scale in (
            (Purpose.UNSCALED, 1.0),
            (Purpose.EXACT, EXACT_SCALE),
            (Purpose.ROUND, ROUND_SCALE),
        ):
            scaled = msgspec.structs.replace(plan, scale=scale)
            found.append(Job(purpose, scaled, parameters))
    return found


def _plan(scope: Scope, regime: str, place: int) -> Plan:
    return Plan(
        regime,
        (HELD_OUT if scope.held_out else 0) + SEEDS * scope.seed + place,
        assets=scope.assets,
        warm_days=scope.warm_days,
        days=scope.days,
    )


def _place(regime: str, world: int) -> int:
    return len(REGIMES) * world + _order(regime)


def _order(regime: str) -> int:
    return list(REGIMES).index(regime)
