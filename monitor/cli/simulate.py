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
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from monitor.clock import NS, MarketClock
from monitor.errors import ConfigError
from monitor.events import Liquidation
from monitor.simulate.faults import Fault, parse_fault

if TYPE_CHECKING:
    from monitor.simulate.contract import Market

EPOCH_NS = 1_795_392_000 * NS  # 2026-11-23 00:00 UTC, where nobody says otherwise
TOLD_S = 1800  # virtual seconds told without --duration


def simulate(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SCENARIO",
            help="calm: prices wander, an order is forced now and then; cascade: one asset "
            "falls, and its crowded longs break; two-waves: it falls again a quarter of an hour "
            "later; silent-venue: a cascade while OKX acknowledges and sends nothing; "
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
    asset: Annotated[str, typer.Option(help="What falls.")] = "BTC",
    onset: Annotated[
        int, typer.Option(min=0, help="Second of the market at which it begins to.")
    ] = 120,
    duration: Annotated[
        float,
        typer.Option(min=0.0, help="Wall seconds to serve (0: until stopped) or virtual to tell."),
    ] = 0.0,
    past: Annotated[
        int, typer.Option(min=0, help="Seconds of the market that lie before its start.")
    ] = 0,
    until_stdin_closes: Annotated[
        bool,
        typer.Option("--until-stdin-closes", help="Stop serving when whoever started this ends."),
    ] = False,
    start_on_stdin: Annotated[
        bool,
        typer.Option(
            "--start-on-stdin",
            help="Listen, and let time stand still until a line on stdin gives the wall time of "
            "the start, Unix nanoseconds; stop serving when stdin closes.",
        ),
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
    market = chosen.market(seed, epoch_ns - past * NS, asset=asset, onset_s=past + onset)
    if not serve:
        _print(tell(market, int(duration) or TOLD_S) | {"scenario": name, "seed": seed})
        return
    clock = MarketClock(epoch_ns, 0 if start_on_stdin else start_ns, speed)
    serving = _serve(market, clock, faults, port, seed, duration, until_stdin_closes)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serving)


def tell(market: "Market", seconds: int) -> dict[str, object]:
    """What a market makes of so many seconds: events by kind, forced orders, and the truth."""
    from monitor.simulate.contract import told  # noqa: PLC0415 - see the module
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
    """Serve until told to stop; a clock without a start waits for it on stdin."""
    from monitor.simulate.servers import Servers  # noqa: PLC0415 - see the module

    stop = asyncio.Event()
    told: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)
    loop = asyncio.get_running_loop()

    def leave() -> None:
        stop.set()
        _tell(told, b"")

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave)
    waits = clock.start_ns == 0
    if until_stdin_closes or waits:
        _watch_stdin(loop, leave, told)
    standing = MarketClock(clock.epoch_ns, 0, 0.0)
    async with Servers(market, standing if waits else clock, faults=faults, port=port) as servers:
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
        if waits:
            line = await told.get()
            if not line:
                return
            servers.start(MarketClock(clock.epoch_ns, _start_ns(line), clock.speed))
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(servers.run(), name="market")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), duration_s or None)
            running.cancel()


def _start_ns(line: bytes) -> int:
    """The start that a line on stdin tells.

    Raises:
        ConfigError: It is no time.
    """
    try:
        return int(line)
    except ValueError as error:
        said = line[:40].decode(errors="replace").strip()
        raise ConfigError(f"--start-on-stdin: expected Unix nanoseconds, was {said!r}") from error


def _tell(told: asyncio.Queue[bytes], line: bytes) -> None:
    if not told.full():
        told.put_nowait(line)


def _watch_stdin(
    loop: asyncio.AbstractEventLoop, leave: Callable[[], None], told: asyncio.Queue[bytes]
) -> None:
    """Hand on the first line of stdin, and leave at its end.

    Raises:
        ConfigError: Stdin is a file or nothing, which never closes.
    """

    def read() -> None:
        data = os.read(sys.stdin.fileno(), 4096)
        if data:
            _tell(told, data)  # a line this short comes in one piece
        else:
            loop.remove_reader(sys.stdin.fileno())
            leave()

    try:
        loop.add_reader(sys.stdin.fileno(), read)
    except (OSError, ValueError) as error:
        raise ConfigError("stdin: expected a pipe, was a file") from error


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return None
    return uvloop.Loop


def _print(message: dict[str, object]) -> None:
    sys.stdout.write(orjson.dumps(message).decode() + "\n")
    sys.stdout.flush()
