"""`liqmon run`: the daemon."""

import asyncio
import gc
import importlib.metadata
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, NoReturn

import msgspec
import structlog
import typer

from monitor import logs
from monitor.config import Config, Record, load

LEAVE_S: Final = 4.5  # wall seconds from the first signal to the end, whatever hangs

log = structlog.get_logger()


def run(
    config: Annotated[
        Path | None,
        typer.Option("-c", "--config", help="Configuration file (TOML); else the defaults."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Record everything that comes in to this directory, for replay."),
    ] = None,
) -> None:
    """Watch the venues and report, until stopped (SIGTERM or Ctrl-C; a second one is at once)."""
    # From here to the first connection a stop has nothing to drain. Said here, because a
    # container's first process ignores every signal that it does not handle.
    signal.signal(signal.SIGTERM, _leave)
    settings = load(config, os.environ)
    if record is not None:
        settings = msgspec.structs.replace(settings, record=Record(directory=str(record)))
    logs.configure(settings.log)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))


def _leave(_number: int, _frame: FrameType | None) -> NoReturn:
    # An exception might be swallowed by what it interrupts, or leave a loop half made, and
    # there is nothing to be put away.
    os._exit(0)


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """The loop of uvloop where it exists, asyncio's own otherwise."""
    try:
        import uvloop  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return uvloop.Loop


async def _serve(settings: Config) -> None:
    # The kernels compile, or are read from their cache, with this import: the one command
    # that needs them pays for it, and before anything is connected.
    from monitor.daemon import Daemon  # noqa: PLC0415 - see above
    from monitor.venues import VENUES  # noqa: PLC0415 - the same

    version = importlib.metadata.version("liquidation-monitor")
    daemon = Daemon(settings, VENUES, os.environ, version)
    # What exists now lives as long as the process: collections need not look at it again.
    gc.collect()
    gc.freeze()

    stop = _Stop(daemon.stop)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.ask)
    try:
        await daemon.run()
        stop.drained = True
    except BaseExceptionGroup as group:
        # An error meant for a person is one line; anything else is a bug with its traceback.
        raise single(group) from None


class _Stop:
    """What the signals do: the first asks to drain, the second leaves at once.

    Attributes:
        drained: Whether the daemon has done all that it had to.
    """

    def __init__(self, drain: Callable[[], None]) -> None:
        self.drained = False
        self._drain = drain
        self._asked = False

    def ask(self) -> None:
        """A signal came."""
        if self._asked:
            os._exit(130)
        self._asked = True
        cut = threading.Timer(LEAVE_S, self._cut)
        cut.daemon = True
        cut.start()
        self._drain()

    def _cut(self) -> None:
        """Leave behind what hangs: a disk, or a thread that resolves a name."""
        if not self.drained:
            log.error("stopped in part", after_s=LEAVE_S)
        os._exit(0 if self.drained else 1)


def single(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error in a group, however deep; the group itself when there are several."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
