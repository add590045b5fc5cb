"""The core's alerts beside a recording, a line each: what a replay of it must give again."""

from pathlib import Path

import structlog

log = structlog.get_logger()


class AlertLog:
    """One file of one run; a disk that refuses ends it, never the daemon."""

    def __init__(self, directory: Path, started_ns: int) -> None:
        self.failed = ""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / f"alerts-{started_ns // 1_000_000}.jsonl"
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            self._fail(error)

    def write(self, line: bytes) -> None:
        """Append a line. Alerts are few, so the loop may wait for this write."""
        if not self.failed:
            try:
                self._file.write(line)
            except OSError as error:
                self._fail(error)

    def close(self) -> None:
        """End the file."""
        if not self.failed:
            self._file.close()

    def _fail(self, error: OSError) -> None:
        self.failed = error.strerror or str(error)
        log.warning("alert log stopped", reason=self.failed)
