"""Recording: what is written while the daemon runs, and what happens when it cannot be."""

import errno
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

import pytest

from monitor.clock import NS
from monitor.collect.recorder import Recorder
from monitor.collect.recording import Cut, Frame, Header, read
from monitor.events import Answer, Fact, FactKind
from tests.collecting import eventually, files

START_NS = 1_723_075_199 * NS  # 2024-08-07T23:59:59Z
HOUR_NS = 3600 * NS


def no_header() -> dict[str, Any]:
    """A header without content."""
    return {}


async def test_every_kind_of_entry_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text, binary, damaged UTF-8, control characters and empty frames survive unchanged."""
    frames = [
        b'{"topic":"allLiquidation.BTCUSDT"}',
        "币安人生 \U0001f680".encode(),
        b"\xff\xfe\x00\x80",
        b'"\\\x00\n\r\t',
        b"\xed\xa0\x80",  # a surrogate, which is no UTF-8
        b"",
        b"x" * 600_000,
    ]
    entries = [
        *(Frame(START_NS, number, data) for number, data in enumerate(frames)),
        Fact(START_NS, 3, "bybit", "linear-1", FactKind.DISCONNECTED, 'quiet "60" s'),
        Answer(START_NS, "binance", "open_interest", "币安人生USDT", 200, b'{"x":1}'),
        Answer(START_NS, "binance", "open_interest", "BTCUSDT", 0, b"\x80 damaged"),
    ]
    fields = {"version": "0.1.0", "state": "c25hcHNob3Q="}
    async with Recorder(tmp_path, lambda: fields) as recorder:
        for entry in entries:
            match entry:
                case Frame():
                    recorder.frame(entry.received_ns, entry.connection, entry.data)
                case Fact():
                    recorder.fact(entry)
                case Answer():
                    recorder.answer(entry)
    path = tmp_path / "liqmon-20240807T235959Z.jsonl.zst"
    assert list(read([path])) == [Header(START_NS, path, fields), *entries]
    assert (recorder.failed, recorder.recorded, recorder.dropped) == ("", len(entries), 0)


async def test_each_hour_of_market_time_has_a_file_of_its_own(tmp_path: Path) -> None:
    """A new hour begins a new file, whose header holds the state from before its first entry."""
    taken: list[int] = []
    stamps = [START_NS, START_NS + NS, START_NS + 2 * NS, START_NS + 3 * HOUR_NS]
    async with Recorder(tmp_path, lambda: {"taken": list(taken)}) as recorder:
        for stamp in stamps:
            recorder.frame(stamp, 1, b"%d" % stamp)
            taken.append(stamp)
    paths = files(tmp_path)
    assert [path.name for path in paths] == [
        "liqmon-20240807T235959Z.jsonl.zst",
        "liqmon-20240808T000000Z.jsonl.zst",
        "liqmon-20240808T025959Z.jsonl.zst",
    ]
    first, second, third, fourth = (Frame(stamp, 1, b"%d" % stamp) for stamp in stamps)
    assert list(read(paths)) == [
        Header(stamps[0], paths[0], {"taken": []}),
        first,
        Header(stamps[1], paths[1], {"taken": stamps[:1]}),
        second,
        third,
        Header(stamps[3], paths[2], {"taken": stamps[:3]}),
        fourth,
    ]


async def test_an_earlier_recording_is_never_overwritten(tmp_path: Path) -> None:
    """A second run that begins in the same second of market time takes the next free name."""
    for run in (b"first", b"second"):
        async with Recorder(tmp_path, no_header) as recorder:
            recorder.frame(START_NS, 1, run)
    names = [path.name for path in files(tmp_path)]
    assert names == ["liqmon-20240807T235959Z.jsonl.zst", "liqmon-20240808T000000Z.jsonl.zst"]
    runs = [[e.data for e in read([tmp_path / name]) if isinstance(e, Frame)] for name in names]
    assert runs == [[b"first"], [b"second"]]


async def test_entries_reach_the_disk_without_a_close(tmp_path: Path) -> None:
    """Within about a second of being taken, entries can be read while recording goes on."""
    async with Recorder(tmp_path, no_header) as recorder:
        recorder.frame(START_NS, 1, b"data")
        await eventually(lambda: recorder.recorded == 1)
        (path,) = files(tmp_path)
        assert [e.data for e in read([path]) if isinstance(e, Frame)] == [b"data"]


def full(_: Path) -> BinaryIO:
    """A file on a disk that is full."""
    return Path("/dev/full").open("wb")


async def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """On ENOSPC recording stops with a reason, and every later entry is counted as dropped."""
    async with Recorder(tmp_path, no_header, full) as recorder:
        for number in range(3000):
            recorder.frame(START_NS, 1, b"%d " % number * 50)
        await eventually(lambda: recorder.failed != "")
        recorder.frame(START_NS, 1, b"late")
    assert recorder.failed == f"cannot write to {tmp_path}: {os.strerror(errno.ENOSPC)}"
    assert (recorder.recorded, recorder.dropped) == (0, 3001)


async def test_a_directory_that_cannot_be_made_ends_the_recording(tmp_path: Path) -> None:
    """A path through a file is no directory: recording stops with a reason, the rest goes on."""
    (tmp_path / "file").write_text("in the way")
    async with Recorder(tmp_path / "file" / "log", no_header) as recorder:
        recorder.frame(START_NS, 1, b"data")
    assert recorder.failed.startswith(f"cannot write to {tmp_path}/file/log: ")
    assert recorder.dropped == 1


class StuckFile(BytesIO):
    """A file on a disk that takes nothing until it is let go."""

    def __init__(self, free: Event) -> None:
        super().__init__()
        self.free = free

    def write(self, _: Any) -> int:
        """Wait, then take nothing."""
        self.free.wait(10.0)
        return 0


async def test_a_stuck_disk_ends_the_recording_at_the_bound(tmp_path: Path) -> None:
    """When more than the bound is waiting for the disk, recording stops; the loop never waits."""
    free = Event()
    async with Recorder(tmp_path, no_header, lambda _: StuckFile(free), 1_000_000) as recorder:
        for _ in range(40):
            recorder.frame(START_NS, 1, b"x" * 50_000)
        free.set()
    assert recorder.failed == "the disk is more than 1000000 bytes behind"
    assert recorder.entries == 40
    assert recorder.dropped == 40 - recorder.recorded > 10


ENDLESS = """
import asyncio, itertools, sys
from pathlib import Path
from monitor.collect.recorder import Recorder

