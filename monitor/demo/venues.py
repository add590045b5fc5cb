"""The simulated venues, in a process of their own: they speak, the daemon listens.

The process is `liqmon simulate --serve`. It has made the market's past before it says where it
listens; then time stands still there until it is told the wall time of the start.
"""

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from monitor.demo.child import Child
from monitor.demo.plan import ASSET, EPOCH_NS, ONSET_S, PAST_S, SCENARIO, Plan
from monitor.errors import VenueError

READY_S: Final = 60.0
ANSWER_S: Final = 5.0


class Listening(msgspec.Struct, frozen=True):
    """Where the venues listen: the port, and an address for each real origin."""

    port: int
    endpoints: dict[str, str]


class Truth(msgspec.Struct, frozen=True):
    """What really happened in one cascade, as `GET /truth` tells it."""

    asset: str
    position: str
    onset_time_ms: int
    end_time_ms: int
    forced_usd: float


class SimulatedVenues:
    """The process; an asynchronous context from its start to its end."""

    def __init__(self, plan: Plan, directory: Path) -> None:
        options = {
            "--seed": plan.seed,
            "--speed": plan.speed,
            "--epoch-ns": EPOCH_NS,
            "--past": PAST_S,
            "--onset": ONSET_S,
            "--asset": ASSET,
        }
        command = [sys.executable, "-m", "monitor", "simulate", SCENARIO, "--serve"]
        command += [f"{name}={value}" for name, value in options.items()]
        self._child = Child([*command, "--start-on-stdin"], directory / "venues.log")
        self._port = 0

    async def __aenter__(self) -> Self:
        """Start it; it makes the market's past meanwhile."""
        await self._child.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        await self._child.__aexit__(kind, error, traceback)

    async def listening(self) -> Listening:
        """Wait until the past is made, and say where it listens.

        Raises:
            VenueError: It did not come up.
        """
        try:
            async with asyncio.timeout(READY_S):
                found = msgspec.json.decode(await self._child.line(), type=Listening)
        except (TimeoutError, msgspec.DecodeError) as error:
            raise VenueError(
                f"demo: expected the simulated venues to listen, was: {self._child.last_words()}"
            ) from error
        self._port = found.port
        return found

    def start(self, start_ns: int) -> None:
        """Let the market go on at this wall time."""
        self._child.say(b"%d\n" % start_ns)

    async def watch(self) -> None:
        """Wait for what must not happen: that it ends while it is needed.

        Raises:
            VenueError: It has ended.
        """
        code = await self._child.ended()
        raise VenueError(
            f"demo: expected the simulated venues to go on, was: exit {code}, "
            f"{self._child.last_words()}"
        )

    async def truth(self) -> list[Truth]:
        """What really was forced so far; empty where it does not answer."""
        address = f"http://127.0.0.1:{self._port}/truth"
        timeout = aiohttp.ClientTimeout(total=ANSWER_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(address) as answer:
                return msgspec.json.decode(await answer.read(), type=list[Truth])
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
            return []
