"""One simulated world lived through: market, venues, the real detector, truth beside it.

Two weeks pass before the scored month, so that every asset has a scale of its own. Nothing that
is seen here depends on how time is cut into chunks.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec
import numpy as np

from kernels.dtypes import Records, shock_dtype
from monitor.assess import alarms
from monitor.assess.deliveries import Deliveries
from monitor.assess.months import Injection, Month, injection
from monitor.assess.passage import Passage, Record, world_engine
from monitor.detect.verdict import Verdict
from monitor.parameters import Parameters
from monitor.simulate.market import World
from monitor.simulate.negatives import Negative, NegativeKind, schedule
from monitor.simulate.observation import Observer, Observing, various
from monitor.simulate.regimes import REGIMES

NS: Final = 1_000_000_000
DAY_S: Final = 86_400
CHUNK_S: Final = 3600
# Midnight of a Monday; market time means nothing but hours and weekdays here.
EPOCH_S: Final = 1_767_571_200
LEAST_INTEREST_USD: Final = 1e8
MOST_INTEREST_USD: Final = 2e10
DEEP: Final = 4.0  # factor on the depth into which spot sells off


class Plan(msgspec.Struct, frozen=True):
    """What to live through.

    Attributes:
        regime: Name of the regime.
        seed: Of market and venues.
        assets: How many.
        warm_days: Days before the scored ones.
        days: Days that are scored.
        whales_per_day: Single large forced orders that belong to no cascade, of each asset.
        injections: Hard negatives of each kind, instead of those whales.
        troubled: Whether venues show them; the market has its own of them either way.
        thin_full: Whether the full tape prints one order a second, too.
        scale: Factor on all printed forced orders.
        curves: Whether to keep what curves and baselines need.
    """

    regime: str
    seed: int
    assets: int = 8
    warm_days: int = 14
    days: int = 31
    whales_per_day: float = 0.25
    injections: int = 0
    troubled: bool = True
    thin_full: bool = False
    scale: float = 1.0
    curves: bool = True


@dataclass(frozen=True)
class Lived:
    """A world that was lived through: the month to score, and every verdict of it."""

    month: Month
    verdicts: list[Verdict] = field(default_factory=list)


def live(
    plan: Plan, parameters: Parameters, progress: Callable[[int], object] | None = None
) -> Lived:
    """Live through a world.

    Args:
        plan: What to live through.
        parameters: Of the detector.
        progress: Called with the number of days that have passed.
    """
    random = np.random.default_rng((plan.seed, 1))
    interest_usd = np.exp(
        random.uniform(np.log(LEAST_INTEREST_USD), np.log(MOST_INTEREST_USD), plan.assets)
    )
    prices_usd = np.exp(random.uniform(np.log(0.1), np.log(1e5), plan.assets))
    start_s = EPOCH_S + plan.warm_days * DAY_S
    seconds = plan.days * DAY_S
    negatives = _negatives(plan, start_s, seconds, random)
    world = World(
        REGIMES[plan.regime],
        plan.seed,
        EPOCH_S,
        interest_usd / prices_usd,
        prices_usd,
        _shocks(negatives),
    )
    observer = Observer(
        plan.assets,
        random,
        Observing(thin_full=plan.thin_full, scale=plan.scale),
        negatives if plan.troubled else (),
        various(interest_usd, random),
    )
    engine = world_engine(plan.assets, parameters, EPOCH_S)
    passage = Passage(engine)
    deliveries = Deliveries()
    record = Record(seconds if plan.curves else 0, plan.assets)
    truth = _Truth(seconds, plan.assets)
    verdicts: list[Verdict] = []
    for at in range(-plan.warm_days * DAY_S, seconds, CHUNK_S):
        second = start_s + at
        tape = world.chunk(CHUNK_S)
        seen = observer.chunk(tape, second)
        events = deliveries.new(seen.events, seen.connections)
        kept = None
        if at >= 0:
            truth.take(tape, at)
            kept = record.rows(at, CHUNK_S) if plan.curves else None
        verdicts += passage.live(events, seen.depths, second + CHUNK_S, record=kept)
        if progress is not None and (at + CHUNK_S) % DAY_S == 0:
            progress((at + CHUNK_S) // DAY_S + plan.warm_days)
    raised, endings = alarms.read(verdicts, engine.watch.assets, start_s * NS, seconds)
    month = Month(
        regime=plan.regime,
        forced=truth.forced,
        endogenous=truth.endogenous,
        mark=truth.mark,
        interest=truth.interest,
        record=record if plan.curves else None,
        alarms=raised,
        endings=endings,
        injections=_injections(negatives, start_s),
    )
    return Lived(month, verdicts)


class _Truth:
    """What truly happened, second by second (float32)."""

    def __init__(self, seconds: int, assets: int) -> None:
        self.forced = np.zeros((seconds, 2 * assets), np.float32)
        self.endogenous = np.zeros((seconds, 2 * assets), np.float32)
        self.mark = np.zeros((seconds, assets), np.float32)
        self.interest = np.zeros((seconds, assets), np.float32)

    def take(self, tape: Records, at: int) -> None:
        rows = slice(at, at + len(tape))
        for position, name in enumerate(("long", "short")):
            self.forced[rows, position::2] = tape[f"forced_{name}"] / tape["interest"]
            self.endogenous[rows, position::2] = tape[f"endogenous_{name}"] / tape["interest"]
        self.mark[rows] = tape["mark"]
        self.interest[rows] = tape["interest"]


def _negatives(
    plan: Plan, start_s: int, seconds: int, random: np.random.Generator
) -> tuple[Negative, ...]:
    counts = dict.fromkeys(NegativeKind, plan.injections)
    if plan.injections == 0:
        whales = round(plan.whales_per_day * plan.days * plan.assets)
        counts = {NegativeKind.WHALE: whales}
    return schedule(counts, plan.assets, start_s, seconds, random)


def _shocks(negatives: tuple[Negative, ...]) -> Records:
    """Spot-driven drops are the market's own: a move of worth into deep books."""
    drops = [one for one in negatives if one.kind is NegativeKind.SPOT_DROP]
    found = np.zeros(len(drops), shock_dtype)
    for place, drop in enumerate(drops):
        move = float(np.log1p(-drop.size))
        found[place] = (drop.start_s, drop.asset, drop.seconds, move, DEEP, 0.0)
    return found


def _injections(negatives: tuple[Negative, ...], start_s: int) -> tuple[Injection, ...]:
    return tuple(injection(one, start_s) for one in negatives)
