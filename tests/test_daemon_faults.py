"""Venues that misbehave, each in its own way, at the same time: the others must not feel it."""

import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from tests import running

pytestmark = pytest.mark.xdist_group("sockets")

# Binance's contracts are left alone. OKX's spot shares the host, and so the fault, of its swaps.
FAULTS = (
    "accept-and-close@bybit",
    "ack-no-data@okx",
    "http-429@binance_spot",
    "garbage@bybit_spot",
)
FAULTY = {"bybit", "okx", "okx_spot", "binance_spot", "bybit_spot"}


@dataclass
class Seen:
    """How the daemon stood, while venues were at fault and afterwards.

    Attributes:
        ready: What `/ready` answered while they were, as ONSET came.
        frames, later: Frames by venue, soon after the faults began and as ONSET came.
        asked: What the faulty venues were asked for between the two, in `faulty_s` seconds.
        streams: Number of streams by venue.
        stopped, flowed: Streams that the log said so of, as "venue/session", in order.
        malformed: Damaged frames by venue and reason, at the end.
        kept: The files of damaged frames by venue.
    """

    ready: tuple[int, list[str]] = (0, [])
    frames: dict[str, float] = field(default_factory=dict)
    later: dict[str, float] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    faulty_s: float = 0.0
    streams: Counter[str] = field(default_factory=Counter)
    stopped: list[str] = field(default_factory=list)
    flowed: list[str] = field(default_factory=list)
    malformed: dict[tuple[str, str], float] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)


def frames(daemon: running.Monitor) -> dict[str, float]:
    """Frames received, by venue."""
    return {labels["venue"]: count for labels, count in daemon.series("liqmon_frames_total")}


def told(daemon: running.Monitor, event: str) -> list[str]:
    """Streams that the log has said this of."""
    return [f"{line['venue']}/{line['session']}" for line in daemon.told(event)]


