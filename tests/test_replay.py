"""Replay: a recording gives the alerts of the live run again, byte for byte, whole or in parts."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import orjson
import pytest

from monitor.collect.recording import Header, header_line, pack, read
from monitor.errors import StateError
from monitor.publish.alert import log_line
from monitor.replay import Recorded, Replay, engine_of, files_of, recorded
from tests.brokers import NEEDS_MOSQUITTO
from tests.cascades import EPOCH_NS, FIRST_HOUR_S, Broken, Whole, lived
from tests.running import LIQMON

SOCKETS = pytest.mark.xdist_group("sockets")
HOUR_MS = EPOCH_NS // 1_000_000 + FIRST_HOUR_S * 1000


@pytest.fixture(scope="module")
def whole() -> Whole:
    """A recorded cascade in one run."""
    return lived().whole


@pytest.fixture(scope="module")
def broken() -> Broken:
    """A recorded cascade in four runs, the second of which was killed."""
    return lived().broken


def replayed(*paths: Path, batch: int = 256) -> bytes:
    """The alert log of a replay."""
    return b"".join(log_line(v) for v in Replay(files_of(paths), batch=batch).verdicts())


def told(*arguments: object, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """What `liqmon replay` says to these arguments."""
    return subprocess.run(
        [*LIQMON, "replay", *map(str, arguments)],
        capture_output=True,
        env=os.environ | environ,
        timeout=60,
        check=False,
    )


@SOCKETS
@NEEDS_MOSQUITTO
def test_the_command_gives_the_live_alert_log(whole: Whole, tmp_path: Path) -> None:
    """`liqmon replay DIR --alerts OUT` writes the bytes that the daemon wrote."""
    out = tmp_path / "out.jsonl"
    done = told(whole.recording, "--alerts", out)
    assert (done.returncode, done.stdout) == (0, b"")
    states = [orjson.loads(line)["state"] for line in whole.log.splitlines()]
    assert "ONSET" in states
    assert states[-1] == "EXHAUSTED"
    assert out.read_bytes() == whole.log
    summary = orjson.loads(done.stderr)
    assert (summary["alerts"], summary["broken_off"]) == (len(states), [])


@SOCKETS
@NEEDS_MOSQUITTO
@pytest.mark.parametrize("batch", [1, 7])
def test_how_events_are_batched_changes_no_byte(whole: Whole, batch: int) -> None:
    """One event a kernel call or seven: the log is that of the live run."""
    assert replayed(whole.recording, batch=batch) == whole.log


@SOCKETS
@NEEDS_MOSQUITTO
def test_interpreted_kernels_give_the_same_bytes(whole: Whole) -> None:
    """With NUMBA_DISABLE_JIT=1 the replay is that of compiled code; alerts go to stdout."""
    done = told(whole.recording, NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0
    assert done.stdout == whole.log


@SOCKETS
@NEEDS_MOSQUITTO
def test_an_hour_replays_alone(whole: Whole) -> None:
    """The second hour's file gives the alerts of that hour, in mid-episode as it begins."""
    first, second = files_of([whole.recording])
    lines = whole.log.splitlines(keepends=True)
    early = [line for line in lines if orjson.loads(line)["detected_time_ms"] < HOUR_MS]
    late = lines[len(early) :]
    assert early
    assert late
    assert replayed(second) == b"".join(late)
    assert replayed(first) == b"".join(early)


@SOCKETS
@NEEDS_MOSQUITTO
def test_runs_into_one_directory_replay_one_after_the_other(broken: Broken) -> None:
    """Each run goes on from its own state; of the killed one a beginning may be all there is."""
    first, killed, *rest = broken.logs
    assert len(rest) == 2
    said = replayed(broken.recording)
    end = b"".join(rest)
    assert said.startswith(first)
    assert said.endswith(end)
    middle = said.removeprefix(first).removesuffix(end)
    assert killed.startswith(middle)
    assert middle == b"" or middle.endswith(b"\n")


