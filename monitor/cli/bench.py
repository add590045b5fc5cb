"""`liqmon bench`: the project's measured figures, on this machine."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from monitor.bench.results import Part

if TYPE_CHECKING:
    from monitor.bench.report import Report


def bench(
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON object on stdout.")
    ] = False,
    only: Annotated[
        list[Part] | None, typer.Option(help="Measure this part alone; may be repeated.")
    ] = None,
    tape: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Recorded frames of Binance (gzip; lines `<receive stamp> <frame>`); else the "
            "recorded data beside the project, else made-up frames like them.",
        ),
    ] = None,
) -> None:
    """Measure what the monitor costs and how fast it is: two minutes, best on a quiet machine.

    pipeline: CPU time a frame of a bare websocket receive with a JSON parse, over that of the
    whole path. kernel: an event in the compiled loop, and in the same loop in C. alerts: from
    what decides an alert to the acknowledgement of a real mosquitto. replay: frames a second.
    memory: the daemon with 800 symbols.
    """
    # The kernels compile with this import; only a command that needs them waits for them.
    from monitor.bench import mix, report  # noqa: PLC0415 - see above

    parts = list(only or Part)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as progress:
        tasks = {
            part.value: progress.add_task(part.value, total=report.STEPS[part]) for part in parts
        }
        found = report.measure(
            parts, tape or mix.usual_tape(), lambda part: progress.advance(tasks[part])
        )
    if as_json:
        typer.echo(orjson.dumps(found.flat()).decode())
    else:
        _show(found, Console())


def _show(found: "Report", console: Console) -> None:
    table = Table("figure", "measured", "asked")
    for row in found.rows():
        sign = "at least" if row.at_least else "at most"
        style = "green" if row.met else "red"
        table.add_row(row.name, f"[{style}]{row.measured:,.4g}[/]", f"{sign} {row.asked:,.4g}")
    console.print(table)
    flat, here = found.flat(), found.machine
    for name in ("bare_us_per_frame", "whole_us_per_frame", "kernel_c_ratio", "alert_load_per_s"):
        if (value := flat.get(name)) is not None:
            console.print(f"{name} {value:,.3g}", highlight=False)
    for name, reason in found.omitted.items():
        console.print(f"{name}: left out, {reason}", highlight=False)
    versions = " ".join(f"{name} {version}" for name, version in here.packages.items())
    console.print(
        f"{here.cpu}, {here.cores} cores, load {here.load}, {here.system}, "
        f"Python {here.python}, {versions}, commit {here.commit or 'unknown'}, "
        f"{found.mix} frames, {found.duration_s:g} s",
        highlight=False,
        soft_wrap=True,
    )
