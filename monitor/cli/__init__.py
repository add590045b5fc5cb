"""The command line: `liqmon COMMAND`, one small file a command group."""

import typer

app = typer.Typer(
    name="liqmon",
    help="Streaming detector of liquidation cascades: onset, exhaustion, and how complete "
    "the data is. It reports states with their evidence; it never trades, never advises.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    app()
