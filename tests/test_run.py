"""`liqmon run` at its edges: what it refuses, and how it leaves."""

import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import running

pytestmark = pytest.mark.xdist_group("sockets")


@contextlib.contextmanager
def mute_broker() -> Iterator[int]:
    """The port of a broker that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """A port that answers no attempt to connect: the system drops what finds its queue full."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def away(directory: Path, mqtt_port: int | None = None, **sections: Any) -> dict[str, Any]:
    """A configuration whose venues are away."""
    return running.settings(running.nowhere(), directory, mqtt_port, **sections)


def refused(directory: Path, table: Mapping[str, Any] | str) -> tuple[int, str]:
    """Exit code and last line of a run that must end by itself, without a traceback."""
    daemon = running.Monitor(directory, {} if isinstance(table, str) else table)
    if isinstance(table, str):
        (directory / "liqmon.toml").write_text(table)
    daemon.start()
    code = daemon.ended(30.0)
    *before, last = daemon.log.read_text().splitlines()
    assert all(line.startswith("{") for line in before)
    return code, last


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    """Exit 1, and the address and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        code, said = refused(tmp_path, away(tmp_path, http={"port": port}))
    assert code == 1
    assert said == (
        f"liqmon: http: expected to listen on 127.0.0.1:{port}, was refused: Address already in "
        "use; set http.port or end what uses it"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[mqtt\n", "liqmon.toml: is no TOML: "),
        ("[mqtt]\nhots = 'a'\n", "mqtt.hots: unknown key"),
        ("[mqtt]\nport = 'x'\n", "mqtt.port: expected "),
        ("[venues.mtgox]\n", "venues.mtgox: "),
        ("[venues.okx]\nendpoint = {}\n", "venues.okx.endpoint: unknown key"),
        ("[detector]\nonset_tier = 1\n", "detector.onset_tier: expected above "),
    ],
)
def test_a_configuration_of_no_use_is_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    """Exit 2, and the key's path."""
    code, said = refused(tmp_path, text)
    assert code == 2
    assert complaint in said
    assert said.startswith("liqmon: ")


def test_a_state_of_no_use_is_one_line(tmp_path: Path) -> None:
    """Exit 1 rather than a start without the state; the file stays as it is."""
    table = away(tmp_path)
    path = Path(table["state"]["path"])
    path.write_bytes(b"no state")
    code, said = refused(tmp_path, table)
    assert code == 1
    assert said.startswith(f"liqmon: {path}: expected a state file, was something else (")
    assert path.read_bytes() == b"no state"


def test_a_stop_while_starting_is_obeyed(tmp_path: Path) -> None:
    """Before anything is connected SIGTERM ends it with 0 at once."""
    with running.monitor(tmp_path, away(tmp_path)) as daemon:
        running.until(daemon.heeds_sigterm, what="for the handler")
        code, took_s = daemon.stop()
        assert daemon.log.read_text() == ""
    assert code == 0
    assert took_s < 5.0


@pytest.mark.parametrize("broker", [mute_broker, black_hole])
def test_a_broker_that_hangs_holds_up_no_stop(
    tmp_path: Path, broker: Callable[[], contextlib.AbstractContextManager[int]]
) -> None:
    """Within 5 s of SIGTERM the daemon has left with 0, and its state is saved."""
    with broker() as port, running.monitor(tmp_path, away(tmp_path, port)) as daemon:
        daemon.until_told("started")
        status, degraded = daemon.ready()
        assert (status, degraded[0]) == (503, "broker")
        code, took_s = daemon.stop()
        assert "Traceback" not in daemon.log.read_text()
        assert daemon.told("stopped")
        assert daemon.state.exists()
    assert code == 0
    assert took_s < 5.0


def test_a_second_signal_leaves_at_once(tmp_path: Path) -> None:
    """Who asks twice does not wait for the drain."""
    with mute_broker() as port, running.monitor(tmp_path, away(tmp_path, port)) as daemon:
        daemon.until_told("started")
        daemon.send(signal.SIGINT)
        daemon.until_told("stopping")
        code, took_s = daemon.stop()
        assert not daemon.told("stopped")
    assert code == 130
    assert took_s < 1.0
