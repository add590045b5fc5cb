"""Writes the log to disk while it is made, without the loop ever waiting for the disk.

Entries are handed to a thread of its own, which writes them once a second or as soon as
256 KiB have gathered. A disk that is full or too slow ends the recording, never the daemon:
a recording with a hole would replay to other verdicts, so none is made.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

import msgspec

from monitor.collect.recording import Frame, header_line, line, pack
from monitor.events import Answer, Fact

_NS = 1_000_000_000
_HOUR_NS = 3600 * _NS
_PACK_BYTES = 256 * 1024
_FLUSH_S = 1.0
_BACKLOG_BYTES = 64 * 1024 * 1024
_ENTRY_BYTES = 100  # what an entry weighs beside its data, roughly
_CLOSE_S = 5.0


class _NewFile(msgspec.Struct, frozen=True):
    """A place in the log where the next file begins."""

    received_ns: int
    header: bytes


def _open_new(path: Path) -> BinaryIO:
    return path.open("xb")


class Recorder:
    """A recording in the making; an async context manager around its thread.

    `header` gives what the next file begins with: the state as of just before the entry that
    is being recorded. It is called on the loop, in the log's order.

    Attributes:
        failed: Why recording stopped, or empty; the daemon goes on without.
        recorded: Entries on disk.
        entries: Entries that came in, whether recording goes on or not.
    """

    def __init__(
        self,
        directory: Path,
        header: Callable[[], dict[str, Any]],
        opener: Callable[[Path], BinaryIO] = _open_new,
        backlog_bytes: int = _BACKLOG_BYTES,
    ) -> None:
        self.failed = ""
        self.recorded = 0
        self.entries = 0
        self._directory = directory
        self._header = header
        self._opener = opener
        self._backlog_bytes = backlog_bytes
        self._next_file_ns = 0
        # The loop appends and the thread takes away: both ends of a deque are safe to use so.
        # Each side counts bytes of its own, which the other only reads.
        self._pending: deque[tuple[Frame | Fact | Answer | _NewFile, int]] = deque()
        self._bytes_in = 0
        self._bytes_out = 0
        self._wake_at = _PACK_BYTES
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._file: BinaryIO | None = None

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join, _CLOSE_S)
        if self._thread.is_alive():
            self.failed = f"the disk did not take the rest of the recording in {_CLOSE_S:g} s"

    @property
    def dropped(self) -> int:
        """Entries that are not on disk and never will be, since recording stopped."""
        return self.entries - self.recorded if self.failed else 0

    def frame(self, received_ns: int, connection: int, data: bytes) -> None:
        """Record one frame."""
        self._append(Frame(received_ns, connection, data), len(data))

    def fact(self, fact: Fact) -> None:
        """Record one session fact."""
        self._append(fact, len(fact.detail))

    def answer(self, answer: Answer) -> None:
        """Record one REST answer."""
        self._append(answer, len(answer.body))

    def _append(self, entry: Frame | Fact | Answer, data_bytes: int) -> None:
        self.entries += 1
        if self.failed:
            return
        if entry.received_ns >= self._next_file_ns:
            self._next_file_ns = (entry.received_ns // _HOUR_NS + 1) * _HOUR_NS
            header = header_line(entry.received_ns, self._header())
            self._pending.append((_NewFile(entry.received_ns, header), 0))
        size = data_bytes + _ENTRY_BYTES
        self._pending.append((entry, size))
        self._bytes_in += size
        if self._bytes_in >= self._wake_at:
            self._wake_at = self._bytes_in + _PACK_BYTES
            self._wake.set()
            if self._bytes_in - self._bytes_out > self._backlog_bytes:
                self.failed = f"the disk is more than {self._backlog_bytes} bytes behind"

    def _write(self) -> None:
        """The thread: write what is pending until closing or failed."""
        finished = False
        try:
            last = False
            while not (last or self.failed):
                self._wake.wait(_FLUSH_S)
                self._wake.clear()
                last = self._closing
                self._flush()
            if self._file is not None:
                self._file.close()
            finished = True
        except OSError as error:
            self.failed = f"cannot write to {self._directory}: {error.strerror or error}"
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()
        finally:
            if not (finished or self.failed):
                self.failed = "the recorder broke off by a mistake of its own"
            self._pending.clear()

    def _flush(self) -> None:
        lines: list[bytes] = []
        gathered = 0
        for _ in range(len(self._pending)):
            entry, size = self._pending.popleft()
            if isinstance(entry, _NewFile):
                self._put(lines, gathered)
                self._open_next(entry)
                lines, gathered = [], 0
                continue
            lines.append(line(entry))
            gathered += size
            if gathered >= _PACK_BYTES:
                self._put(lines, gathered)
                lines, gathered = [], 0
        self._put(lines, gathered)

    def _put(self, lines: list[bytes], gathered: int) -> None:
        if lines and self._file is not None:
            self._file.write(pack(lines))
            self._file.flush()
            self.recorded += len(lines)
            self._bytes_out += gathered

    def _open_next(self, place: _NewFile) -> None:
        if self._file is not None:
            self._file.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._file = self._new_file(place.received_ns // _NS)
        self._file.write(pack([place.header]))

    def _new_file(self, second: int) -> BinaryIO:
        while True:
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y%m%dT%H%M%SZ")
            try:
                return self._opener(self._directory / f"liqmon-{stamp}.jsonl.zst")
            except FileExistsError:
                second += 1  # an earlier run began in this second; its file stays as it is
