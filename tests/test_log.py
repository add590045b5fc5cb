"""The one order."""

from pathlib import Path

import pytest

from monitor.clock import MarketClock
from monitor.collect.log import Log
from monitor.collect.recorder import Recorder
from monitor.collect.recording import Frame, Header, read
from monitor.events import Answer, Fact, FactKind, Outcome
from tests.collecting import Tape, files


def set_wall(monkeypatch: pytest.MonkeyPatch, *wall_ns: int) -> None:
    """Let the wall clock show these times, one after the other."""
    monkeypatch.setattr("monitor.clock.time.time_ns", iter(wall_ns).__next__)


def test_stamps_never_go_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the wall clock is set back, entries keep the latest stamp until it has caught up."""
    tape = Tape()
    log = Log(MarketClock(), tape, None)
    set_wall(monkeypatch, 100, 99, 90, 80, 95, 101)
    log.frame(1, b"a")
    log.frame(1, b"a")
    log.fact(1, "test", "main", FactKind.CONNECTED)
    log.answer("test", "instruments", "spot", 200, b"")
    assert log.now_ns() == 100
    log.frame(1, b"b")
    assert tape.stamps == [100, 100, 100, 100, 101]


def test_stamps_are_market_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At speed 20 from another epoch, a wall second is twenty of the market."""
    tape = Tape()
    log = Log(MarketClock(epoch_ns=5_000, start_ns=100, speed=20.0), tape, None)
    set_wall(monkeypatch, 100, 103)
    log.frame(1, b"a")
    log.frame(1, b"b")
    assert tape.stamps == [5_000, 5_060]


def test_the_core_gets_each_entry_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames, facts and answers reach the core as they came, and its outcome goes back."""
    tape = Tape()
    log = Log(MarketClock(), tape, None)
    set_wall(monkeypatch, 1, 2, 3)
    assert log.frame(7, b"data") is Outcome.USEFUL
    fact = log.fact(7, "test", "main", FactKind.DISCONNECTED, "quiet")
    answer = log.answer("test", "open_interest", "BTC", 0, b"no answer")
    assert tape.frames == [(7, b"data")]
    assert tape.facts == [fact] == [Fact(2, 7, "test", "main", FactKind.DISCONNECTED, "quiet")]
    assert tape.answers == [answer] == [Answer(3, "test", "open_interest", "BTC", 0, b"no answer")]


def test_connections_are_numbered_from_one() -> None:
    """Number 0 stays the daemon's own."""
    log = Log(MarketClock(), Tape(), None)
    assert [log.new_connection() for _ in range(3)] == [1, 2, 3]


async def test_what_is_recorded_is_what_the_core_got(tmp_path: Path) -> None:
    """The recording holds the log, and its header the state from before the first entry."""
    tape = Tape()
    recorder = Recorder(tmp_path, lambda: {"frames_before": len(tape.frames)})
    async with recorder:
        log = Log(MarketClock(), tape, recorder)
        log.frame(1, b"data")
        fact = log.fact(1, "test", "main", FactKind.CONNECTED)
        answer = log.answer("test", "instruments", "spot", 200, b"BTC")
    (path,) = files(tmp_path)
    assert list(read([path])) == [
        Header(tape.stamps[0], path, {"frames_before": 0}),
        Frame(tape.stamps[0], 1, b"data"),
        fact,
        answer,
    ]
