"""The state file: whole or not at all, and refused with a reason when it is of no use."""

import re
from pathlib import Path

import msgspec
import pytest

from monitor import statefile
from monitor.errors import StateError
from monitor.publish.outbox import AlertEntry

ALERTS = (
    AlertEntry("BTC-long-1", "liqmon/alerts/BTC/cascade", b'{"id":"BTC-long-1"}', 17, 0),
    AlertEntry("BTC-long-2", "liqmon/alerts/BTC/cascade", b"\x00\xff", 0, 5),
)
DATA = statefile.encode(1_790_000_000_000_000_000, b"detector\x00", ALERTS)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    """Stamp, detector and waiting alerts survive, in a directory that is made for them."""
    path = tmp_path / "var" / "liqmon.state"
    statefile.write(path, DATA)
    saved = statefile.read(path)
    assert saved == statefile.Saved(1, 1_790_000_000_000_000_000, b"detector\x00", ALERTS)
    assert [each.name for each in path.parent.iterdir()] == ["liqmon.state"]


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """The first start of all has nothing to restore."""
    assert statefile.read(tmp_path / "liqmon.state") is None


def test_a_failed_write_leaves_the_old_state(tmp_path: Path) -> None:
    """A disk that does not take the new one takes nothing away."""
    path = tmp_path / "liqmon.state"
    statefile.write(path, DATA)
    (tmp_path / "liqmon.state.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        statefile.write(path, b"other")
    assert path.read_bytes() == DATA


def test_what_a_crash_left_half_written_is_not_read(tmp_path: Path) -> None:
    """Half a new state beside the old one changes nothing, and the next write replaces it."""
    path = tmp_path / "liqmon.state"
    statefile.write(path, DATA)
    path.with_name("liqmon.state.new").write_bytes(DATA[:10])
    saved = statefile.read(path)
    assert saved is not None
    assert saved.alerts == ALERTS
    statefile.write(path, DATA)
    assert [each.name for each in tmp_path.iterdir()] == ["liqmon.state"]


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    """A file that ends anywhere before its end is named, with what to do."""
    path = tmp_path / "liqmon.state"
    complaint = re.escape(f"{path}: expected a state file, was something else (")
    for length in range(len(DATA)):
        path.write_bytes(DATA[:length])
        with pytest.raises(StateError, match=f"^{complaint}.*move it away to start without it$"):
            statefile.read(path)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"\x80",
        DATA + b"\x00",
        msgspec.msgpack.encode([1, 2]),
        msgspec.msgpack.encode({"format": 1, "saved_ns": "now", "detector": b"", "alerts": []}),
    ],
)
def test_something_else_is_refused(tmp_path: Path, data: bytes) -> None:
    """Bytes that are no state file are not guessed at."""
    path = tmp_path / "liqmon.state"
    path.write_bytes(data)
    with pytest.raises(StateError, match="expected a state file, was something else"):
        statefile.read(path)


def test_another_version_is_named_whatever_it_holds(tmp_path: Path) -> None:
    """A newer format is told by its number, though all its other fields differ."""
    path = tmp_path / "liqmon.state"
    path.write_bytes(msgspec.msgpack.encode({"format": 2, "detectors": [], "alerts": 5}))
    complaint = (
        f"{path}: expected a state file of format 1, was 2; "
        "it belongs to another version: run that one, or move the file away"
    )
    with pytest.raises(StateError, match=f"^{re.escape(complaint)}$"):
        statefile.read(path)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    """What the system does not give out is said in its words."""
    with pytest.raises(StateError, match=r"expected a readable state file \(Is a directory\)"):
        statefile.read(tmp_path)
