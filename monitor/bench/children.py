"""Processes of their own for what is measured, and for what it is measured against.

Each is a fresh interpreter that runs one function with one end of a pipe, so no measured
process holds what another one left behind. A child that hangs is ended at a deadline.
"""

import asyncio
import contextlib
import gc
import multiprocessing
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.connection import Connection
from typing import Any, Final, TypeVar

from monitor import logs
from monitor.config import Log
from monitor.errors import MeasureError

STOP_S: Final = 5.0
_SPAWN: Final = multiprocessing.get_context("spawn")
R = TypeVar("R")


@contextlib.contextmanager
def child(work: Callable[..., None], *arguments: object) -> Iterator[Connection]:
    """Run `work(pipe, *arguments)` in a process beside; the other end of its pipe.

    The end of the block closes the pipe, which is the child's sign to leave.
    """
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(STOP_S)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def answer(pipe: Connection, deadline_s: float, what: str) -> Any:
    """The next thing a child says.

    Raises:
        MeasureError: It ended without a word, or the deadline passed.
    """
    try:
        if not pipe.poll(deadline_s):
            raise MeasureError(f"expected {what} within {deadline_s:g} s, had none")
        return pipe.recv()
    except EOFError:
        raise MeasureError(f"the process that gives {what} ended without it") from None


def run(main: Coroutine[Any, Any, R]) -> R:
    """Run a child's coroutine the way `liqmon run` runs the daemon: its loop, its collections."""
    logs.configure(Log(level="error", format="json"))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_settled(main))


async def _settled(main: Coroutine[Any, Any, R]) -> R:
    gc.collect()
    gc.freeze()
    return await main


def _loop_factory() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return uvloop.Loop


async def until_closed(pipe: Connection) -> None:
    """Wait until the parent closes its end."""
    loop = asyncio.get_running_loop()
    closed = asyncio.Event()
    loop.add_reader(pipe.fileno(), closed.set)
    try:
        await closed.wait()
    finally:
        loop.remove_reader(pipe.fileno())
