"""A disk that takes nothing any more: the daemon watches and publishes without it."""

from pathlib import Path

import pytest

from tests import running

pytestmark = pytest.mark.xdist_group("sockets")


def test_a_full_disk_ends_the_recording_and_nothing_else(tmp_path: Path) -> None:
    """Recording, alert log and state are given up with a word each; the cascade is found."""
    recording = tmp_path / "recording"
    with running.market() as market:
        table = running.settings(
            market, tmp_path, None, record={"directory": str(recording)}, state={"every_s": 1.0}
        )
        with running.monitor(tmp_path, table) as daemon:
            daemon.until_told("started")
            daemon.until(daemon.state.exists, what="for a first save")
            assert daemon.metric("liqmon_recording_failed") == 0.0
            before = daemon.limit_files(0)
            daemon.until_told("state not saved", reason="File too large")
            told = daemon.until_told("recording stopped")
            assert told["reason"] == f"cannot write to {recording}: File too large"
            assert daemon.metric("liqmon_recording_failed") == 1.0
            daemon.until_told("state changed", state="ONSET")
            daemon.until_told("alert log stopped", reason="File too large")
            assert daemon.ready() == (200, ["recording"])
            dropped = daemon.metric("liqmon_recording_dropped_total")
            assert dropped is not None
            assert dropped > 0.0
            daemon.limit_files(before)
            daemon.until_told("state saved again")
            assert daemon.stop()[0] == 0
            for event in ("state not saved", "recording stopped", "alert log stopped"):
                assert len(daemon.told(event)) == 1


def test_places_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """A recording below a plain file, a state that cannot be put in place: warnings, no end."""
    plain = tmp_path / "plain"
    plain.write_text("a file")
    (tmp_path / "liqmon.state.new").mkdir()
    table = running.settings(
        running.nowhere(),
        tmp_path,
        None,
        record={"directory": str(plain / "recording")},
        state={"every_s": 1.0},
    )
    with running.monitor(tmp_path, table) as daemon:
        daemon.until_told("alert log stopped", reason="Not a directory")
        daemon.until_told("state not saved", reason="Is a directory")
        daemon.until_told("recording stopped")
        assert daemon.metric("liqmon_recording_failed") == 1.0
        assert "recording" in daemon.ready()[1]
        assert daemon.stop()[0] == 0