async def main():
    async with Recorder(Path(sys.argv[1]), dict) as recorder:
        for number in itertools.count():
            recorder.frame(number, 1, b"%d" % number * 20)
            if number % 200 == 0:
                await asyncio.sleep(0.001)

asyncio.run(main())
"""


def test_a_killed_recording_loses_its_end_only(tmp_path: Path) -> None:
    """After kill -9 in mid-write everything up to the last whole zstd frame can be read."""
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path)])
    try:
        path = tmp_path / "liqmon-19700101T000000Z.jsonl.zst"
        deadline_s = time.monotonic() + 20.0
        while not (path.exists() and path.stat().st_size > 100_000):
            assert time.monotonic() < deadline_s, "nothing was recorded in 20 s"
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait(10)
    header, *entries = read([path])
    assert isinstance(header, Header)
    if isinstance(entries[-1], Cut):
        entries.pop()
    assert len(entries) > 1000
    assert entries == [Frame(number, 1, b"%d" % number * 20) for number in range(len(entries))]


async def test_a_header_that_cannot_be_written_is_a_bug_told_at_once(tmp_path: Path) -> None:
    """What is handed in as a header is encoded in place: a mistake raises where it is made."""
    async with Recorder(tmp_path, lambda: {"state": b"bytes are not JSON"}) as recorder:
        with pytest.raises(TypeError):
            recorder.frame(START_NS, 1, b"data")
