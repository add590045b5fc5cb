"""The command line: exits, messages, help, completion, and what it must not load."""

import http.server
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.cli.healthcheck import ready_url
from monitor.config import Config, digest, load
from monitor.venues import VENUES

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = ROOT / "deploy" / "liqmon.toml"


def liqmon(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a shell would, with these variables of ours and no others."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("LIQMON_")}
    return subprocess.run(
        [sys.executable, "-m", "monitor", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=ROOT,
        env={**clean, "NO_COLOR": "1", **environ},
    )


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    return done.returncode, done.stdout, done.stderr


# The base


def test_version_is_that_of_the_distribution() -> None:
    """`--version` prints the installed version and nothing else."""
    version = importlib.metadata.version("liquidation-monitor")
    assert outcome(liqmon("--version")) == (0, f"liqmon {version}\n", "")


def test_start_loads_no_compiler() -> None:
    """Importing the command line does not load numba, which would cost every command a second."""
    program = (
        "import sys, monitor.cli; print([name for name in ('numba', 'kernels.flow') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        cwd=ROOT,
    )
    assert done.stdout == "[]\n"


def test_help_names_every_command_and_what_it_is_for() -> None:
    """A newcomer finds each command with a sentence, and each command's own help."""
    text = " ".join(liqmon("--help", COLUMNS="200").stdout.split())
    assert "Streaming detector of liquidation cascades" in text
    assert "check-config Check a configuration file without starting anything." in text
    assert "healthcheck Ask a running daemon whether it is ready" in text
    assert "venues List the venues: name, products, completeness" in text
    for command in ("check-config", "venues", "healthcheck"):
        done = liqmon(command, "--help")
        assert (done.returncode, done.stderr) == (0, "")
        assert f"Usage: liqmon {command} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("chekc-config",), "No such command 'chekc-config'"),
        (("venues", "--jsno"), "No such option: --jsno"),
        (("check-config",), "Missing argument 'FILE'"),
        (("healthcheck", "--deadline", "0"), "Invalid value for '--deadline'"),
    ],
)
def test_wrong_usage_exits_2(arguments: tuple[str, ...], complaint: str) -> None:
    """Wrong usage says what is wrong on stderr and exits 2."""
    done = liqmon(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_shell_completion_knows_the_commands() -> None:
    """Completion in bash offers the commands that begin with what was typed."""
    done = liqmon(_LIQMON_COMPLETE="complete_bash", COMP_WORDS="liqmon check", COMP_CWORD="1")
    assert outcome(done) == (0, "check-config\n", "")


def test_interrupt_is_quiet() -> None:
    """Ctrl-C ends a waiting command with 130 and not a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/ready"
        with subprocess.Popen(
            [sys.executable, "-m", "monitor", "healthcheck", "--url", url, "--deadline", "30"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            server.settimeout(20)
            connection, _ = server.accept()  # it has asked and waits
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20) == (b"", b"")
            connection.close()
    assert process.returncode == 130


# check-config


def test_good_file_gives_ok_and_a_summary() -> None:
    """A good file gives "ok" and what it amounts to."""
    done = liqmon("check-config", DOCUMENTED)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "ok",
        f"watch     20 assets: {' '.join(Config().watch.assets)}",
        f"venues    {' '.join(venue.name for venue in VENUES)}",
        "clock     the wall clock",
        "mqtt      127.0.0.1:1883, MQTT 5, topics below liqmon",
        "http      127.0.0.1:9108",
        "state     liqmon.state, every 60 s",
        "record    off",
        "log       info, auto",
        f"digest    {digest(load(DOCUMENTED, {}))}",
    ]


def test_check_takes_the_variables_into_account(tmp_path: Path) -> None:
    """The summary is of what the daemon would run with, variables included."""
    file = tmp_path / "a.toml"
    file.write_text("[mqtt]\nenabled = false\n[clock]\nspeed = 20\n", encoding="utf-8")
    done = liqmon(
        "check-config",
        file,
        LIQMON_WATCH__ASSETS="BTC",
        LIQMON_VENUES__BYBIT__ENABLED="false",
        LIQMON_HTTP__ENABLED="false",
        LIQMON_STATE__PATH="",
        LIQMON_RECORD__DIRECTORY="tape",
    )
    shown = dict(line.split(maxsplit=1) for line in done.stdout.splitlines()[1:])
    shown.pop("digest")
    assert shown == {
        "watch": "1 assets: BTC",
        "venues": " ".join(venue.name for venue in VENUES if venue.name != "bybit"),
        "clock": "market time at speed 20",
        "mqtt": "off",
        "http": "off",
        "state": "off",
        "record": "tape",
        "log": "info, auto",
    }


def test_bad_file_gives_a_line_for_each_problem(tmp_path: Path) -> None:
    """Each problem is one line that begins with its path; the exit code is 2."""
    file = tmp_path / "a.toml"
    file.write_text("[mqtt]\nport = 'x'\nprot = 1\n", encoding="utf-8")
    assert outcome(liqmon("check-config", file)) == (
        2,
        "",
        "mqtt.prot: unknown key; did you mean mqtt.port?\nmqtt.port: expected int, was 'x'\n",
    )


def test_unknown_venue_is_a_problem_too(tmp_path: Path) -> None:
    """A venue that is not in the registry is found without starting anything."""
    file = tmp_path / "a.toml"
    file.write_text("[venues.bybitt]\n", encoding="utf-8")
    assert outcome(liqmon("check-config", file)) == (
        2,
        "",
        "venues.bybitt: unknown venue; did you mean venues.bybit?\n",
    )


# venues


def test_venues_are_listed_as_json() -> None:
    """`venues --json` is an array with what the registry says."""
    done = liqmon("venues", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [
        {
            "name": venue.name,
            "products": list(venue.products),
            "completeness": str(venue.completeness),
            "docs": venue.docs,
        }
        for venue in VENUES
    ]


def test_venues_are_listed_in_lines() -> None:
    """`venues` has a heading and a line for each venue, never wrapped."""
    done = liqmon("venues", COLUMNS="40")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows == [
        ["NAME", "PRODUCTS", "COMPLETENESS", "DOCS"],
        *([v.name, *v.products, str(v.completeness), v.docs] for v in VENUES),
    ]


# healthcheck


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as its server was told to, and keeps what was asked."""

    def do_GET(self) -> None:
        """Answer one request."""
        server = self.server
        assert isinstance(server, Ready)
        server.asked.append(self.path)
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Ready(http.server.HTTPServer):
    """A daemon's health page, in one fixed state."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.status = status
        self.body = body
        self.asked: list[str] = []


@contextmanager
def answering(status: int, body: bytes) -> Iterator[Ready]:
    """Such a page, for as long as it is needed."""
    with Ready(status, body) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)


def test_ready_daemon_is_healthy() -> None:
    """Status 200 is exit 0, and the answer is printed with what is degraded."""
    body = b'{"degraded":["mqtt"]}'
    with answering(200, body) as server:
        done = liqmon("healthcheck", LIQMON_HTTP__PORT=str(server.server_port))
        assert outcome(done) == (0, f"{body.decode()}\n", "")
        assert server.asked == ["/ready"]


def test_daemon_that_is_not_ready_is_unhealthy() -> None:
    """Status 503 is exit 1 and one line that says why."""
    with answering(503, b'{"missing":["broker"]}') as server:
        url = f"http://127.0.0.1:{server.server_port}/ready"
        assert outcome(liqmon("healthcheck", "--url", url)) == (
            1,
            "",
            f'liqmon: {url}: expected status 200, was 503 {{"missing":["broker"]}}\n',
        )


def test_no_daemon_is_unhealthy() -> None:
    """Where nobody listens, exit 1 comes with the system's reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/ready"
    done = liqmon("healthcheck", "--url", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"liqmon: {url}: expected an answer, was ")
    assert done.stderr.endswith("Connection refused\n")


def test_dripping_answer_does_not_outlast_the_deadline() -> None:
    """A server that sends a byte now and then cannot hold the check beyond its deadline."""
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            while not stop.wait(0.05):
                try:
                    connection.send(b"H")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        thread = threading.Thread(target=drip, args=(server,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/ready"
        begun = time.monotonic()
        done = liqmon("healthcheck", "--url", url, "--deadline", "0.5")
        took_s = time.monotonic() - begun
        stop.set()
        thread.join(10)
    assert outcome(done) == (
        1,
        "",
        f"liqmon: {url}: expected an answer within 0.5 s, was none\n",
    )
    assert took_s < 10


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:9108/ready"),
        ("0.0.0.0", "http://127.0.0.1:9108/ready"),
        ("::", "http://[::1]:9108/ready"),
        ("monitor.lan", "http://monitor.lan:9108/ready"),
    ],
)
def test_address_is_the_one_of_the_configuration(host: str, url: str) -> None:
    """The check asks where the daemon listens; "everywhere" is asked on the loopback."""
    assert ready_url(load(None, {"LIQMON_HTTP__HOST": host})) == url


@pytest.mark.parametrize(("key", "text"), [("PORT", "0"), ("ENABLED", "false")])
def test_unknown_address_is_a_mistake_in_the_configuration(key: str, text: str) -> None:
    """Without a fixed address there is nothing to ask, and that is exit 2."""
    assert outcome(liqmon("healthcheck", **{f"LIQMON_HTTP__{key}": text})) == (
        2,
        "",
        "liqmon: http: expected enabled = true and a fixed port for a health check\n",
    )


def test_configuration_error_is_one_line_and_exit_2() -> None:
    """A bad configuration is one line on stderr with the key's path, without a traceback."""
    assert outcome(liqmon("healthcheck", LIQMON_HTTP__PORT="x")) == (
        2,
        "",
        "liqmon: http.port: expected int, was 'x' (LIQMON_HTTP__PORT)\n",
    )