def all_flow(daemon: running.Monitor) -> bool:
    """Whether every stream flows, and the log has said so."""
    flowing = {
        f"{labels['venue']}/{labels['session']}"
        for labels, value in daemon.series("liqmon_stream_flowing")
        if value == 1.0
    }
    still_out = set(told(daemon, "stream stopped"))
    back = set(told(daemon, "stream flows")[len(flowing) :])
    return (
        daemon.ready() == (200, [])
        and flowing <= set(told(daemon, "stream flows"))
        and (still_out <= back)
    )


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A cascade in which four venues break, and are mended."""
    directory = tmp_path_factory.mktemp("faults")
    it = Seen()
    with (
        running.market(onset_s=180) as market,  # long after silence has been told
        running.monitor(directory, running.settings(market, directory, None)) as daemon,
    ):
        daemon.until_told("started")
        daemon.until(lambda: all_flow(daemon), 30, "for every stream to flow")
        it.streams.update(labels["venue"] for labels, _ in daemon.series("liqmon_stream_flowing"))
        ill = sum(it.streams[venue] for venue in FAULTY)
        before = market.counts()
        began = time.monotonic()
        for fault in FAULTS:
            market.fault(fault)
        daemon.until(
            lambda: (
                set(daemon.ready()[1]) >= FAULTY and len(told(daemon, "stream stopped")) >= ill
            ),
            30,
            "for the faulty ones",
        )
        it.frames = frames(daemon)
        daemon.until_told("state changed", state="ONSET")
        it.ready, it.later = daemon.ready(), frames(daemon)
        after = market.counts()
        it.faulty_s = time.monotonic() - began
        it.asked = {name: after[name] - before.get(name, 0) for name in after}
        for fault in FAULTS:
            market.fault(fault, on=False)
        daemon.until(lambda: all_flow(daemon), 60, "for the recovery")
        it.stopped, it.flowed = told(daemon, "stream stopped"), told(daemon, "stream flows")
        market.fault("truncated@okx")
        daemon.until(
            lambda: daemon.metric("liqmon_malformed_total", venue="okx"), what="for damage"
        )
        it.malformed = {
            (labels["venue"], labels["reason"]): value
            for labels, value in daemon.series("liqmon_malformed_total")
        }
        assert daemon.stop()[0] == 0
        it.kept = {path.stem: path for path in directory.glob("liqmon.state.damaged/*.frames")}
    return it


def test_a_venue_at_fault_is_named_and_the_daemon_stays_ready(seen: Seen) -> None:
    """`/ready` answers 200 and names the faulty venues and their streams, and no other."""
    status, degraded = seen.ready
    assert status == 200
    assert {name for name in degraded if "/" not in name} == FAULTY
    assert {name.partition("/")[0] for name in degraded} == FAULTY


def test_the_other_venues_are_untouched(seen: Seen) -> None:
    """Their frames go on coming, and a cascade is found from them alone."""
    assert seen.later["binance"] > seen.frames["binance"] + 100
    assert seen.asked["connections_binance"] == 0


def test_a_venue_that_accepts_and_closes_is_not_hammered(seen: Seen) -> None:
    """Attempts back off: eight of a session take half a minute on average, not a blink."""
    streams = seen.streams["bybit"]
    assert streams <= seen.asked["connections_bybit"] <= 8 * streams


def test_a_venue_that_answers_429_is_asked_at_its_own_pace(seen: Seen) -> None:
    """Each request waits at least the second that the venue asks for."""
    assert 1 <= seen.asked["requests_binance_spot"] <= 2 + seen.faulty_s


def test_a_silent_venue_keeps_its_connections(seen: Seen) -> None:
    """Silence is told after a market minute; within a wall minute nobody reconnects."""
    assert seen.later["okx"] == seen.frames["okx"]
    assert seen.asked["connections_okx"] == 0


def test_garbage_is_counted_and_costs_no_connection(seen: Seen) -> None:
    """Each damaged frame is counted by venue and reason, and the stream goes on."""
    assert seen.malformed["bybit_spot", "not json"] >= 100
    assert seen.later["bybit_spot"] > seen.frames["bybit_spot"]
    assert seen.asked["connections_bybit_spot"] == 0
    assert {venue for venue, _ in seen.malformed} <= {"bybit_spot", "okx", "okx_spot"}


def test_trouble_and_recovery_are_a_line_each(seen: Seen) -> None:
    """The log names each stream once as it stops, and once as it flows again."""
    assert {name.partition("/")[0] for name in seen.stopped} == FAULTY
    assert len(seen.stopped) == sum(seen.streams[venue] for venue in FAULTY)
    assert len(set(seen.stopped)) == len(seen.stopped)
    assert Counter(seen.flowed) == Counter({*seen.flowed}) + Counter(seen.stopped)


@pytest.mark.parametrize("venue", ["bybit_spot", "okx"])
def test_damaged_frames_are_kept_for_a_look(seen: Seen, venue: str) -> None:
    """The last of them, up to twenty, stand beside the state for `liqmon decode`."""
    command = [*running.LIQMON, "decode", venue, str(seen.kept[venue])]
    done = subprocess.run(command, capture_output=True, check=False)
    records = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert {(record["type"], record["reason"]) for record in records} == {
        ("malformed", "not json")
    }
    assert min(20, seen.malformed[venue, "not json"]) <= len(records) <= 20


def test_venues_that_are_away_from_the_start_are_named(tmp_path: Path) -> None:
    """Without any venue the daemon is up and not ready, and says once of each why."""
    table = running.settings(running.nowhere(), tmp_path, None)
    with running.monitor(tmp_path, table) as daemon:
        for venue in running.SERVED:
            told = daemon.until_told("venue not listed", venue=venue)
            assert "no answer" in told["reason"]
        assert daemon.ready() == (503, list(running.SERVED))
        failures = daemon.metric("liqmon_rest_failures_total", venue="okx")
        assert failures is not None
        assert failures > 0.0
        assert daemon.stop()[0] == 0
        assert len(daemon.told("venue not listed")) == len(running.SERVED)
