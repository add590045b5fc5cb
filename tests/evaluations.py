"""A small made-up evaluation in which every figure has a number of its own.

It is filled from the types, so a new figure is in it the moment it is declared.
"""

import functools
import random
import types
import typing
from collections.abc import Callable, Container, Iterator
from typing import Any

import msgspec

from monitor.assess import evaluation, results
from monitor.assess.alarms import TIERS
from monitor.assess.evaluation import Evaluation, Rescaled
from monitor.assess.gates import gate
from monitor.assess.history import History
from monitor.assess.history_flush import RuleFigures
from monitor.assess.history_rules import Rule
from monitor.assess.report_tables import GROUPS
from monitor.assess.results import Alerts, Curve, Exhaustion, Figure, Figures, Results
from monitor.assess.scope import jobs, quick
from monitor.assess.tradeoff import RATES
from monitor.parameters import Parameters

REGIMES = ("base", "wild")
STATISTICS = ("level", "z_60s", "price_drop_300s")
KINDS = ("whale", "spot_drop")
GATES = (
    ("onset_false_alarms", "<=", 1.0),
    ("onset_false_alarms.wild", "<=", 2.0),
    ("onset_recall", ">=", 0.85),
    ("something_new", ">=", 0.5),
    *((f"injections.{kind}", ">=", 300.0) for kind in KINDS),
    *((f"raised_rate.{kind}", "<=", 0.01) for kind in KINDS),
    ("raised.whale", "<=", 0.0),
    *((f"advantage.{name}", ">=", 0.2) for name in STATISTICS[1:]),
    ("thinned.onset_recall", ">=", 0.85),
    ("thinned.only_so", ">=", 0.85),
)
# Field -> keys of its dictionary.
_KEYS: dict[tuple[type, str], tuple[str, ...]] = {
    (Results, "regimes"): REGIMES,
    (evaluation.Side, "regimes"): REGIMES,
    (Results, "rivals"): STATISTICS[1:],
    (Results, "negatives"): KINDS,
    (Figures, "alerts"): TIERS,
    (Figures, "curves"): STATISTICS,
    (Alerts, "groups"): tuple(GROUPS),
    (Curve, "recall_at"): tuple(f"{rate:g}" for rate in RATES),
    (Exhaustion, "endings"): ("EXHAUSTED", "FIZZLED"),
    (Rescaled, "alarms"): TIERS,
    (Rescaled, "differing"): TIERS,
}
_WORDS: dict[tuple[type, str], str] = {
    (Rule, "name"): "price_only",
    (RuleFigures, "rule"): "price_only",
}


def sample(seed: int = 1) -> Evaluation:
    """An evaluation of two regimes, with recorded data."""
    dice = random.Random(seed)
    scope = msgspec.structs.replace(quick(REGIMES), quick=False, days=31, calibrated=True)
    made = _made(evaluation.Simulated, dice)
    history = _made(History, dice)
    gates = tuple(gate(name, _figure(dice), sign, bound) for name, sign, bound in GATES)
    simulator = msgspec.structs.replace(made.simulator, gates=gates, resamples=1000)
    return Evaluation(
        schema_version=evaluation.SCHEMA_VERSION,
        command="liqmon evaluate --suite all --regime base --regime wild --months 8 --seed 0",
        commit="0123abc",
        machine=evaluation.Machine("a processor", 2),
        duration_s=1234.5,
        simulator_digest="0011223344556677",
        scope=scope,
        seeds=evaluation.seeds(jobs(scope)),
        parameters=Parameters(),
        history=history,
        **{name: getattr(made, name) for name in made.__struct_fields__ if name != "simulator"},
        simulator=simulator,
    )


def fields(of: object, but: Container[tuple[type, str]] = ()) -> Iterator[tuple[type, str]]:
    """Every field of every structure within a value; not what is within those left out."""
    if isinstance(of, msgspec.Struct):
        for name in of.__struct_fields__:
            yield type(of), name
            if (type(of), name) not in but:
                yield from fields(getattr(of, name), but)
    elif isinstance(of, dict):
        for one in of.values():
            yield from fields(one, but)
    elif isinstance(of, list | tuple):
        for one in of:
            yield from fields(one, but)


def changed(of: Any, kind: type, name: str) -> Any:
    """The same with every value of one field of one kind of structure changed."""
    if isinstance(of, msgspec.Struct):
        if kind not in _within(type(of)):
            return of
        new = {
            field: _other(value)
            if (type(of), field) == (kind, name)
            else changed(value, kind, name)
            for field in of.__struct_fields__
            for value in (getattr(of, field),)
        }
        return msgspec.structs.replace(of, **new)
    return _mapped(of, lambda value: changed(value, kind, name))


def _other(of: Any) -> Any:
    """A value with everything in it changed, but for the keys of dictionaries."""
    match of:
        case bool():
            return not of
        case int():
            return 2 * of + 61
        case float():
            return 0.5 * of + 0.5
        case str():
            swaps = {"<=": ">=", ">=": "<=", "low": "high", "high": "value", "value": "low"}
            return swaps.get(of, f"{of}, another")
        case _:
            return _mapped(of, _other)


def _mapped(of: Any, how: Callable[[Any], Any]) -> Any:
    """What holds values, with each of them replaced; anything else as it is."""
    if isinstance(of, msgspec.Struct):
        new = {name: how(getattr(of, name)) for name in of.__struct_fields__}
        return msgspec.structs.replace(of, **new)
    if isinstance(of, dict):
        return {key: how(value) for key, value in of.items()}
    if isinstance(of, list | tuple):
        return type(of)(how(value) for value in of)
    return of


@functools.cache
def _within(kind: Any) -> frozenset[Any]:
    """The structures that a type is or may hold."""
    found = {kind}
    inner = typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        inner = tuple(field.type for field in msgspec.structs.fields(kind))
    for one in inner:
        found |= _within(one)
    return frozenset(found)


def _made(kind: Any, dice: random.Random, place: tuple[type, str] = (object, "")) -> Any:
    """A value of a type; numbers are shares of their own."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in {types.UnionType, typing.Union}:
        return _made(next(one for one in inner if one is not type(None)), dice, place)
    if origin is dict:
        return {key: _made(inner[1], dice, place) for key in _KEYS[place]}
    if origin is tuple:
        several = 2 if inner[0] in {results.Point, results.Hold} else 1
        whole = inner[:1] * several if inner[-1] is Ellipsis else inner
        return tuple(_made(one, dice, place) for one in whole)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        made = {
            field.name: _made(field.type, dice, (kind, field.name))
            for field in msgspec.structs.fields(kind)
        }
        return kind(**made)
    simple: dict[Any, Callable[[], object]] = {
        int: lambda: dice.randrange(1, 10_000),
        float: lambda: _share(dice),
        str: lambda: _WORDS.get(place, f"word{dice.randrange(10_000)}"),
        bool: lambda: dice.random() < 0.5,
    }
    return simple[kind]()


def _figure(dice: random.Random) -> Figure:
    return Figure(_share(dice), _share(dice), _share(dice), 40 + dice.randrange(40))


def _share(dice: random.Random) -> float:
    return round(dice.uniform(0.15, 0.95), 3)
