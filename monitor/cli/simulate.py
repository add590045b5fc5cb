"""`liqmon simulate`: a market with known truth, told as figures or served like the real venues.

The simulation brings numpy and an HTTP server along, so it is imported when the command runs:
no other command starts later for it.
"""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from monitor.clock import NS, MarketClock
from monitor.errors import ConfigError
from monitor.events import Liquidation
from monitor.simulate.faults import Fault, parse_fault

if TYPE_CHECKING:
    from monitor.simulate.market import Market

EPOCH_NS = 1_795_392_000 * NS  # 2026-11-23 00:00 UTC, where nobody says otherwise
TOLD_S = 1800  # virtual seconds told without --duration


def simulate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="calm: prices wander, a few small orders are forced everywhere; cascade: longs "
            "of one asset are forced in three surges, for eight minutes; two-waves: a second "
            "cascade follows; silent-venue: a cascade while OKX acknowledges and sends nothing; "
            "muted-venue: a cascade while Binance sends everything but liquidations.",
        ),
    ],
    seed: Annotated[int, typer.Option(help="Of the market; the same gives the same.")] = 7,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it on loopback, as the venues themselves do.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="To serve at; 0: any free.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0.01, max=1000.0, help="Market seconds in a wall second.")
    ] = 1.0,
    epoch_ns: Annotated[
        int, typer.Option(min=0, help="Market time of the start, Unix nanoseconds.")
    ] = 0,
    start_ns: Annotated[
        int, typer.Option(min=0, help="Wall time of the start, Unix nanoseconds; 0: now.")
    ] = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="NAME@VENUE, such as mute@bybit; may be repeated."),
    ] = None,
    asset: Annotated[str, typer.Option(help="Whose positions break.")] = "BTC",
    onset: Annotated[
        int, typer.Option(min=40, help="Second of the market at which they begin to.")
    ] = 120,
    duration: Annotated[
        float,
        typer.Option(min=0.0, help="Wall seconds to serve (0: until stopped) or virtual to tell."),
    ] = 0.0,
    until_stdin_closes: Annotated[
        bool,
        typer.Option("--until-stdin-closes", help="Stop serving when whoever started this ends."),
    ] = False,
) -> None:
    """Run a market whose truth is known.

    With --serve it prints one JSON line (port, endpoints, clock) when it listens. Without, it
    runs the market by itself and prints what was forced, what was printed, and the truth.
    """
    from monitor.simulate.scenarios import scenario  # noqa: PLC0415 - see the module

    chosen = scenario(name)
    faults = chosen.faults + tuple(parse_fault(text) for text in fault or ())
    start_ns = start_ns or time.time_ns()
    epoch_ns = epoch_ns or (start_ns if serve else EPOCH_NS)
    market = chosen.market(seed, epoch_ns, asset=asset, onset_s=onset)
    if not serve:
        _print(tell(market, int(duration) or TOLD_S) | {"scenario": name, "seed": seed})
        return
    clock = MarketClock(epoch_ns, start_ns, speed)
    serving = _serve(market, clock, faults, port, seed, duration, until_stdin_closes)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving)


def tell(market: "Market", seconds: int) -> dict[str, object]:
    """What a market makes of so many seconds: events by kind, forced orders, and the truth."""
    from monitor.simulate.market import told  # noqa: PLC0415 - see the module
    from monitor.simulate.wire import schedule  # noqa: PLC0415 - see the module

    kinds: Counter[str] = Counter()
    forced: Counter[str] = Counter()
    printed: Counter[str] = Counter()
    for index in range(seconds):
        events = market.second(index)
        kinds.update(type(event).__name__ for event in events)
        forced.update(e.instrument.venue for e in events if isinstance(e, Liquidation))
        printed.update(
            e.instrument.venue for _, e in schedule(events) if isinstance(e, Liquidation)
        )
    return {
        "seconds": seconds,
        "events": dict(sorted(kinds.items())),
        "forced": dict(sorted(forced.items())),
        "printed": dict(sorted(printed.items())),
        "truth": told(market),
    }


async def _serve(
    market: "Market",
    clock: MarketClock,
    faults: tuple[Fault, ...],
    port: int,
    seed: int,
    duration_s: float,
    until_stdin_closes: bool,
) -> None:
    from monitor.simulate.servers import Servers  # noqa: PLC0415 - see the module

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_stdin_closes:
        _watch_stdin(loop, stop)
    async with Servers(market, clock, faults=faults, port=port) as servers:
        _print(
            {
                "port": servers.port,
                "endpoints": servers.endpoints(),
                "epoch_ns": clock.epoch_ns,
                "start_ns": clock.start_ns,
                "speed": clock.speed,
                "seed": seed,
            }
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(servers.run(), name="market")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), duration_s or None)
            running.cancel()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Set `stop` at the end of stdin.

    Raises:
        ConfigError: Stdin is a file or nothing, which never closes.
    """

    def read() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    try:
        loop.add_reader(sys.stdin.fileno(), read)
    except (OSError, ValueError) as error:
        raise ConfigError("--until-stdin-closes: expected a pipe, was a file") from error


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return None
    return uvloop.Loop


def _print(message: dict[str, object]) -> None:
    sys.stdout.write(orjson.dumps(message).decode() + "\n")
    sys.stdout.flush()
