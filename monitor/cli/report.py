"""`liqmon report`: the page on detection quality, from what `liqmon evaluate` measured."""

from pathlib import Path
from typing import Annotated

import typer


def report(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="JSON of `liqmon evaluate`: simulated months, and recorded data in the same "
            "file or another.",
        ),
    ],
    docs: Annotated[
        Path, typer.Option(file_okay=False, help="Directory to write to; made where it lacks.")
    ] = Path("docs"),
) -> None:
    """Write detection-quality.md and its pictures; says on stdout which files it wrote."""
    # The kernels compile with this import; only a command that needs them waits for them.
    from monitor.assess import report, report_reading  # noqa: PLC0415 - see above

    for written in report.write(report_reading.read(files), docs):
        typer.echo(written)
