"""What an event costs in the hot door alone, and beside the same loop in C.

The events are those that the engine makes of the mix, taken from its batches. The twin is
compiled here and now with gcc -O3 and called the same way, batch by batch; before anything is
timed both run over all events from the same state and must leave the same bytes everywhere.
"""

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from kernels import dtypes, flow
from kernels.dtypes import Records
from monitor.bench import mix
from monitor.bench.results import KernelFigures
from monitor.bench.venue import ASSETS, loopback_venue, opening
from monitor.detect.arrays import BATCH
from monitor.detect.engine import Engine
from monitor.errors import MeasureError
from monitor.events import Answer
from monitor.parameters import Parameters

REPEATS: Final = 7
LEAST_RUN_S: Final = 0.2
_SOURCE: Final = Path(__file__).with_name("loop.c")
_COMPILE_S: Final = 60.0
_STATE: Final = ("contracts", "assets", "pressure", "seconds", "minutes", "sums", "limits")
_RECORDS: Final = (
    dtypes.event_dtype,
    dtypes.contract_dtype,
    dtypes.asset_dtype,
    dtypes.pressure_dtype,
    dtypes.bucket_dtype,
    dtypes.sum_dtype,
    dtypes.limits_dtype,
)

Ingest = Callable[[int, int, int], int]
"""One call: from, to, the second that runs; where it stopped."""
State = dict[str, Records]
"""The arrays that the loop works on, by name, in the order of its arguments."""


class _Tap(Engine):
    """An engine that keeps the events of its batches before it takes them."""

    def __init__(self) -> None:
        venue = loopback_venue(0, "")
        super().__init__((venue,), ASSETS, Parameters())
        self.taken: list[Records] = []

    def flush(self) -> None:
        """Keep what waits, and take it."""
        self.taken.append(self.arrays.batch[: self.waiting].copy())
        super().flush()


def measure(
    tape: Path | None,
    step: Callable[[str], None],
    *,
    repeats: int = REPEATS,
    most: int = 0,
    least_run_s: float = LEAST_RUN_S,
) -> KernelFigures:
    """Measure both, in turn.

    Raises:
        MeasureError: The twin gives other results, so that nothing could be compared.
    """
    events, second, state = _events(mix.load(tape, most))
    ours = _compiled(events, _copy(state))
    with tempfile.TemporaryDirectory() as directory:
        library, omitted = _built(Path(directory))
        twin = None if library is None else _twin(library, events, _copy(state))
        if library is not None:
            _hold_together(library, events, second, state)
        passes = 1 + int(least_run_s / _time(ours, len(events), second, 1))
        runs: list[float] = []
        twin_runs: list[float] = []
        for _ in range(repeats):
            runs.append(_time(ours, len(events), second, passes))
            if twin is not None:
                twin_runs.append(_time(twin, len(events), second, passes))
            step("kernel")
    each = 1e9 / (passes * len(events))
    median = statistics.median(runs) * each
    twin_median = statistics.median(twin_runs) * each if twin_runs else float("nan")
    return KernelFigures(median, twin_median, median / twin_median, len(events), omitted)


def _events(frames: mix.Mix) -> tuple[Records, int, State]:
    """Events of the mix, the second they are taken in, and the state as it was before."""
    engine = _Tap()
    for entry in opening(frames.stamps[0]):
        if isinstance(entry, Answer):
            engine.answer(entry)
        else:
            engine.fact(entry)
    engine.flush()
    before = _copy({name: getattr(engine.arrays, name) for name in _STATE})
    engine.taken.clear()
    for frame in frames.frames:
        engine.frame(1, frames.stamps[0], frame)
    engine.flush()
    events: Records = np.concatenate(engine.taken)
    return events, engine.second, before


def _copy(state: State) -> State:
    return {name: records.copy() for name, records in state.items()}


def _compiled(events: Records, state: State) -> Ingest:
    """The kernel over these events and this state."""
    arrays = tuple(state.values())

    def ingest(start: int, end: int, second: int) -> int:
        return flow.ingest(events, start, end, second, *arrays)

    return ingest


def _twin(library: ctypes.CDLL, events: Records, state: State) -> Ingest:
    """The loop in C over these events and this state."""
    loop: Any = library.ingest
    loop.restype = ctypes.c_int64
    loop.argtypes = [ctypes.c_void_p, *[ctypes.c_int64] * 3, *[ctypes.c_void_p] * len(_STATE)]
    first = events.ctypes.data
    places = tuple(records.ctypes.data for records in state.values())

    def ingest(start: int, end: int, second: int) -> int:
        assert state  # held for as long as its addresses are used
        return int(loop(first, start, end, second, *places))

    return ingest


def _take_all(ingest: Ingest, events: int, second: int) -> None:
    """Every event in batches; behind an order that crosses a tier it goes on with the next."""
    for start in range(0, events, BATCH):
        end = min(start + BATCH, events)
        taken = start
        while taken < end:
            taken = 1 + ingest(taken, end, second)


def _time(ingest: Ingest, events: int, second: int, passes: int) -> float:
    """CPU seconds of so many passes over all events."""
    began_s = time.process_time()
    for _ in range(passes):
        _take_all(ingest, events, second)
    return time.process_time() - began_s


def _built(directory: Path) -> tuple[ctypes.CDLL | None, str]:
    """The twin as a library, or why there is none."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return None, "gcc is not installed"
    target = directory / "loop.so"
    # No fused multiply-add, which would round once where the kernel rounds twice.
    flags = ("-O3", "-std=c11", "-ffp-contract=off", "-shared", "-fPIC")
    try:
        subprocess.run(  # noqa: S603 - a fixed command on a file of ours
            (compiler, *flags, "-o", str(target), str(_SOURCE), "-lm"),
            check=True,
            capture_output=True,
            timeout=_COMPILE_S,
        )
        return ctypes.CDLL(str(target)), ""
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"gcc did not compile the twin ({error})"


def _hold_together(library: ctypes.CDLL, events: Records, second: int, state: State) -> None:
    """Both must leave the same bytes.

    Raises:
        MeasureError: They do not.
    """
    library.record_bytes.restype = ctypes.c_int64
    for place, dtype in enumerate(_RECORDS):
        if library.record_bytes(ctypes.c_int64(place)) != dtype.itemsize:
            raise MeasureError(f"expected record {place} of {dtype.itemsize} bytes in C")
    one, other = _copy(state), _copy(state)
    _take_all(_compiled(events, one), len(events), second)
    _take_all(_twin(library, events, other), len(events), second)
    for name in _STATE:
        ours, theirs = one[name], other[name]
        # Field by field, since what lies between two fields is nobody's.
        for field in ours.dtype.names or ():
            if ours[field].tobytes() != theirs[field].tobytes():
                raise MeasureError(
                    f"expected equal {name}.{field} of the kernel and its twin in C"
                )
