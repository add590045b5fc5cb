"""Keeps one session connected, for ever: retries, rotation, and the change of topics.

A new connection is opened before the one it replaces is closed, so a rotation or a planned
restart of the venue leaves no hole; the detector drops what both of them deliver. Retries are
jittered, back off to a minute, and draw on the venue's budget of connects; only a useful frame
resets them, since a handshake proves nothing.
"""

import asyncio
from collections.abc import Mapping
from random import Random

import msgspec

from monitor.collect.budget import Backoff, Patience, Window
from monitor.collect.connection import Connection
from monitor.collect.endpoints import routed
from monitor.collect.log import Log
from monitor.venues.contract import Session, Venue


class SessionStatus(msgspec.Struct, frozen=True):
    """How one session is doing.

    Attributes:
        session: Its name within the venue.
        connection: Number of its newest connection; 0 before the first.
        flowing: Whether that connection has delivered a useful frame and is not over.
        connects: Connections attempted since the start.
        attempts: Retries since the last useful frame.
        wait_s: Wall seconds being waited before the next attempt; 0 when none is.
        last_error: Why the last connection that ended did; empty when none has.
        since_ns: Market time of the last change of any of these.
    """

    session: str
    connection: int = 0
    flowing: bool = False
    connects: int = 0
    attempts: int = 0
    wait_s: float = 0.0
    last_error: str = ""
    since_ns: int = 0


class Keeper:
    """Keeps one session of a venue connected as long as `run` does."""

    def __init__(
        self,
        venue: Venue,
        session: Session,
        log: Log,
        connects: Window,
        endpoints: Mapping[str, str],
        rng: Random,
        patience: Patience,
    ) -> None:
        self.status = SessionStatus(session.name)
        self._venue = venue
        self._session = session
        self._log = log
        self._connects = connects
        self._endpoints = endpoints
        self._rng = rng
        self._patience = patience
        self._backoff = Backoff(patience.backoff_base_s, patience.backoff_cap_s, rng)
        self._current: Connection | None = None

    def update(self, session: Session) -> None:
        """Want this from now on: other topics in place, another address by reconnecting."""
        moved = session.url != self._session.url
        self._session = session
        if self._current is None:
            return
        if moved:
            self._current.leave("moved to another address")
        else:
            self._current.update(session)

    async def run(self) -> None:
        """Keep it connected; only bugs and cancellation end this."""
        async with asyncio.TaskGroup() as group:
            elder: Connection | None = None
            ended: Connection | None = None
            first = True
            while True:
                await self._pause(first, ended)
                first = False
                current = self._open(group)
                await current.settled.wait()
                if current.useful:
                    self._backoff.reset()
                    self._tell(flowing=not current.ended, attempts=0)
                    if elder is not None:
                        elder.retire()
                        elder = None
                    await current.leaving.wait()
                if current.ended:
                    ended = current
                    self._tell(flowing=False, last_error=current.detail)
                else:
                    ended = None
                    elder = self._elder(elder, current)

    def _elder(self, elder: Connection | None, current: Connection) -> Connection:
        """The connection that goes on until the next one delivers: one is enough."""
        if elder is None or elder.ended:
            return current
        current.retire()
        return elder

    def _open(self, group: asyncio.TaskGroup) -> Connection:
        session = self._session
        current = Connection(
            self._log.new_connection(),
            self._venue,
            session,
            routed(session.url, self._endpoints),
            self._log,
            self._rng,
            self._patience,
        )
        self._current = current
        self._tell(connection=current.id, flowing=False, connects=self.status.connects + 1)
        group.create_task(
            current.run(), name=f"collect:{self._venue.name}/{session.name}#{current.id}"
        )
        return current

    async def _pause(self, first: bool, ended: Connection | None) -> None:
        asked_s = ended.retry_after_s if ended is not None else 0.0
        if not first:
            await self._wait(self._backoff.next_s(asked_s))
        # Booked only now: a session that backs off must not hold up its neighbours.
        await self._wait(self._connects.reserve(asyncio.get_running_loop().time()))

    async def _wait(self, wait_s: float) -> None:
        if wait_s > 0.0:
            self._tell(attempts=self._backoff.attempts, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            self._tell(wait_s=0.0)

    def _tell(self, **changes: float | str | bool) -> None:
        self.status = msgspec.structs.replace(self.status, since_ns=self._log.now_ns(), **changes)
