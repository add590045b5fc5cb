"""One venue, kept: its listings first, then its connections and polls as they follow from them.

After each listing the venue is asked for its plan again, and only what differs is changed: new
instruments are subscribed and delisted ones dropped on the living connections. Trouble that is
expected (refusals, broken connections, silence) is retried inside and never leaves; so one
venue's trouble cannot stop another. Anything else is a bug and does leave.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from http import HTTPStatus
from random import Random

import aiohttp
import msgspec

from monitor.clock import NS, MarketClock
from monitor.collect.budget import Backoff, Patience, Window
from monitor.collect.endpoints import is_loopback, routed
from monitor.collect.keeper import Keeper, SessionStatus
from monitor.collect.log import Log
from monitor.collect.poller import Poller
from monitor.collect.websocket import USER_AGENT
from monitor.instruments import InstrumentTable
from monitor.venues.contract import Poll, Session, Venue

_FIVE_MINUTES_S = 300.0
_JITTER = 0.1


class VenueStatus(msgspec.Struct, frozen=True):
    """How one venue is doing.

    Attributes:
        venue: Its name.
        sessions: How each of its sessions is doing, by name.
        planned: Whether it was ever planned; not before its first listing.
        rest_failures: REST requests without a good answer since the start.
        rest_error: Why the last of them had none; empty when none failed yet.
    """

    venue: str
    sessions: tuple[SessionStatus, ...]
    planned: bool
    rest_failures: int
    rest_error: str


class VenueCollector:
    """Collects everything of one venue into the log, as long as `run` does.

    `table` is filled by the log's core as listings arrive; one restored from a state snapshot
    is planned from at once. `endpoints` is described at `monitor.collect.endpoints.routed`.
    """

    def __init__(
        self,
        venue: Venue,
        table: InstrumentTable,
        watch: frozenset[str],
        log: Log,
        clock: MarketClock,
        endpoints: Mapping[str, str],
        rng: Random,
        patience: Patience = Patience(),  # noqa: B008 - a frozen value
    ) -> None:
        self._venue = venue
        self._table = table
        self._watch = watch
        self._log = log
        self._clock = clock
        self._endpoints = endpoints
        self._rng = rng
        self._patience = patience
        self._connects = Window(venue.limits.connects_per_5min, _FIVE_MINUTES_S)
        self._backoff = Backoff(patience.backoff_base_s, patience.backoff_cap_s, rng)
        self._refresh = asyncio.Event()
        self._keepers: dict[str, tuple[Keeper, asyncio.Task[None]]] = {}
        self._polls: dict[tuple[str, str], tuple[Poll, asyncio.Task[None]]] = {}
        self._poller: Poller | None = None
        self._planned = False

    @property
    def status(self) -> VenueStatus:
        """How it is doing now."""
        poller = self._poller
        return VenueStatus(
            self._venue.name,
            tuple(self._keepers[name][0].status for name in sorted(self._keepers)),
            self._planned,
            0 if poller is None else poller.failures,
            "" if poller is None else poller.last_error,
        )

    def refresh_listings(self) -> None:
        """List the instruments soon, since one came that is not known.

        However often it is called, that happens once in `patience.refresh_every_s`.
        """
        self._refresh.set()

    async def run(self) -> None:
        """Collect; only bugs and cancellation end this."""
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._patience.answer_timeout_s),
                headers={"User-Agent": USER_AGENT},
                trust_env=not self._on_loopback(),
            ) as http,
            asyncio.TaskGroup() as group,
        ):
            poller = Poller(
                self._venue,
                self._log,
                self._clock,
                http,
                self._endpoints,
                self._rng,
                self._patience,
            )
            self._poller = poller
            if len(self._table) > 0:
                self._replan(group, poller)
            await self._keep_listed(group, poller)

    def _on_loopback(self) -> bool:
        """Whether REST goes to this machine, where no proxy may come between."""
        return all(is_loopback(routed(poll.url, self._endpoints)) for poll in self._venue.listings)

    async def _keep_listed(self, group: asyncio.TaskGroup, poller: Poller) -> None:
        refreshed_s = 0.0
        while True:
            await self._list(group, poller)
            period_s = min((poll.period_s for poll in self._venue.listings), default=3600.0)
            period_s *= self._rng.uniform(1.0 - _JITTER, 1.0 + _JITTER)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._clock.wall_s(period_s)):
                    await self._refresh.wait()
                    now_s = self._log.now_ns() / NS
                    await self._clock.sleep(refreshed_s + self._patience.refresh_every_s - now_s)
                    refreshed_s = self._log.now_ns() / NS
            self._refresh.clear()

    async def _list(self, group: asyncio.TaskGroup, poller: Poller) -> None:
        """List every product, the failed ones again, and plan after each round."""
        pending = self._venue.listings
        while True:
            async with asyncio.TaskGroup() as requests:
                tasks = [
                    (poll, requests.create_task(poller.fetch(poll), name=self._name(poll.key)))
                    for poll in pending
                ]
            pending = tuple(
                poll
                for poll, task in tasks
                if task.result().status != HTTPStatus.OK or not self._lists(poll.key)
            )
            if len(self._table) > 0:
                self._replan(group, poller)
            if not pending:
                break
            await asyncio.sleep(self._backoff.next_s())
        self._backoff.reset()

    def _lists(self, product: str) -> bool:
        return any(instrument.product == product for instrument in self._table)

    def _replan(self, group: asyncio.TaskGroup, poller: Poller) -> None:
        self._planned = True
        self._keep(group, self._venue.plan(self._table, self._watch))
        self._poll(group, poller, self._venue.polls(self._table, self._watch))

    def _keep(self, group: asyncio.TaskGroup, sessions: tuple[Session, ...]) -> None:
        for name in self._keepers.keys() - {session.name for session in sessions}:
            self._keepers.pop(name)[1].cancel()
        for session in sessions:
            if session.name in self._keepers:
                self._keepers[session.name][0].update(session)
                continue
            keeper = Keeper(
                self._venue,
                session,
                self._log,
                self._connects,
                self._endpoints,
                self._rng,
                self._patience,
            )
            task = group.create_task(keeper.run(), name=self._name(session.name))
            self._keepers[session.name] = (keeper, task)

    def _poll(self, group: asyncio.TaskGroup, poller: Poller, polls: tuple[Poll, ...]) -> None:
        wanted = {(poll.name, poll.key): poll for poll in polls}
        for place, (poll, task) in list(self._polls.items()):
            if wanted.get(place) != poll:
                task.cancel()
                del self._polls[place]
        for place, poll in wanted.items():
            if place not in self._polls:
                name = self._name(f"{poll.name}-{poll.key}")
                task = group.create_task(poller.repeat(poll), name=name)
                self._polls[place] = (poll, task)

    def _name(self, what: str) -> str:
        return f"collect:{self._venue.name}/{what}"
