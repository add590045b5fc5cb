"""A real mosquitto of its own on a free loopback port, for as long as something is measured."""

import contextlib
import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from monitor.errors import MeasureError

START_S: Final = 10.0
STOP_S: Final = 5.0
_LOOK_S: Final = 0.02


def program() -> str | None:
    """Where mosquitto is, if it is installed; Debian puts it outside of a user's path."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@contextlib.contextmanager
def mosquitto(command: str) -> Iterator[int]:
    """The port of a broker that runs until the end of the block.

    Raises:
        MeasureError: It does not start.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory() as directory:
        configuration = Path(directory) / "mosquitto.conf"
        configuration.write_text(
            f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            # As in the deployment: without it an acknowledgement may wait 40 ms for company.
            f"set_tcp_nodelay true\nuser {getpass.getuser()}\n"
        )
        process = subprocess.Popen(  # noqa: S603 - the broker itself, on a file of ours
            [command, "-c", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until_open(process, port)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_open(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(_LOOK_S)
    raise MeasureError(f"expected mosquitto on port {port} within {START_S:g} s, had none")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
