"""A child process that never outlives us: it ends when its stdin does.

The pipe to its stdin closes when we leave, in whatever way: orderly, by a signal, by a crash.
It runs in a session of its own, so that Ctrl-C reaches us alone and things end in order.
"""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

END_S = 5.0  # wall seconds to end in, before it is killed


class Child:
    """One child; an asynchronous context. What it says on stderr goes to a log file."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            OSError: The program cannot be started.
        """
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, stderr=log, start_new_session=True
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close its stdin; kill what is left of it after a while."""
        process = self._running()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(END_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its session is its group, too
            await process.wait()

    async def line(self) -> bytes:
        """The next line it says on stdout; empty when it says no more."""
        stdout = self._running().stdout
        assert stdout is not None
        return await stdout.readline()

    def say(self, line: bytes) -> None:
        """Give it a line on stdin."""
        stdin = self._running().stdin
        assert stdin is not None
        stdin.write(line)

    async def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        return await self._running().wait()

    def last_words(self) -> str:
        """The last line it said on stderr."""
        lines = self._log.read_text(errors="replace").split("\n") if self._log.exists() else []
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def _running(self) -> Process:
        assert self._process is not None
        return self._process
