"""What the daemon holds with 800 symbols listed: resident memory of its process.

The simulated venues list them; forced orders come for all of them, and full market data for
the usual watch list, faster than in production so that every structure is filled.
"""

import asyncio
import itertools
import string
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from monitor.bench import children
from monitor.bench.results import MemoryFigures
from monitor.bench.venue import settings
from monitor.clock import MarketClock
from monitor.config import Clock, VenueOptions
from monitor.daemon import Daemon
from monitor.daemon.report import rss_bytes
from monitor.errors import MeasureError
from monitor.instruments import USD_QUOTES, Instrument, Unit
from monitor.simulate.listing import OTHERS, WATCHED, Asset, contracts
from monitor.simulate.scripted import ScriptedMarket
from monitor.simulate.servers import Servers
from monitor.venues import VENUES

SYMBOLS: Final = 800
SPEED: Final = 10.0
RUN_S: Final = 15.0
START_S: Final = 30.0
_SEED: Final = 7
_SIMULATED: Final = ("binance", "binance_spot", "bybit", "bybit_spot", "okx", "okx_spot")
_MIB: Final = 1 << 20


def measure(
    step: Callable[[str], None], *, symbols: int = SYMBOLS, run_s: float = RUN_S
) -> MemoryFigures:
    """Measure after so many wall seconds of market data.

    Raises:
        MeasureError: The system does not say, or not every symbol was listed.
    """
    epoch_ns = time.time_ns()
    clock = MarketClock(epoch_ns, epoch_ns, SPEED)
    assets = _assets(symbols, epoch_ns)
    with children.child(serve_market, clock, assets) as venues:
        endpoints = children.answer(venues, START_S, "the simulated venues' addresses")
        with children.child(hold, clock, endpoints, run_s) as daemon:
            rss, listed, frames = children.answer(daemon, START_S + run_s, "the daemon's memory")
    step("memory")
    if rss == 0 or listed < symbols:
        raise MeasureError(f"expected memory of {symbols} symbols, had {rss} bytes of {listed}")
    return MemoryFigures(rss / _MIB, listed, frames)


def _assets(symbols: int, epoch_ns: int) -> Sequence[Asset]:
    """The usual assets, and as many made-up ones off the watch list as it takes."""
    assets = [*WATCHED, *OTHERS]
    names = ("".join(letters) for letters in itertools.product(string.ascii_uppercase, repeat=3))
    while _linear([c.instrument for c in contracts(epoch_ns, assets)]) < symbols:
        assets.append(Asset("Q" + next(names), 1.0, 10_000_000.0, watched=False))
    return assets


def _linear(listed: Sequence[Instrument]) -> int:
    return sum(1 for i in listed if i.perpetual and i.unit is Unit.BASE and i.quote in USD_QUOTES)


def serve_market(pipe: Connection, clock: MarketClock, assets: Sequence[Asset]) -> None:
    """Child: say where the simulated venues are, and run their market."""
    children.run(_serve_market(pipe, clock, assets))


async def _serve_market(pipe: Connection, clock: MarketClock, assets: Sequence[Asset]) -> None:
    market = ScriptedMarket(_SEED, clock.epoch_ns, assets)
    async with Servers(market, clock) as servers:
        pipe.send(servers.endpoints())
        advancing = asyncio.ensure_future(servers.run())
        await children.until_closed(pipe)
        advancing.cancel()


def hold(pipe: Connection, clock: MarketClock, endpoints: dict[str, str], run_s: float) -> None:
    """Child: the daemon; say its memory, how many linear symbols it knows, and its frames."""
    pipe.send(children.run(_hold(clock, endpoints, run_s)))


async def _hold(
    clock: MarketClock, endpoints: dict[str, str], run_s: float
) -> tuple[int, int, int]:
    config = msgspec.structs.replace(
        settings(http=True),
        clock=Clock(clock.epoch_ns, clock.start_ns, clock.speed),
        venues={venue.name: VenueOptions(venue.name in _SIMULATED, endpoints) for venue in VENUES},
    )
    daemon = Daemon(config, VENUES, {}, "bench")
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        await asyncio.sleep(run_s)
        found = rss_bytes()
        daemon.stop()
    listed = [instrument for table in daemon.engine.tables.values() for instrument in table]
    frames = sum(stream.frames for stream in daemon.engine.feeds.streams.values())
    return found, _linear(listed), frames
