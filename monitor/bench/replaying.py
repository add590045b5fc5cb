"""How fast a recording is replayed: the mix, recorded and read back by the parts that do it.

The recorder writes the mix with the times it was received at, so its minutes are lived through
second by second; the replay reads the file and drives a fresh engine with it.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.bench import mix
from monitor.bench.results import ReplayFigures
from monitor.bench.venue import ASSETS, loopback_venue, opening, settings
from monitor.collect.recorder import Recorder
from monitor.detect.engine import Engine
from monitor.errors import MeasureError
from monitor.events import Answer
from monitor.parameters import Parameters
from monitor.replay import Replay, files_of, header

REPEATS: Final = 3
_ENTRIES_A_BREATH: Final = 2000  # so that the writing thread keeps up


def measure(
    tape: Path | None, step: Callable[[str], None], *, repeats: int = REPEATS, most: int = 0
) -> ReplayFigures:
    """Record once, replay several times.

    Raises:
        MeasureError: The recording does not hold every frame.
    """
    frames = mix.load(tape, most)
    runs: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(_record(frames, Path(directory)))
        files = files_of([Path(directory)])
        for _ in range(repeats):
            replayed = Replay(files)
            began_s = time.perf_counter()
            alerts = sum(1 for _ in replayed.verdicts())
            taken_s = time.perf_counter() - began_s
            if replayed.frames != len(frames.frames) or alerts:
                raise MeasureError(
                    f"expected {len(frames.frames)} frames without alerts, "
                    f"had {replayed.frames} with {alerts}"
                )
            runs.append(replayed.frames / taken_s)
            step("replay")
    return ReplayFigures(statistics.median(runs), tuple(runs), len(frames.frames))


async def _record(frames: mix.Mix, directory: Path) -> None:
    start_ns = frames.stamps[0]
    venue = loopback_venue(0, "")
    engine = Engine((venue,), ASSETS, Parameters())

    def first_line() -> dict[str, Any]:
        about = header("bench", start_ns, settings(), engine)
        return dict(msgspec.to_builtins(about))

    async with Recorder(directory, first_line) as recorder:
        for entry in opening(start_ns):
            if isinstance(entry, Answer):
                recorder.answer(entry)
            else:
                recorder.fact(entry)
        for place, (stamp, frame) in enumerate(zip(frames.stamps, frames.frames, strict=True)):
            recorder.frame(stamp, 1, frame)
            if place % _ENTRIES_A_BREATH == 0:
                await asyncio.sleep(0.0)
    if recorder.failed:
        raise MeasureError(f"expected a recording, {recorder.failed}")
