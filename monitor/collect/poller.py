"""What is asked for over REST: the program's HTTP client.

Every answer goes into the log, and so does every failure to get one. Requests keep within the
venue's weight budget and stop altogether for as long as it asks. Periods, budget and holds run
on the market clock, where the venue lives; only the deadline of an answer is wall time.
"""

from asyncio import Semaphore
from collections.abc import Mapping
from http import HTTPStatus
from random import Random

import aiohttp

from monitor.clock import NS, MarketClock
from monitor.collect.budget import Patience, Window, retry_after_s
from monitor.collect.endpoints import routed
from monitor.collect.log import Log
from monitor.events import Answer
from monitor.venues.contract import Poll, Venue

_MINUTE_S = 60.0
# Binance bans for up to three days with 418; asking once an hour does not prolong it.
_LONGEST_HOLD_S = 3600.0
_SLOW_DOWN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.IM_A_TEAPOT})
_REASON_BYTES = 1024
_WORDS_BYTES = 100
# The first request of a poll comes within this, so that an hourly one is not missed for long.
_FIRST_S = 10.0
_JITTER = 0.05


class Poller:
    """Asks one venue, within its limits.

    Attributes:
        failures: Requests without a good answer since the start.
        last_error: Why the last of them had none; empty when none failed yet.
    """

    def __init__(
        self,
        venue: Venue,
        log: Log,
        clock: MarketClock,
        http: aiohttp.ClientSession,
        endpoints: Mapping[str, str],
        rng: Random,
        patience: Patience,
    ) -> None:
        self.failures = 0
        self.last_error = ""
        self._venue = venue
        self._log = log
        self._clock = clock
        self._http = http
        self._endpoints = endpoints
        self._rng = rng
        self._patience = patience
        self._weights = Window(venue.limits.rest_weight_per_min, _MINUTE_S)
        self._slots = Semaphore(patience.answers_at_once)
        self._held_until_s = 0.0

    async def fetch(self, poll: Poll) -> Answer:
        """One request, as soon as the budget allows; its answer or failure is in the log."""
        async with self._slots:
            await self._turn(poll.weight)
            status, body = await self._get(routed(poll.url, self._endpoints))
        if status != HTTPStatus.OK:
            self.failures += 1
            self.last_error = (
                f"{poll.name} {poll.key}: {status} {body[:100].decode(errors='replace')}"
            )
        return self._log.answer(self._venue.name, poll.name, poll.key, status, body)

    async def repeat(self, poll: Poll) -> None:
        """Request it for ever, once a period; one that was missed is not made up for."""
        await self._clock.sleep(self._rng.uniform(0.0, min(poll.period_s, _FIRST_S)))
        due_s = self._now_s()
        while True:
            await self.fetch(poll)
            due_s += poll.period_s * self._rng.uniform(1.0 - _JITTER, 1.0 + _JITTER)
            due_s = max(due_s, self._now_s())
            await self._clock.sleep(due_s - self._now_s())

    async def _turn(self, weight: int) -> None:
        await self._clock.sleep(self._weights.reserve(self._now_s(), weight))
        while (wait_s := self._held_until_s - self._now_s()) > 0.0:
            await self._clock.sleep(wait_s)

    async def _get(self, url: str) -> tuple[int, bytes]:
        """Status and body; status 0 and the reason when there was no answer."""
        most = self._patience.max_answer_bytes
        body = bytearray()
        try:
            async with self._http.get(url) as response:
                if response.status != HTTPStatus.OK:
                    self._hold(response)
                    return response.status, await response.content.read(_REASON_BYTES)
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > most:
                        return 0, b"answer of more than %d bytes" % most
        except TimeoutError:
            return 0, b"no answer in %g s" % self._patience.answer_timeout_s
        except (aiohttp.ClientError, OSError) as error:
            return 0, f"no answer: {error}".encode()
        return response.status, bytes(body)

    def _hold(self, response: aiohttp.ClientResponse) -> None:
        if response.status in _SLOW_DOWN:
            asked_s = retry_after_s(response.headers.get("Retry-After")) or _MINUTE_S
            self._held_until_s = self._now_s() + min(asked_s, _LONGEST_HOLD_S)

    def _now_s(self) -> float:
        return self._log.now_ns() / NS