@SOCKETS
@NEEDS_MOSQUITTO
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 1.0])
def test_a_recording_that_breaks_off_gives_a_beginning(
    whole: Whole, tmp_path: Path, part: float
) -> None:
    """Cut anywhere, as by kill -9, it replays to a beginning of the alert log, and says so."""
    first, second = files_of([whole.recording])
    data = second.read_bytes()
    cut = tmp_path / second.name
    cut.write_bytes(data[: int(part * len(data)) - 1])
    replay = Replay([first, cut])
    said = b"".join(log_line(verdict) for verdict in replay.verdicts())
    assert replay.cuts == [cut]
    assert said
    assert whole.log.startswith(said)


def header_of(path: Path, **changes: object) -> Header:
    """The header of a made-up file."""
    fields = Recorded("0", 1, "", ("BTC",), ("bybit",), msgspec.UNSET, "")  # type: ignore[arg-type]
    plain = {name: getattr(fields, name) for name in fields.__struct_fields__}
    return Header(1, path, plain | {"detector": {}} | changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"venues": ["mtgox"]}, "expected a recording of known venues, was one of mtgox"),
        ({"snapshot": "?"}, "expected a state in base64"),
        ({"snapshot": "AAAA"}, "expected a state snapshot, was 3 bytes that are none"),
        ({"assets": 5}, "a.zst: expected a recording's header (Expected `array`, got `int`"),
        ({"detector": {"magic": 1}}, "a.zst: expected a recording's header (Object contains unk"),
    ],
)
def test_a_header_of_another_make_is_refused_with_a_reason(
    changes: dict[str, object], complaint: str
) -> None:
    """What a replay cannot start from is named, not guessed."""
    with pytest.raises(StateError, match=re.escape(complaint)):
        engine_of(recorded(header_of(Path("a.zst"), **changes)))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"{}\n", "{path} is no recording of liqmon, or is damaged"),
        (pack([b'{"t":1}\n']), "{path}: expected a header of liqmon first; give whole files"),
        (
            pack([header_line(1, {"version": "9"})]),
            "{path}: expected a recording's header (Object missing required field",
        ),
    ],
)
def test_what_is_no_recording_is_refused_with_a_reason(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    """The message names the file and what was expected of it."""
    path = tmp_path / "a.jsonl.zst"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StateError, match="^" + re.escape(complaint.format(path=path))):
        replayed(path)


def one_line(done: subprocess.CompletedProcess[bytes]) -> tuple[int, Sequence[str]]:
    """Exit code and lines of stderr."""
    return done.returncode, done.stderr.decode().splitlines()


def test_nothing_to_replay_is_one_line(tmp_path: Path) -> None:
    """A directory without recorded files is an error, not an empty log."""
    said = ["liqmon: expected recorded files (*.jsonl.zst), found none"]
    assert one_line(told(tmp_path)) == (1, said)


@SOCKETS
@NEEDS_MOSQUITTO
def test_an_alert_log_that_cannot_be_written_is_one_line(whole: Whole, tmp_path: Path) -> None:
    """A path that cannot be opened is a matter of usage; a full disk is a failure."""
    nowhere = tmp_path / "no" / "out"
    said = [f"liqmon: --alerts {nowhere}: No such file or directory"]
    assert one_line(told(whole.recording, "--alerts", nowhere)) == (2, said)
    said = ["liqmon: --alerts /dev/full: No space left on device"]
    _, second = files_of([whole.recording])
    assert one_line(told(second, "--alerts", "/dev/full")) == (1, said)


@SOCKETS
@NEEDS_MOSQUITTO
def test_a_recording_says_what_it_was_made_with(whole: Whole) -> None:
    """Each file's header names the watch list, the venues and the run; its state is whole."""
    headers = [entry for entry in read(files_of([whole.recording])) if isinstance(entry, Header)]
    abouts = [recorded(header) for header in headers]
    assert len({about.run_ns for about in abouts}) == 1
    assert {about.assets for about in abouts} == {("BTC", "ETH")}
    assert {"binance", "bybit", "okx"} <= set(abouts[0].venues)
    ladders = {
        (ladder.asset, ladder.position): ladder for ladder in engine_of(abouts[1]).judge.ladders
    }
    assert [k for k, ladder in ladders.items() if ladder.state.value != "QUIET"] == [
        ("BTC", "long")
    ]
