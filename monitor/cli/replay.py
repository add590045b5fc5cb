"""`liqmon replay`: a recording through the same core, to the same alerts."""

import sys
import time
from pathlib import Path
from typing import Annotated

import orjson
import typer


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
    out = alerts.open("wb") if alerts is not None else sys.stdout.buffer
    try:
        for verdict in replayed.verdicts():
            out.write(log_line(verdict))
            written += 1
    finally:
        out.flush()
        if alerts is not None:
            out.close()
    taken_s = time.perf_counter() - began_s
    summary = {
        "alerts": written,
        "frames": replayed.frames,
        "seconds": round(taken_s, 3),
        "frames_per_s": round(replayed.frames / taken_s) if taken_s > 0 else None,
        "broken_off": [str(path) for path in replayed.cuts],
    }
    typer.echo(orjson.dumps(summary).decode(), err=True)
