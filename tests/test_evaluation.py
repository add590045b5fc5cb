"""A whole evaluation: what is gathered from its worlds, and the keys of what it tells."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec import inspect

from monitor.assess import evaluation
from monitor.assess.alarms import TIERS
from monitor.assess.calibration import Calibration
from monitor.assess.evaluation import (
    Done,
    Evaluation,
    Rescaled,
    Simulated,
    by_value,
    live_job,
    rescaled,
    seeds,
    simulate,
    with_injected,
)
from monitor.assess.gates import gate, hold
from monitor.assess.months import Alarm
from monitor.assess.negatives import Verdicts
from monitor.assess.october import Crash
from monitor.assess.report_tables import GROUPS
from monitor.assess.results import MINOR, Figure
from monitor.assess.scope import CRASH, USUAL_MARKET, Held, Job, Purpose, Scope, jobs
from monitor.assess.score import Scored, score
from monitor.assess.tradeoff import RATES
from monitor.assess.worlds import Lived, Plan
from monitor.parameters import Parameters
from monitor.simulate.negatives import NegativeKind
from tests.evaluations import sample
from tests.months import Sketch
from tests.tape import EAGER

KEYS = Path(__file__).parent / "golden" / "evaluation_keys.txt"
# A detector that is easily alarmed, and that has a scale of its own after a day.
DETECTOR = msgspec.structs.replace(EAGER, scale_days=1.0, least_scale_ratio=1e-9)
SCOPE = Scope(
    ("base",),
    1,
    assets=2,
    warm_days=1,
    days=1,
    injected_worlds=1,
    injections=1,
    scaled_days=1,
    calibrated=False,
)


# One that is real, in days rather than months.


@functools.cache
def lived(processes: int) -> tuple[Simulated, list[int]]:
    """What worlds of two days give by so many processes, and the steps that were told."""
    told: list[int] = []
    return simulate(SCOPE, processes, told.append, parameters=DETECTOR, resamples=20), told


def test_the_number_of_processes_changes_nothing() -> None:
    """One and two processes give the same bytes, and tell of every day of every world."""
    days = sum(job.days for job in jobs(SCOPE))
    (alone, told), (shared, told_by_two) = lived(1), lived(2)
    assert msgspec.json.encode(shared) == msgspec.json.encode(alone)
    assert told == told_by_two == [1] * days
    injected = sum(job.days for job in jobs(SCOPE) if job.purpose is Purpose.INJECTED)
    assert alone.lived_days == 2 * (days + injected)  # two assets; injected worlds twice


def test_the_same_alarms_are_raised_when_all_prints_are_scaled() -> None:
    """Once u rests on an asset's own days, a constant part of all prints gives equal alarms."""
    exact = lived(1)[0].scaled.exact
    assert (exact.worlds, exact.days) == (1, 2)
    assert min(exact.alarms.values()) > 0
    assert exact.differing == dict.fromkeys(TIERS, 0)
    kept = {one.gate: one for one in lived(1)[0].simulator.gates}
    assert kept["same_alarms_when_scaled"].held


def test_a_real_evaluation_holds_what_it_is_asked_for() -> None:
    """Every tier, group, rate, kind and promise is there, of the worlds that were asked for."""
    found = lived(1)[0]
    macro = found.simulator.macro
    assert list(found.simulator.regimes) == ["base"]
    assert tuple(macro.alerts) == TIERS
    assert {tuple(alerts.groups) for alerts in macro.alerts.values()} == {(*GROUPS, MINOR)}
    rates = tuple(f"{rate:g}" for rate in RATES)
    assert {tuple(curve.recall_at) for curve in macro.curves.values()} == {rates}
    assert [*macro.curves] == ["level", *found.simulator.rivals]
    assert {name: one.injected for name, one in found.simulator.negatives.items()} == {
        # The usual world's own whale beside the one that was put in.
        kind.value: 1 + (kind is NegativeKind.WHALE and round(0.25 * 2))
        for kind in sorted(NegativeKind)
    }
    assert found.thinned.macro.curves == {}
    assert found.market.macro.symbol_months == 1
    assert found.calibration is None
    names = [one.gate for one in found.simulator.gates]
    assert len(names) == len(set(names))
    assert {"exhausted_hold_s", "same_alarms_when_scaled", "thinned.onset_recall"} <= set(names)
    assert not [name for name in names if name.startswith(("thinned.raised", "thinned.inj"))]


