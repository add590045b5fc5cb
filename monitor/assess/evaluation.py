"""A whole evaluation: worlds lived through by several processes, and all that was found.

`msgspec.json.encode` of an `Evaluation` is what `liqmon evaluate --json` prints. But for
`commit`, `machine` and `duration_s` it is a function of the code, the scope and the parameters:
neither the number of processes nor their order can be told from it.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from monitor.assess import alarms, calibration, crew
from monitor.assess.calibration import Calibration
from monitor.assess.gates import gate, hold, unchanged, under
from monitor.assess.history import History
from monitor.assess.months import Alarm
from monitor.assess.negatives import Verdicts
from monitor.assess.october import Crash, crash
from monitor.assess.pooled import pooled
from monitor.assess.results import Figure, Figures, Gate, Results
from monitor.assess.rewave import FINAL
from monitor.assess.scope import (
    CRASH,
    DEFAULTS,
    EXACT_SCALE,
    ROUND_SCALE,
    USUAL_MARKET,
    Held,
    Job,
    Purpose,
    Scope,
    jobs,
)
from monitor.assess.score import Scored, score
from monitor.assess.summary import RESAMPLES, summarise
from monitor.assess.worlds import DAY_S, EPOCH_S, NS, live
from monitor.events import MARKET
from monitor.parameters import Parameters
from monitor.simulate.regimes import REGIMES

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


class Calibrated(msgspec.Struct, frozen=True):
    """The simulated market by itself.

    Attributes:
        usual: The base regime beside published facts.
        crash: A crash beside that of 10 October 2025.
    """

    usual: Calibration
    crash: Crash


class Simulated(msgspec.Struct, frozen=True):
    """All that simulated worlds gave.

    Attributes:
        simulator: Figures of regimes, rivals, hard negatives and every gate.
        thinned: The same worlds, with full tapes thinned to one print a second.
        scaled: Whether alarms are the same when all prints are scaled.
        market: The market-wide ladder.
        lived_days: Asset-days that were lived through with the detector.
        calibration: The simulated market by itself; null where it was not measured.
    """

    simulator: Results
    thinned: Side
    scaled: Scaled
    market: Side
    lived_days: int
    calibration: Calibrated | None


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
        calibration: See there.
        history: Figures on recorded data; null without it.
        history_reason: Why there are none; empty where there are.
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
    calibration: Calibrated | None = None
    history: History | None = None
    history_reason: str = ""

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
    found = live(job.plan, job.parameters, lambda _passed: progress(1))
    month = found.month
    scored = market = None
    if job.purpose in {Purpose.USUAL, Purpose.THINNED}:
        scored = score(month)
    if job.purpose is Purpose.INJECTED:
        plan = msgspec.structs.replace(job.plan, troubled=False)
        untroubled = live(plan, job.parameters).month
        scored = score(month, without=untroubled.alarms["ONSET"])
    if job.purpose is Purpose.USUAL:
        start_ns = (EPOCH_S + job.plan.warm_days * DAY_S) * NS
        said = alarms.read(found.verdicts, (MARKET,), start_ns, month.seconds)
        market = score(pooled(month, *said))
    return Done(scored, market, month.alarms)


def measure_market(held: Held) -> Calibration | Crash:
    """Measure the simulated market by itself."""
    if held.regime:
        regime = REGIMES[held.regime]
        return calibration.measure(regime, range(held.worlds), held.assets, held.days, venues=True)
    return crash(range(held.worlds), held.assets)


def do(task: Job | Held, progress: Callable[[int], object]) -> Done | Calibration | Crash:
    """One task of an evaluation, in whatever process."""
    return live_job(task, progress) if isinstance(task, Job) else measure_market(task)


def simulate(
    scope: Scope,
    processes: int,
    progress: Callable[[int], object] = lambda _days: None,
    *,
    parameters: Parameters = DEFAULTS,
    resamples: int = RESAMPLES,
) -> Simulated:
    """Live through every world of a scope.

    Args:
        scope: What to live through.
        processes: How many at once; each takes about 1.5 GB with whole months.
        progress: Called with the number of days that have passed in any world.
        parameters: Of the detector.
        resamples: How often symbol-months are drawn again.

    Raises:
        ConfigError: There are no seeds for so much.
        MeasureError: A process died.
    """
    wanted = jobs(scope, parameters)
    tasks = [*wanted, *((USUAL_MARKET, CRASH) if scope.calibrated else ())]
    longest = sorted(range(len(tasks)), key=lambda k: -tasks[k].cost)
    found = crew.share(do, [tasks[k] for k in longest], processes, progress)
    done = dict(zip(longest, found, strict=True))
    return _gathered(scope, wanted, [done[k] for k in range(len(tasks))], resamples)


def _gathered(
    scope: Scope,
    wanted: Sequence[Job],
    done: Sequence[Done | Calibration | Crash],
    resamples: int,
) -> Simulated:
    lived = [one for one in done if isinstance(one, Done)]
    of = {
        purpose: [one for job, one in zip(wanted, lived, strict=True) if job.purpose is purpose]
        for purpose in Purpose
    }
    thinned = summarise(_scored(of[Purpose.THINNED]), resamples=resamples, seed=scope.seed)
    whole = [one.market for one in of[Purpose.USUAL] if one.market is not None]
    market = summarise(whole, resamples=resamples, seed=scope.seed)
    exact, rounded = (
        [(first.alarms, second.alarms) for first, second in zip(*ways, strict=True)]
        for ways in (
            (of[Purpose.UNSCALED], of[Purpose.EXACT]),
            (of[Purpose.UNSCALED], of[Purpose.ROUND]),
        )
    )
    usual = _scored(of[Purpose.USUAL])
    calls = sum(month.ends.endings.get(FINAL, 0) for month in usual)
    extra = (
        hold(wanted[0].parameters, calls),
        unchanged("same_alarms_when_scaled", exact),
        *under("thinned", [one for one in thinned.gates if not _of_injections(one)]),
    )
    months = with_injected(usual, _scored(of[Purpose.INJECTED]))
    results = summarise(months, resamples=resamples, seed=scope.seed, extra=extra)
    if scope.quick:
        results = msgspec.structs.replace(results, gates=by_value(results.gates))
    days = scope.scaled_days * scope.assets * len(exact)
    markets = [one for one in done if isinstance(one, Calibration)]
    crashes = [one for one in done if isinstance(one, Crash)]
    return Simulated(
        simulator=results,
        thinned=Side(thinned.regimes, thinned.macro),
        scaled=Scaled(rescaled(EXACT_SCALE, exact, days), rescaled(ROUND_SCALE, rounded, days)),
        market=Side(market.regimes, market.macro),
        lived_days=sum(job.lived_days for job in wanted),
        calibration=Calibrated(markets[0], crashes[0]) if markets and crashes else None,
    )


def _scored(done: Sequence[Done]) -> list[Scored]:
    return [one.scored for one in done if one.scored is not None]


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
