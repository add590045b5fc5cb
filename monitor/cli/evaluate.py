"""`liqmon evaluate`: how good the detector is, measured on this machine."""

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from monitor.bench import machine
from monitor.config.loading import load
from monitor.errors import ConfigError, MeasureError
from monitor.parameters import Parameters

if TYPE_CHECKING:
    from monitor.assess.evaluation import Evaluation, Simulated
    from monitor.assess.history import History
    from monitor.assess.results import Gate
    from monitor.assess.scope import Scope

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data"


class Suite(StrEnum):
    """What to evaluate on."""

    SIMULATOR = "simulator"
    HISTORY = "history"
    ALL = "all"


def evaluate(
    suite: Annotated[
        Suite,
        typer.Option(help="simulator: simulated months with truth; history: recorded data."),
    ] = Suite.ALL,
    months: Annotated[
        int,
        typer.Option(min=1, help="Symbol-months of each regime, rounded up to worlds of eight."),
    ] = 24,
    regime: Annotated[
        list[str] | None, typer.Option(help="This regime alone; may be repeated.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of worlds; the same gives the same figures.")
    ] = 0,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes, about 1.5 GB each; 0: one for each core.")
    ] = 0,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Three minutes: few worlds, short months, gates judged by value."
        ),
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            exists=True,
            dir_okay=False,
            help="Evaluate the detector as this file sets it, not the default one.",
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Use seeds kept for tuning, not the held-out ones.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="End with one JSON object on stdout.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Recorded data: a directory with history/ and labels/; else the one beside "
            "the project.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the JSON to this file, too.")
    ] = None,
) -> None:
    """Measure false alarms, recall, delay and endings of the detector against known truth.

    Simulated months go through the real detector, beside the rules that others use, and recorded
    open interest through its open-interest side. Exits 1 when a promise is not kept. A quick run
    holds values against promises where a whole one holds the worse end of their intervals, and
    passes over those it has no cases for.
    """
    # The kernels compile with this import; only a command that needs them waits for them.
    from monitor.assess import evaluation, scope  # noqa: PLC0415 - see above
    from monitor.simulate.market import digest  # noqa: PLC0415

    began_s = time.monotonic()
    if out is not None:
        _keep(out, b"", "ab")  # rather than find out when all is done
    parameters = load(config, os.environ).detector if config else Parameters()
    named = tuple(dict.fromkeys(regime or ()))
    covered = None
    wanted: list[scope.Job] = []
    if suite is not Suite.HISTORY:
        if quick:
            covered = scope.quick(named, seed, held_out=not train)
        else:
            covered = scope.full(named, months, seed, held_out=not train)
        wanted = scope.jobs(covered, parameters)
    past, reason = _history(suite, data, parameters)
    days = sum(job.days for job in wanted)
    lived = _simulated(covered, days, jobs, parameters) if covered else None
    here = machine.look()
    found = evaluation.Evaluation(
        schema_version=evaluation.SCHEMA_VERSION,
        command=_command(suite, covered, config),
        commit=here.commit or None,
        machine=evaluation.Machine(here.cpu, here.cores),
        duration_s=round(time.monotonic() - began_s, 1),
        simulator_digest=digest(),
        scope=covered,
        seeds=evaluation.seeds(wanted),
        parameters=parameters,
        **({name: getattr(lived, name) for name in lived.__struct_fields__} if lived else {}),
        history=past,
        history_reason=reason,
    )
    told = msgspec.json.encode(found)
    if as_json:
        typer.echo(told.decode())
    else:
        _show(found, Console())
    if out is not None:
        _keep(out, told + b"\n", "wb")
    if found.broken:
        raise typer.Exit(1)


def _keep(out: Path, told: bytes, mode: Literal["ab", "wb"]) -> None:
    try:
        with out.open(mode) as file:
            file.write(told)
    except OSError as error:
        raise ConfigError(f"--out {out}: {error.strerror}") from error


def _history(
    suite: Suite, data: Path | None, parameters: Parameters
) -> tuple["History | None", str]:
    """Figures of recorded data; or, where nobody asked for them alone, why there are none."""
    from monitor.assess.history import evaluate_history  # noqa: PLC0415 - see the command

    if suite is Suite.SIMULATOR:
        return None, "not asked for"
    try:
        return evaluate_history(data or RECORDED, parameters), ""
    except MeasureError:
        if suite is Suite.HISTORY or data is not None:
            raise
        return None, "no recorded data beside the project"


def _simulated(covered: "Scope", days: int, jobs: int, parameters: Parameters) -> "Simulated":
    from monitor.assess import evaluation  # noqa: PLC0415 - see the command

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} days"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    ) as progress:
        task = progress.add_task("living through worlds", total=days)
        return evaluation.simulate(
            covered,
            jobs or len(os.sched_getaffinity(0)),
            lambda passed: progress.advance(task, passed),
            parameters=parameters,
        )


def _command(suite: Suite, covered: "Scope | None", config: Path | None) -> str:
    """What to type for the same again."""
    words = ["liqmon", "evaluate", "--suite", suite.value]
    if covered is not None:
        words += [word for name in covered.regimes for word in ("--regime", name)]
        if covered.quick:
            words += ["--quick"]
        else:
            words += ["--months", str(covered.worlds * covered.assets)]
        words += ["--seed", str(covered.seed)]
        if not covered.held_out:
            words += ["--train"]
    if config is not None:
        words += ["--config", config.name]
    return " ".join(words)


def _show(found: "Evaluation", console: Console) -> None:
    if found.simulator is not None:
        table = Table("promise", "value", "95 % interval", "n", "asked", "by", "")
        table.columns[0].no_wrap = True
        for one in found.simulator.gates:
            table.add_row(*_row(one))
        console.print(table)
        held = len(found.simulator.gates) - len(found.broken)
        console.print(f"{held} of {len(found.simulator.gates)} promises kept", highlight=False)
    if found.history is not None:
        table = Table("open-interest rule (5 min)", "labelled flushes met", "unlabelled a month")
        for rule in found.history.flush_5m.rules:
            met = f"{rule.recall.count} of {rule.recall.n}"
            table.add_row(rule.rule, met, f"{rule.unlabelled_per_month:.2f}")
        console.print(table)
    elif found.history_reason:
        console.print(f"history: left out, {found.history_reason}", highlight=False)
    console.print(
        f"{found.command}\n{found.machine.cpu}, {found.machine.cores} cores, "
        f"commit {found.commit or 'unknown'}, simulator {found.simulator_digest}, "
        f"{found.lived_days} asset-days, {found.duration_s:g} s",
        highlight=False,
        soft_wrap=True,
    )


def _row(one: "Gate") -> tuple[str, ...]:
    style, word = ("green", "held") if one.held else ("red", "not held")
    sure = "" if one.low is None or one.high is None else f"{one.low:.3g} to {one.high:.3g}"
    value = "" if one.value is None else f"{one.value:.3g}"
    counted = {"low": "lower end", "high": "upper end"}.get(one.counted, "value")
    asked = f"{one.comparator} {one.bound:g}"
    return one.gate, value, sure, str(one.n), asked, counted, f"[{style}]{word}[/]"
