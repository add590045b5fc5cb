"""The last damaged frames of each venue on disk, for whoever wants to know what was wrong.

They stand in a directory beside the state file, `<state file>.damaged/<venue>.frames`, in lines
that `liqmon decode VENUE FILE` reads: the receive stamp, a blank, the frame. A line feed within
a frame becomes a blank, which is the same to JSON. What is kept is bounded in frames and bytes
(`monitor.detect.tally`); the files are made anew with what this run has kept, and a run without
damage leaves those of the run before.
"""

import asyncio
from pathlib import Path

import structlog

from monitor import statefile
from monitor.detect.tally import Tally

log = structlog.get_logger()


class DamagedFrames:
    """Brings what a tally keeps to disk; a disk that refuses is told of, once."""

    def __init__(self, state: Path, tally: Tally) -> None:
        # Without a state file the path is empty, and nothing is ever written.
        self._directory = state.parent / f"{state.name}.damaged"
        self._tally = tally
        self._written: dict[str, tuple[int, bytes]] = {}  # venue -> its newest frame on disk
        self._refused = ""

    async def write(self) -> None:
        """Write the files of the venues that had damage since the last time."""
        for venue, kept in list(self._tally.kept.items()):
            newest = kept[-1]
            if newest == self._written.get(venue):
                continue
            lines = b"".join(_line(stamp_ns, frame) for stamp_ns, frame in kept)
            path = self._directory / f"{venue}.frames"
            try:
                await asyncio.to_thread(statefile.write, path, lines)
            except OSError as error:
                self._refuse(error.strerror or str(error))
            else:
                self._written[venue] = newest
                self._refused = ""

    def _refuse(self, reason: str) -> None:
        if reason != self._refused:
            log.warning("damaged frames not kept", path=str(self._directory), reason=reason)
        self._refused = reason


def _line(stamp_ns: int, frame: bytes) -> bytes:
    return b"%d %b\n" % (stamp_ns, frame.replace(b"\n", b" "))
