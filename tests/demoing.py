"""A warm detector, made once for all tests that look at it."""

from functools import cache

from monitor.clock import NS
from monitor.config import Config
from monitor.demo import settings, warmth
from monitor.demo.plan import ASSET, EPOCH_NS, ONSET_S, PAST_S, SCENARIO
from monitor.detect.engine import Engine
from monitor.simulate.agents import AgentMarket
from monitor.simulate.scenarios import scenario
from monitor.venues import by_name

SEED = 7


def fresh() -> Engine:
    """An engine for the simulated venues that has seen nothing."""
    venues = [by_name(name) for name in settings.simulated()]
    return Engine(venues, Config().watch.assets, Config().detector)


@cache
def warmed() -> tuple[Engine, AgentMarket]:
    """An engine at the demo's start, and the market it has lived through until then."""
    engine = fresh()
    market = scenario(SCENARIO).market(
        SEED, EPOCH_NS - PAST_S * NS, asset=ASSET, onset_s=PAST_S + ONSET_S
    )
    seconds = list(warmth.warm(engine, market, PAST_S))
    assert seconds == list(range(1, PAST_S + 1))
    return engine, market
