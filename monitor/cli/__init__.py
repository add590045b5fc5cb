"""The command line: `liqmon COMMAND`, one small file a command group.

Exit codes: 0 fine, 1 failure, 2 usage or configuration, 130 interrupted. What a program would
read goes to stdout, everything else to stderr. Starting must stay quick, so nothing here may
import the compiled kernels at module level; a command that needs them imports them when it runs.
"""

import importlib.metadata
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from monitor import logs
from monitor.cli import (
    bench,
    check_config,
    decode,
    demo,
    evaluate,
    healthcheck,
    replay,
    report,
    run,
    simulate,
    tail,
    venues,
)
from monitor.config import Log
from monitor.errors import ConfigError, LiqmonError

app = typer.Typer(
    name="liqmon",
    help="Streaming detector of liquidation cascades: onset, exhaustion, and how complete "
    "the data is. It reports states with their evidence; it never trades, never advises.",
    epilog="Start with `liqmon demo`. Every command explains itself: `liqmon COMMAND --help`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("replay")(replay.replay)
app.command("check-config")(check_config.check_config)
app.command("venues")(venues.venues)
app.command("decode")(decode.decode)
app.command("healthcheck")(healthcheck.healthcheck)
app.command("simulate")(simulate.simulate)
app.command("tail")(tail.tail)
app.command("bench")(bench.bench)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"liqmon {importlib.metadata.version('liquidation-monitor')}")
        raise typer.Exit


@app.callback()
def prepare(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            help="Print the version and leave.",
        ),
    ] = False,
) -> None:
    """Set up logging before any command, so that stdout stays with the command's own output."""
    logs.configure(Log())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error meant for a person becomes one line on stderr."""
    try:
        app(arguments, prog_name="liqmon")
    except ConfigError as error:
        typer.echo(f"liqmon: {error}", err=True)
        sys.exit(2)
    except LiqmonError as error:
        typer.echo(f"liqmon: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
