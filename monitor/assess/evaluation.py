"""A whole evaluation: worlds lived through by several processes, and all that was found.

`msgspec.json.encode` of an `Evaluation` is what `liqmon evaluate --json` prints. But for
`commit`, `machine` and `duration_s` it is a function of the code, the scope and the parameters:
neither the number of processes nor their order can be told from it.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from monitor.assess import alarms, crew
from monitor.assess.gates import gate, unchanged, under
from monitor.assess.history import History
from monitor.assess.months import Alarm
from monitor.assess.negatives import Verdicts
from monitor.assess.pooled import pooled
from monitor.assess.results import Figure, Figures, Gate, Results
from monitor.assess.scope import EXACT_SCALE, ROUND_SCALE, Job, Purpose, Scope, jobs
from monitor.assess.score import Scored, score
from monitor.assess.summary import RESAMPLES, summarise
from monitor.assess.worlds import DAY_S, EPOCH_S, NS, live
from monitor.events import MARKET
from monitor.parameters import Parameters

SCHEMA_VERSION: Final = 1


class Machine(msgspec.Struct, frozen=True):
    """Where it ran: name of the processor (empty if not known), and cores it could use."""

    cpu: str
    cores: int


class Side(msgspec.Struct, frozen=True):
    """Figures of months that stand beside the usual ones.

    Attributes:
        regimes: Regime -> its figures; a month of the market as a whole counts as one
            symbol-month.
        macro: Their mean over regimes.
    """

    regimes: dict[str, Figures]
    macro: Figures


class Rescaled(msgspec.Struct, frozen=True):
    """What became of alarms when all prints were scaled by a constant.

    Attributes:
        factor: The constant.
        worlds: Worlds that were lived through both ways.
        days: Scored asset-days of each way.
        alarms: Tier -> alarms of the unscaled way.
        differing: Tier -> alarms that only one of both ways has: another ladder, begin or end.
    """

    factor: float
    worlds: int
    days: int
    alarms: dict[str, int]
    differing: dict[str, int]


class Scaled(msgspec.Struct, frozen=True):
    """Scaled prints, twice.

    Attributes:
        exact: By a power of the ratio of the own scale's histogram bins: what is promised.
        round: By another constant, which moves values within their bins: what that costs.
    """

    exact: Rescaled
    round: Rescaled


class Simulated(msgspec.Struct, frozen=True):
    """All that simulated worlds gave.

    Attributes:
        simulator: Figures of regimes, rivals, hard negatives and every gate.
        thinned: The same worlds, with full tapes thinned to one print a second.
        scaled: Whether alarms are the same when all prints are scaled.
        market: The market-wide ladder.
        lived_days: Asset-days that were lived through in all.
    """

    simulator: Results
    thinned: Side
    scaled: Scaled
    market: Side
    lived_days: int


class Evaluation(msgspec.Struct, frozen=True):
    """All that was found, and what it was found by.

    Attributes:
        schema_version: Of these keys.
        command: What to type for the same again.
        commit: Revision of the project, "+" behind it where files differ; null if not known.
        machine: Where.
        duration_s: How long it took.
        simulator_digest: Of the simulator's sources: figures of two digests are two figures.
        scope: Regimes, worlds and days; which seeds follow from it.
        seeds: Purpose -> regime -> seeds of its worlds.
        parameters: Of the detector.
        simulator: As in `Simulated`, as are the following; null without it.
        thinned: See there.
        scaled: See there.
        market: See there.
        lived_days: See there.
        history: Figures on recorded data; null without it.
        history_reason: Why there are none; empty where there are.
        calibration: The simulator against published facts; null where it was not measured.
    """

    schema_version: int
    command: str
    commit: str | None
    machine: Machine
    duration_s: float
    simulator_digest: str
    scope: Scope | None
    seeds: dict[str, dict[str, list[int]]]
    parameters: Parameters
    simulator: Results | None = None
    thinned: Side | None = None
    scaled: Scaled | None = None
    market: Side | None = None
    lived_days: int = 0
    history: History | None = None
    history_reason: str = ""
    calibration: Any = None

    @property
    def broken(self) -> tuple[Gate, ...]:
        """Promises that were not kept."""
        found = self.simulator.gates if self.simulator else ()
        return tuple(one for one in found if not one.held)


@dataclass(frozen=True)
class Done:
    """What is kept of one world.

    Attributes:
        scored: Its assets' months; None where only alarms are compared.
        market: The month of its market as a whole, of usual worlds.
        alarms: Tier -> its alarms.
    """

    scored: Scored | None
    market: Scored | None
    alarms: dict[str, tuple[Alarm, ...]]


def live_job(job: Job, progress: Callable[[int], object]) -> Done:
    """Live through one world and score it; progress is told by the day."""
    found = live(job.plan, Parameters(), lambda _passed: progress(1))
    month = found.month
    scored = market = None
    if job.purpose in {Purpose.USUAL, Purpose.THINNED, Purpose.INJECTED}:
        scored = score(month)
    if job.purpose is Purpose.USUAL:
        start_ns = (EPOCH_S + job.plan.warm_days * DAY_S) * NS
        said = alarms.read(found.verdicts, (MARKET,), start_ns, month.seconds)
        market = score(pooled(month, *said))
    return Done(scored, market, month.alarms)


def cost(job: Job) -> float:
    """Rough measure of how long a job takes."""
    return job.days * job.plan.assets * (1.3 if job.plan.curves else 1.0)


def simulate(
    scope: Scope,
    processes: int,
    progress: Callable[[int], object] = lambda _days: None,
    *,
    resamples: int = RESAMPLES,
) -> Simulated:
    """Live through every world of a scope.

    Args:
        scope: What to live through.
        processes: How many at once; each takes about 1.5 GB with whole months.
        progress: Called with the number of days that have passed in any world.
        resamples: How often symbol-months are drawn again.

    Raises:
        ConfigError: There are no seeds for so much.
        MeasureError: A process died.
    """
    wanted = jobs(scope)
    longest = sorted(range(len(wanted)), key=lambda k: -cost(wanted[k]))
    lived = crew.share(live_job, [wanted[k] for k in longest], processes, progress)
    done = dict(zip(longest, lived, strict=True))
    of: dict[Purpose, list[Done]] = {purpose: [] for purpose in Purpose}
    for number, job in enumerate(wanted):
        of[job.purpose].append(done[number])
    return _gathered(scope, wanted, of, resamples)


def _gathered(
    scope: Scope, wanted: Sequence[Job], of: dict[Purpose, list[Done]], resamples: int
) -> Simulated:
    usual = [one.scored for one in of[Purpose.USUAL] if one.scored is not None]
    injected = [one.scored for one in of[Purpose.INJECTED] if one.scored is not None]
    thin = [one.scored for one in of[Purpose.THINNED] if one.scored is not None]
    whole = [one.market for one in of[Purpose.USUAL] if one.market is not None]
    thinned = summarise(thin, resamples=resamples, seed=scope.seed)
    market = summarise(whole, resamples=resamples, seed=scope.seed)
    exact = [
        (first.alarms, second.alarms)
        for first, second in zip(of[Purpose.UNSCALED], of[Purpose.EXACT], strict=True)
    ]
    rounded = [
        (first.alarms, second.alarms)
        for first, second in zip(of[Purpose.UNSCALED], of[Purpose.ROUND], strict=True)
    ]
    extra = (
        unchanged("same_alarms_when_scaled", exact),
        *under("thinned", [one for one in thinned.gates if not _of_injections(one)]),
    )
    found = summarise(
        with_injected(usual, injected), resamples=resamples, seed=scope.seed, extra=extra
    )
    if scope.quick:
        found = msgspec.structs.replace(found, gates=by_value(found.gates))
    days = scope.scaled_days * scope.assets * len(exact)
    return Simulated(
        simulator=found,
        thinned=Side(thinned.regimes, thinned.macro),
        scaled=Scaled(
            rescaled(EXACT_SCALE, exact, days),
            rescaled(ROUND_SCALE, rounded, days),
        ),
        market=Side(market.regimes, market.macro),
        lived_days=sum(job.days * job.plan.assets for job in wanted),
    )


def seeds(wanted: Sequence[Job]) -> dict[str, dict[str, list[int]]]:
    """Purpose -> regime -> seeds of its worlds."""
    found: dict[str, dict[str, list[int]]] = {}
    for job in wanted:
        of = found.setdefault(job.purpose.value, {}).setdefault(job.plan.regime, [])
        of.append(job.plan.seed)
    return found


def with_injected(usual: Sequence[Scored], injected: Sequence[Scored]) -> list[Scored]:
    """The usual months, the first of which tells of the other worlds' hard negatives, too.

    Those worlds are no usual ones: of their months nothing else may be counted.
    """
    told = dict(usual[0].negatives)
    for month in injected:
        for kind, verdicts in month.negatives.items():
            told[kind] = told.get(kind, Verdicts()) + verdicts
    return [dataclasses.replace(usual[0], negatives=told), *usual[1:]]


def by_value(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """Gates of a short evaluation: values count, and what has no cases is not judged."""
    return tuple(
        gate(one.gate, Figure(one.value, None, None, one.n), one.comparator, one.bound)
        for one in gates
        if one.n > 0 and not one.gate.startswith("injections.")
    )


def rescaled(
    factor: float,
    pairs: Sequence[tuple[dict[str, tuple[Alarm, ...]], dict[str, tuple[Alarm, ...]]]],
    days: int,
) -> Rescaled:
    """Compare the alarms of worlds that were lived through both ways."""
    raised: Counter[str] = Counter()
    differing: Counter[str] = Counter()
    for first, second in pairs:
        for tier in first:
            before, after = Counter(first[tier]), Counter(second[tier])
            raised[tier] += len(first[tier])
            differing[tier] += (before - after).total() + (after - before).total()
    return Rescaled(factor, len(pairs), days, dict(raised), dict(differing))


def _of_injections(one: Gate) -> bool:
    """Whether a gate is about hard negatives, which are no matter of thinning."""
    return one.gate.startswith(("injections.", "raised.", "raised_rate."))
