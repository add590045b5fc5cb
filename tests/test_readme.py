"""Every command that the README shows is run, in its order, in one directory."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import Broker
from tests.frames import frames
from tests.test_alert import GOLDEN

ROOT = Path(__file__).resolve().parents[1]
LIQMON = Path(sys.executable).parent / "liqmon"
DEADLINE_S = 60

pytestmark = pytest.mark.xdist_group("sockets")


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's shell blocks, without their comments."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            yield line.split(" #")[0].strip()


class Reader:
    """A newcomer who types what the page says, on loopback and without the real venues."""

    def __init__(self, place: Path, broker: Broker) -> None:
        self.place = place
        self.broker = broker
        nowhere = "ws://127.0.0.1:9"
        self.environ = {
            **os.environ,
            "LIQMON_MQTT__PORT": str(broker.port),
            "LIQMON_HTTP__PORT": "0",
            "LIQMON_LOG__FORMAT": "json",
        }
        venues = ("binance", "binance_spot", "bybit_spot", "okx", "okx_spot", "bitfinex", "bitmex")
        for venue in venues:
            self.environ[f"LIQMON_VENUES__{venue.upper()}__ENABLED"] = "false"
        self.environ["LIQMON_VENUES__BYBIT__ENDPOINTS"] = (
            f"wss://stream.bybit.com={nowhere},https://api.bybit.com=http://127.0.0.1:9"
        )

    def run(self, *arguments: str) -> str:
        """Run to the end; what it wrote to stdout."""
        done = subprocess.run(
            arguments,
            cwd=self.place,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def make(self, target: str) -> None:
        """See that a target exists and what it would do."""
        planned = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert {"demo": "liqmon demo", "test": "pytest", "setup": ""}[target] in planned.stdout

    def daemon(self, *arguments: str) -> None:
        """Start, see it started, stop it, see it leave properly."""
        with subprocess.Popen(
            [LIQMON, *arguments],
            cwd=self.place,
            env=self.environ,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if json.loads(line)["event"] == "started":
                    break
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0

    def subscriber(self, *arguments: str) -> None:
        """Start, publish an alert until it is shown, stop."""
        with subprocess.Popen(
            arguments, cwd=self.place, env=self.environ, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            topic = "liqmon/alerts/BTC/cascade"
            publish = ["mosquitto_pub", "-p", str(self.broker.port), "-q", "1", "-t", topic]
            publish += ["-s", "--repeat", "50", "--repeat-delay", "0.2"]
            with subprocess.Popen(publish, stdin=subprocess.PIPE) as publisher:
                assert publisher.stdin is not None
                publisher.stdin.write((GOLDEN / "alert.json").read_bytes().strip())
                publisher.stdin.close()
                shown = process.stdout.readline()
                publisher.kill()
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=DEADLINE_S)
        assert "BTC" in shown

    def decode(self, *arguments: str) -> None:
        """Decode a frame typed from the venue's documents."""
        forced = next(frame for frame in frames("bybit") if b'"allLiquidation.' in frame)
        (self.place / "frames.jsonl").write_bytes(forced)
        events = [json.loads(line) for line in self.run(str(LIQMON), *arguments).splitlines()]
        assert {event["type"] for event in events} == {"liquidation"}


def test_every_command_of_the_readme_works(tmp_path: Path, mosquitto: Broker) -> None:
    """What a newcomer copies from the page works, in the order it stands there."""
    if shutil.which("mosquitto_pub") is None:
        pytest.skip("mosquitto_pub is not installed (Debian: apt-get install mosquitto-clients)")
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    reader = Reader(tmp_path, mosquitto)
    how: dict[str, Callable[..., object]] = {
        "check-config": lambda *a: reader.run(str(LIQMON), *a),
        "run": reader.daemon,
        "tail": lambda *a: reader.subscriber(str(LIQMON), *a),
        "replay": lambda *a: reader.run(str(LIQMON), *a),
        "decode": reader.decode,
        "venues": lambda *a: reader.run(str(LIQMON), *a),
    }
    shown = list(commands(ROOT / "README.md"))
    assert {"make demo", "make test"} < set(shown)
    for command in shown:
        program, *arguments = shlex.split(command)
        if program == "make":
            reader.make(*arguments)
        elif program == "mosquitto_sub":
            reader.subscriber(program, "-p", str(mosquitto.port), *arguments)
        else:
            assert program == "liqmon", command
            how[arguments[0]](*arguments)
