"""`liqmon demo`: the whole of it on any machine, in two minutes."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from monitor import logs
from monitor.cli.run import loop_factory, single
from monitor.config import Log
from monitor.errors import ConfigError

if TYPE_CHECKING:
    from monitor.demo.outcome import Outcome
    from monitor.demo.plan import Plan
    from monitor.demo.run import Result
    from monitor.demo.show import Show

HEADLESS_S = 150.0


def demo(
    headless: Annotated[
        bool, typer.Option("--headless", help="Draw nothing; end with one JSON object on stdout.")
    ] = False,
    duration: Annotated[
        float,
        typer.Option(min=0.0, help="Wall seconds; 0: until the cascade is over."),
    ] = 0.0,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the market; the same gives the same states.")
    ] = 7,
    speed: Annotated[
        float, typer.Option(min=20.0, max=60.0, help="Market seconds in a wall second.")
    ] = 20.0,
    record: Annotated[
        Path | None, typer.Option(help="Record everything to this directory, for replay.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(help="Draw the view at the cascade's height to this file.")
    ] = None,
) -> None:
    """Watch a cascade from its first sign to its end, on this machine alone.

    A simulated market is served on loopback as Binance, Bybit and OKX would serve it; the real
    daemon collects it, judges it and publishes to a broker of the demo's own. With --headless
    it exits 0 only if the cascade was followed to its end and every alert came through.
    """
    began_s = time.monotonic()
    if svg is not None and not svg.absolute().parent.is_dir():
        raise ConfigError(f"--svg: expected a file in a directory that is there, was {svg}")
    console = Console(highlight=False)
    watched = console.is_terminal and not headless
    if watched:
        console.print(
            "Starting; the very first time the kernels are compiled, which takes a while."
        )
    # The kernels compile, or are read from their cache, with this import.
    from monitor.demo.plan import Plan  # noqa: PLC0415 - see above
    from monitor.demo.show import Nobody, Portrait, Terminal  # noqa: PLC0415 - the same

    if headless:
        duration = duration or HEADLESS_S
    plan = Plan(seed, speed, duration, str(record.absolute()) if record else "")
    portrait = Portrait(svg) if svg is not None else None
    if not watched:
        logs.configure(Log(level="warning"))
        result = _play(plan, Nobody(portrait), began_s)
    else:
        with open(os.devnull, "wb") as nowhere, Terminal(console, portrait) as terminal:  # noqa: PTH123 - a device
            logs.configure(Log(level="error"), nowhere)
            result = _play(plan, terminal, began_s)
    if result is None:
        raise typer.Exit(1 if headless else 0)
    if headless:
        sys.stdout.buffer.write(msgspec.json.encode(result.outcome) + b"\n")
        sys.stdout.flush()
    else:
        for line in summary(result.outcome):
            console.print(line, soft_wrap=True)
    if result.why and (headless or result.ended):
        typer.echo(f"liqmon: {result.why}", err=True)
        raise typer.Exit(1)


def _play(plan: "Plan", show: "Show", began_s: float) -> "Result | None":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_playing(plan, show, began_s))


async def _playing(plan: "Plan", show: "Show", began_s: float) -> "Result | None":
    from monitor.demo.run import play  # noqa: PLC0415 - see `demo`

    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ask)
    try:
        return await play(plan, show, stop, began_s)
    except BaseExceptionGroup as group:
        raise single(group) from None


def summary(outcome: "Outcome") -> list[str]:
    """What happened, in three lines for a person."""
    from monitor.demo import words  # noqa: PLC0415 - see `demo`
    from monitor.demo.plan import ASSET  # noqa: PLC0415 - the same

    first = "No cascade was seen: the demo ended before it."
    second = f"{outcome.liquidations} forced orders were read in {outcome.frames:,} frames, "
    second += f"{outcome.malformed} malformed, in {outcome.virtual_seconds // 60} market minutes."
    episode = next((one for one in outcome.episodes if one.asset == ASSET), None)
    if episode is not None:
        seen = f"{words.usd(episode.forced_usd)} of forced {episode.asset} {episode.position}s"
        first = f"{seen} were seen"
        if episode.truth is not None:
            late_s = (episode.onset_time_ms - episode.truth.onset_time_ms) / 1000
            first += f" of {words.usd(episode.truth.forced_usd)} that there really were; "
            first += f"ONSET came {late_s:.0f} s after the first of them"
        first += f". Last state: {episode.states[-1].state}."
    third = f"{outcome.alerts_published} alerts were published and {outcome.alerts_received} "
    third += "came back over MQTT."
    return [first, second, third]