def test_the_hold_is_that_of_the_evaluated_detector() -> None:
    """The promise is held against what the detector was told, for every end it called."""
    found = lived(1)[0].simulator
    (kept,) = [one for one in found.gates if one.gate == "exhausted_hold_s"]
    called = found.macro.exhaustion.endings["EXHAUSTED"]
    assert (kept.value, kept.n, kept.held) == (240.0, called, True)


# Its keys.


def structures(kind: inspect.Type, found: dict[type, list[str]]) -> dict[type, list[str]]:
    """Structure -> its keys in the JSON, of all structures within a type."""
    match kind:
        case inspect.StructType(cls=cls, fields=fields):
            if cls not in found:
                found[cls] = [field.encode_name for field in fields]
                for field in fields:
                    structures(field.type, found)
        case inspect.DictType(value_type=inner):
            structures(inner, found)
        case inspect.VarTupleType(item_type=inner) | inspect.ListType(item_type=inner):
            structures(inner, found)
        case inspect.UnionType(types=several) | inspect.TupleType(item_types=several):
            for one in several:
                structures(one, found)
    return found


def test_the_keys_are_stable() -> None:
    """The JSON has the keys of the golden list; whoever renames one breaks a reader."""
    found = structures(inspect.type_info(Evaluation), {})
    lines = [f"{cls.__name__}: {' '.join(keys)}" for cls, keys in found.items()]
    assert lines == KEYS.read_text(encoding="utf-8").splitlines()


def test_what_is_told_can_be_read_back() -> None:
    """A whole evaluation read from its JSON is the one that was written, and so is a real one."""
    whole = sample()
    assert msgspec.json.decode(msgspec.json.encode(whole), type=Evaluation) == whole
    real = lived(1)[0]
    assert msgspec.json.decode(msgspec.json.encode(real), type=Simulated) == real


def test_the_broken_promises_are_those_not_held() -> None:
    """In order; without simulated worlds there are none."""
    whole = sample()
    assert whole.simulator is not None
    assert whole.broken == tuple(one for one in whole.simulator.gates if not one.held)
    assert whole.broken
    assert msgspec.structs.replace(whole, simulator=None).broken == ()


# What is kept of a world.


def sketch(*hits: int, regime: str = "base") -> Sketch:
    """A month with cascades, each with an alarm a few seconds after its begin."""
    drawn = Sketch(regime=regime)
    for onset in hits:
        drawn.cascade(0, onset, 100, 0.03).alarm(0, onset + 5, onset + 900)
    return drawn


