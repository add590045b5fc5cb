"""The state file in the daemon's life: restored at the start, saved regularly and when it counts.

What counts is a verdict: after a crash the next run must go on from there. A disk that refuses
is told of, and tried again.
"""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import structlog

from monitor import statefile
from monitor.clock import MarketClock
from monitor.config import StateFile
from monitor.daemon.news import News
from monitor.daemon.report import ALERTS_FIRST_S
from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.errors import StateError
from monitor.publish.outbox import Outbox

REST_S: Final = 1.0  # wall seconds between two saves, however many verdicts ask for one

log = structlog.get_logger()


class Saving:
    """Keeps the detector's state, and the alerts that nobody took yet, in one file.

    Attributes:
        wanted: Set to have the state saved soon.
        saved_ns: Wall time of the last save; 0 for none.
    """

    def __init__(
        self,
        settings: StateFile,
        clock: MarketClock,
        engine: Engine,
        outbox: Outbox,
        news: News,
    ) -> None:
        self.wanted = asyncio.Event()
        self.saved_ns = 0
        self._path = Path(settings.path)
        self._every_s = settings.every_s
        self._clock = clock
        self._engine = engine
        self._outbox = outbox
        self._news = news

    def restore(self) -> None:
        """Take up where the last run left off, if there was one.

        Raises:
            StateError: The file cannot be used.
        """
        saved = statefile.read(self._path)
        if saved is None:
            return
        try:
            snapshot.restore(self._engine, saved.detector)
        except StateError as error:
            raise StateError(f"{self._path}: {error}") from error
        self._outbox.restore(saved.alerts)
        log.info("state restored", saved_ns=saved.saved_ns, alerts=len(saved.alerts))

    async def keep(self) -> None:
        """Save regularly, and soon after it is wanted, for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self.wanted.wait()
                    await asyncio.sleep(ALERTS_FIRST_S)
            self.wanted.clear()
            await self.save()
            await asyncio.sleep(REST_S)

    async def save(self) -> None:
        """Save now; the disk is waited for, but not by the loop."""
        data = statefile.encode(
            self._clock.now_ns(), snapshot.take(self._engine), tuple(self._outbox.pending())
        )
        try:
            await asyncio.to_thread(statefile.write, self._path, data)
        except OSError as error:
            self._news.saved(str(self._path), error.strerror or str(error))
        else:
            self._news.saved(str(self._path), "")
            self.saved_ns = time.time_ns()
