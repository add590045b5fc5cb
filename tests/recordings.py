"""Recordings made up for tests: a coin whose falls are known."""

from monitor.assess.history_rules import Moves, Rule, moves, rules
from monitor.assess.history_series import Series, series_of
from monitor.parameters import Parameters

STEP_S = 300
DAY = 288  # samples of five minutes


def market(falls: dict[int, float], drops: dict[int, float], n: int = 2 * DAY) -> Series:
    """A coin that trembles by a basis point, but for falls of interest and of price in steps."""
    interest, price, samples = 1000.0, 100.0, []
    for i in range(n):
        interest *= 1.0 - falls.get(i, 0.0)
        price *= (1.0 - drops.get(i, 0.0)) * (1.0001 if i % 2 else 1.0 / 1.0001)
        samples.append((STEP_S * float(i + 1), interest, price))
    return series_of("BTC", STEP_S, samples)


def rule_named(name: str) -> Rule:
    """One of the rules that are compared."""
    return {rule.name: rule for rule in rules(Parameters())}[name]


def seen_in(series: Series) -> tuple[Series, Moves]:
    """A series with its inputs."""
    return series, moves(series, Parameters())
