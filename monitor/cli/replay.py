"""`liqmon replay`: a recording through the same core, to the same alerts."""

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from monitor.errors import ConfigError, LiqmonError


def replay(
    files: Annotated[list[Path], typer.Argument(help="Recorded files, or directories of them.")],
    alerts: Annotated[
        Path | None, typer.Option(help="Write the alert log here; else to stdout.")
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, max=256, help="Events a kernel call takes; changes no alert.")
    ] = 256,
) -> None:
    """Drive the detector from recorded files; the alert log is that of the live run."""
    # Only what needs the kernels waits for them.
    from monitor.publish.alert import log_line  # noqa: PLC0415 - see above
    from monitor.replay import Replay, files_of  # noqa: PLC0415 - see above

    replayed = Replay(files_of(files), batch=batch)
    began_s = time.perf_counter()
    written = 0
    with _written_to(alerts) as out:
        for verdict in replayed.verdicts():
            out.write(log_line(verdict))
            written += 1
    taken_s = time.perf_counter() - began_s
    summary = {
        "alerts": written,
        "frames": replayed.frames,
        "seconds": round(taken_s, 3),
        "frames_per_s": round(replayed.frames / taken_s) if taken_s > 0 else None,
        "broken_off": [str(path) for path in replayed.cuts],
    }
    typer.echo(orjson.dumps(summary).decode(), err=True)


@contextlib.contextmanager
def _written_to(path: Path | None) -> Iterator[BinaryIO]:
    """The file to write to, or stdout.

    Raises:
        ConfigError: The file cannot be opened.
        LiqmonError: It does not take what is written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        out = path.open("wb")
    except OSError as error:
        raise ConfigError(f"--alerts {path}: {error.strerror}") from error
    try:
        with out:
            yield out
    except OSError as error:
        raise LiqmonError(f"--alerts {path}: {error.strerror}") from error
