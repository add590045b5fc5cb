"""What our whole path costs beside a bare receive: CPU time a frame, in processes of their own.

Bare is what any Python process pays: `websockets` gives the bytes, `orjson` parses them, and
nothing is done with the result. Whole is the daemon itself, as it runs in production: socket,
log, Reader, batch, kernel, ladders. Both get the same frames from the same sender as fast as
they can take them, on the same loop; both are measured after a connection that warmed them up;
runs of the two kinds alternate. Whole saves the queue between socket and receiver that bare pays
for, so the ratio says what all that follows costs beyond that.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from monitor.bench import children, mix
from monitor.bench.results import PipelineFigures
from monitor.bench.sender import FLOOD_PATH, serve_flood
from monitor.bench.venue import SESSION, loopback_venue, settings
from monitor.daemon import Daemon
from monitor.errors import MeasureError
from monitor.venues.binance import BINANCE

REPEATS: Final = 5
WARM_FRAMES: Final = 5000
RUN_S: Final = 60.0
_LOOK_S: Final = 0.01
_US: Final = 1e6


def measure(
    tape: Path | None,
    step: Callable[[str], None],
    *,
    repeats: int = REPEATS,
    most: int = 0,
    warm: int = WARM_FRAMES,
) -> PipelineFigures:
    """Measure both kinds in turn.

    Raises:
        MeasureError: A process did not take every frame, or hung.
    """
    frames = mix.load(tape, most)
    epoch_ns, count = frames.stamps[0], len(frames.frames) - warm
    bare: list[float] = []
    whole: list[float] = []
    with children.child(serve_flood, tape, warm, most) as sender:
        port = children.answer(sender, RUN_S, "the sender's port")
        for repeat in range(repeats):
            url = f"ws://127.0.0.1:{port}{FLOOD_PATH}bare-{repeat}"
            with children.child(receive_bare, url, count) as receiver:
                bare.append(children.answer(receiver, RUN_S, "the bare receiver's time"))
            step("pipeline")
            path = f"{FLOOD_PATH}whole-{repeat}"
            with children.child(receive_whole, port, path, epoch_ns, warm, count) as receiver:
                whole.append(children.answer(receiver, RUN_S, "the daemon's time"))
            step("pipeline")
    bare_us, whole_us = ([_US * each / count for each in runs] for runs in (bare, whole))
    return PipelineFigures(
        pipeline_ratio=statistics.median(bare_us) / statistics.median(whole_us),
        bare_us_per_frame=statistics.median(bare_us),
        whole_us_per_frame=statistics.median(whole_us),
        bare_runs_us=tuple(bare_us),
        whole_runs_us=tuple(whole_us),
        pipeline_frames=count,
    )


def receive_bare(pipe: Connection, url: str, count: int) -> None:
    """Child: take the frames of the second connection; say the CPU seconds they cost."""
    children.run(_bare(url))
    pipe.send(children.run(_bare(url, count)))


async def _bare(url: str, count: int = 0) -> float:
    """Take what a connection gives; without `count`, however much that is."""
    socket = await connect(url, compression=None, proxy=None, ping_interval=None)
    receive, loads = socket.recv, orjson.loads
    taken = 0
    began_s = spent_s = time.process_time()
    try:
        while True:
            loads(await receive(decode=False))
            taken += 1
            if taken == count:
                spent_s = time.process_time()
    except ConnectionClosed:
        if count not in {0, taken}:
            raise MeasureError(f"expected {count} frames, had {taken}") from None
    return spent_s - began_s


def receive_whole(
    pipe: Connection, port: int, path: str, epoch_ns: int, warm: int, count: int
) -> None:
    """Child: the daemon takes them; say the CPU seconds of the second connection."""
    pipe.send(children.run(_whole(port, path, epoch_ns, warm, count)))


async def _whole(port: int, path: str, epoch_ns: int, warm: int, count: int) -> float:
    daemon = Daemon(settings(epoch_ns=epoch_ns), (loopback_venue(port, path),), {}, "bench")
    async with asyncio.TaskGroup() as group:
        group.create_task(daemon.run())
        try:
            async with asyncio.timeout(RUN_S):
                await _until(daemon, connects=2, frames=warm)
                began_s = time.process_time()
                await _until(daemon, connects=2, frames=warm + count)
                spent_s = time.process_time() - began_s
        finally:
            daemon.stop()
    _check(daemon, warm + count)
    return spent_s


async def _until(daemon: Daemon, connects: int, frames: int) -> None:
    """Wait until so many frames came over so many connections."""
    streams = daemon.engine.feeds.streams
    while True:
        stream = streams.get((BINANCE.name, SESSION))
        if stream is not None and stream.connects >= connects and stream.frames >= frames:
            return
        await asyncio.sleep(_LOOK_S)


def _check(daemon: Daemon, expected: int) -> None:
    """Every frame must have come to the engine as an event, or been found without use.

    Raises:
        MeasureError: It did not.
    """
    view = daemon.report.view()
    had = sum(view.events[BINANCE.name, kind] for kind in ("book_top", "trade", "liquidation"))
    had += sum(view.not_used.values())
    if had != expected or view.malformed:
        raise MeasureError(f"expected {expected} frames read, had {had} and {view.malformed}")