@pytest.mark.parametrize("purpose", list(Purpose))
def test_only_what_is_needed_of_a_world_is_kept(
    purpose: Purpose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Months that are counted are scored, usual ones as a market too; alarms are kept of all."""
    month = sketch(10_000).month()
    asked: list[tuple[Plan, Parameters]] = []

    def live(
        plan: Plan, parameters: Parameters, progress: Callable[[int], object] = lambda _: None
    ) -> Lived:
        asked.append((plan, parameters))
        progress(7)
        progress(8)
        return Lived(month)

    monkeypatch.setattr(evaluation, "live", live)
    told: list[int] = []
    job = Job(purpose, Plan("base", 3, warm_days=0), DETECTOR)
    done = live_job(job, told.append)
    # What was put into a world is taken out again, to see what comes without it.
    untroubled = (msgspec.structs.replace(job.plan, troubled=False), DETECTOR)
    assert asked == [(job.plan, DETECTOR), *([untroubled] if purpose is Purpose.INJECTED else [])]
    assert told == [1, 1]  # by the day
    counted = purpose in {Purpose.USUAL, Purpose.THINNED, Purpose.INJECTED}
    assert (done.scored is not None) is counted
    assert (done.market is not None) is (purpose is Purpose.USUAL)
    assert done.alarms == month.alarms


# How it is put together.


def made_of(job: Job) -> Done:
    """A month that tells what it was lived through for."""
    alarms: dict[str, tuple[Alarm, ...]] = {tier: (Alarm(0, 5, 9),) for tier in TIERS}
    if job.purpose in {Purpose.EXACT, Purpose.ROUND}:
        alarms["ONSET" if job.purpose is Purpose.EXACT else "NOTICE"] = (Alarm(0, 5, 8),)
    drawn = sketch(10_000) if job.purpose is Purpose.THINNED else sketch(10_000, 15_000)
    drawn.regime = job.plan.regime
    if job.purpose is Purpose.INJECTED:
        drawn.injected("side_flip", 0, 100, 200)
    scored = score(drawn.ending(0, 10_005, 12_000).month(), statistics=())
    usual = job.purpose is Purpose.USUAL
    return Done(scored, scored if usual else None, alarms)


def gathered(scope: Scope, monkeypatch: pytest.MonkeyPatch) -> tuple[Simulated, list[Job | Held]]:
    """An evaluation of made-up months, and its tasks in the order in which they were done."""
    did: list[Job | Held] = []
    whole = sample()
    assert whole.calibration is not None
    calibrated = whole.calibration

    def one(job: Job, _: Callable[[int], object]) -> Done:
        did.append(job)
        return made_of(job)

    def measured(held: Held) -> Calibration | Crash:
        did.append(held)
        return calibrated.usual if held.regime else calibrated.crash

    monkeypatch.setattr(evaluation, "live_job", one)
    monkeypatch.setattr(evaluation, "measure_market", measured)
    return simulate(scope, 1, resamples=10), did


def test_every_world_counts_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was done first: usual, thinned, injected, scaled and measured are told apart."""
    scope = Scope(("wild", "base"), 2, assets=1, days=3, injected_worlds=1, scaled_days=2)
    found, did = gathered(scope, monkeypatch)
    assert {one.cost for one in did[:2]} == {USUAL_MARKET.cost, CRASH.cost} | {did[0].cost}
    assert [one.cost for one in did] == sorted((one.cost for one in did), reverse=True)
    assert list(found.simulator.regimes) == ["wild", "base"]
    months_of = {name: one.symbol_months for name, one in found.simulator.regimes.items()}
    assert months_of == {"wild": 2, "base": 2}  # those of injections are no usual ones
    macros = (found.simulator.macro, found.thinned.macro, found.market.macro)
    assert [one.alerts["ONSET"].groups["all"].recall.n for one in macros] == [8, 4, 8]
    assert found.simulator.negatives["side_flip"].injected == 1
    assert (found.scaled.exact.worlds, found.scaled.exact.days) == (2, 4)
    assert found.scaled.exact.differing == {**dict.fromkeys(TIERS, 0), "ONSET": 4}
    assert found.scaled.round.differing == {**dict.fromkeys(TIERS, 0), "NOTICE": 4}
    assert found.lived_days == 2 * 2 * 2 * 17 + 2 * 17 + 2 * 3 * 17
    assert found.calibration == sample().calibration
    kept = {one.gate: one for one in found.simulator.gates}
    assert (kept["same_alarms_when_scaled"].value, kept["same_alarms_when_scaled"].n) == (2.0, 2)
    assert kept["exhausted_hold_s"].n == 4


def test_the_market_is_measured_only_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without calibration nothing but worlds is done; a short one is judged by value."""
    scope = msgspec.structs.replace(SCOPE, quick=True)
    found, did = gathered(scope, monkeypatch)
    assert found.calibration is None
    assert {type(one) for one in did} == {Job}
    assert {one.counted for one in found.simulator.gates} == {"value"}
    assert not [one for one in found.simulator.gates if one.gate.startswith("injections.")]


def test_seeds_are_told_by_purpose_and_regime() -> None:
    """Purpose -> regime -> the seeds of its worlds, in order."""
    wanted = jobs(Scope(("wild", "base"), 2, injected_worlds=3, held_out=False))
    found = seeds(wanted)
    assert list(found) == [purpose.value for purpose in Purpose]
    assert found["usual"] == found["thinned"] == {"wild": [2, 7], "base": [0, 5]}
    assert found["injected"] == {"base": [80, 81, 82]}
    assert found["unscaled"] == found["exact"] == found["round"] == {"wild": [92], "base": [90]}
    assert seeds([]) == {}


def scored(**negatives: Verdicts) -> Scored:
    """A month with these hard negatives."""
    return dataclasses.replace(score(sketch().month(), statistics=()), negatives=negatives)


def test_hard_negatives_of_other_worlds_are_told_by_the_first_month() -> None:
    """They are added up by kind; nothing else of their months counts, and nothing is lost."""
    usual = [scored(whale=Verdicts(4, 1, 0)), scored(whale=Verdicts(2))]
    injected = [
        scored(whale=Verdicts(10, 0, 1), side_flip=Verdicts(5, 2, 0)),
        scored(side_flip=Verdicts(6, 0, 3)),
    ]
    found = with_injected(usual, injected)
    assert found[0].negatives == {"whale": Verdicts(14, 1, 1), "side_flip": Verdicts(11, 2, 3)}
    assert found[0].tiers is usual[0].tiers
    assert found[1:] == usual[1:]
    assert usual[0].negatives == {"whale": Verdicts(4, 1, 0)}
    assert with_injected(usual, []) == usual


def test_a_short_evaluation_is_judged_by_value() -> None:
    """Bounds no longer count, and what has no cases, or too few injections, is left out."""
    found = by_value(
        [
            gate("rate", Figure(0.9, 0.5, 1.3, 60), "<=", 1.0),
            gate("recall", Figure(0.7, 0.65, 0.75, 60), ">=", 0.8),
            gate("none", Figure(None, None, None, 0), "<=", 1.0),
            gate("injections.whale", Figure(10.0, None, None, 10), ">=", 300.0),
            gate("raised.whale", Figure(0.0, None, None, 10), "<=", 0.0),
        ]
    )
    assert [(one.gate, one.counted, one.held) for one in found] == [
        ("rate", "value", True),
        ("recall", "value", False),
        ("raised.whale", "value", True),
    ]
    assert [(one.value, one.low, one.high, one.n) for one in found[:2]] == [
        (0.9, None, None, 60),
        (0.7, None, None, 60),
    ]


def test_alarms_of_two_ways_are_compared_one_by_one() -> None:
    """An alarm that only one way has differs; a later end makes two of one."""
    plain: dict[str, tuple[Alarm, ...]] = {
        "NOTICE": (Alarm(0, 5, 9), Alarm(0, 50, 90)),
        "ONSET": (Alarm(0, 7, 9),),
    }
    other: dict[str, tuple[Alarm, ...]] = {
        "NOTICE": (Alarm(0, 5, 9), Alarm(0, 50, 91)),
        "ONSET": (),
    }
    twice: dict[str, tuple[Alarm, ...]] = {"NOTICE": (Alarm(1, 5, 9), Alarm(1, 5, 9)), "ONSET": ()}
    once: dict[str, tuple[Alarm, ...]] = {"NOTICE": (Alarm(1, 5, 9),), "ONSET": ()}
    assert rescaled(0.5, [(plain, other), (plain, plain), (twice, once)], 12) == Rescaled(
        0.5, 3, 12, {"NOTICE": 6, "ONSET": 2}, {"NOTICE": 3, "ONSET": 1}
    )
    assert rescaled(0.5, [], 0) == Rescaled(0.5, 0, 0, {}, {})


@pytest.mark.parametrize(("waits_s", "held"), [(60, True), (1200, True), (1201, False)])
@pytest.mark.parametrize(("calls", "n"), [(0, 1), (1, 1), (400, 400)])
def test_a_hold_of_twenty_minutes_is_the_longest(
    waits_s: int, held: bool, calls: int, n: int
) -> None:
    """Whether or not anything was called, the wait before EXHAUSTED is a promise."""
    found = hold(Parameters(exhausted_extreme_s=waits_s), calls)
    assert (found.gate, found.value, found.n) == ("exhausted_hold_s", waits_s, n)
    assert (found.counted, found.comparator, found.bound) == ("value", "<=", 1200)
    assert found.held is held
    assert hold(Parameters(), calls).held
