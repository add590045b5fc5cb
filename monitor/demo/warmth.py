"""Warms a detector: what it would know, had it watched this market for two weeks.

A detector judges an asset by its own past: two weeks for its scale, ten minutes for its
confirmers. Nobody waits that long for a demo, so an engine lives through the market's last
minutes at once, as the venues would have shown them: the same seeded market, the same frames,
the same Readers, only no sockets. The two weeks before are stood for by what the same regime made
of two weeks with its usual shocks, printed by the same rules, as it was measured once: assets
of one regime differ by chance alone. What comes out is an ordinary state snapshot, restored the
ordinary way.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec
import numpy as np

from monitor.clock import NS
from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.scale import DAY_S, SAMPLE_S, Scales
from monitor.events import Answer, Book, Fact, FactKind, MarketEvent
from monitor.simulate.client import endpoint_of
from monitor.simulate.contract import Market
from monitor.simulate.hosts import ORIGINS, wire_of
from monitor.simulate.wire import VenueWire, schedule
from monitor.simulate.wire_binance import BinanceWire
from monitor.simulate.wire_bybit import BybitWire
from monitor.simulate.wire_okx import OkxWire
from monitor.venues.contract import Poll, Venue

# Quantiles of the printed share of 60 seconds, over 24 fortnights of one asset in the crowded
# regime; the test measures a few of them again. Most of the time nothing is forced at all.
SHARES: Final = (
    (0.0, 0.0),
    (0.94, 0.0),
    (0.95, 1.8e-6),
    (0.96, 9.6e-6),
    (0.97, 2.5e-5),
    (0.98, 5.8e-5),
    (0.99, 1.34e-4),
    (0.995, 2.24e-4),
    (0.998, 3.9e-4),
    (0.999, 5.5e-4),
    (1.0, 3e-3),
)
# The same fortnights: what was printed in busy quarter hours, and by how much open interest
# fell in them, as shares of it.
PRINTED, FALLEN = 0.16, 0.57
GRID: Final = 1009  # points that stand for all samples; a prime, so no quantile falls between two

SLICE_NS: Final = NS // 4  # frames of a slice are received at its end
POLL_S: Final = 10  # between two requests for a contract's open interest
# Depth is compared with its mean, which needs no more than a look now and then.
BOOKS_FOR_S, BOOKS_EVERY_S = 6, 12


class Reached(msgspec.Struct, frozen=True):
    """A poll's address, taken apart as the simulation wants it."""

    venue: Venue
    poll: Poll
    host: str
    path: str
    query: Mapping[str, str]


class Past:
    """The last seconds of a market, shown to an engine.

    Attributes:
        frames: Frames shown so far.
    """

    def __init__(self, engine: Engine, market: Market) -> None:
        self.frames = 0
        self._engine = engine
        self._market = market
        listed = market.listing()
        self._wires: dict[str, VenueWire] = {
            "binance": BinanceWire([i for i in listed if wire_of(i.venue) == "binance"]),
            "bybit": BybitWire([i for i in listed if wire_of(i.venue) == "bybit"]),
            "okx": OkxWire([i for i in listed if wire_of(i.venue) == "okx"]),
        }
        self._subscribers: dict[tuple[str, str], list[int]] = {}
        self._polls: list[Reached] = []

    def live(self, seconds: int) -> Iterator[int]:
        """Live through that many seconds; gives how many are lived through, one by one.

        At the end no connection is open and no stream known: a daemon that takes over makes
        its own.
        """
        engine, epoch_ns = self._engine, self._market.epoch_ns
        self._connect(epoch_ns)
        for index in range(seconds):
            self._second(index)
            if index % POLL_S == 0:
                for reached in self._polls:
                    self._ask(reached, epoch_ns + (index + 1) * NS)
            yield index + 1
        engine.advance(epoch_ns + seconds * NS)
        engine.flush()
        engine.connections.clear()
        engine.feeds.streams.clear()

    def _connect(self, now_ns: int) -> None:
        """List what is traded, and open every connection that the venues' plans ask for."""
        engine = self._engine
        watch = frozenset(engine.watch.assets)
        engine.fact(Fact(now_ns, 0, "", "", FactKind.STARTED))
        number = 0
        for venue in engine.venues.values():
            for poll in venue.listings:
                self._ask(_reached(venue, poll), now_ns)
            for session in venue.plan(engine.tables[venue.name], watch):
                number += 1
                kind = FactKind.CONNECTED
                engine.fact(Fact(now_ns, number, venue.name, session.name, kind))
                prefix, path, _ = _apart(session.url)
                endpoint, _ = endpoint_of(prefix + path, "")
                for topic in session.topics:
                    self._subscribers.setdefault((endpoint, topic), []).append(number)
            polls = venue.polls(engine.tables[venue.name], watch)
            self._polls += [_reached(venue, poll) for poll in polls]

    def _ask(self, reached: Reached, now_ns: int) -> None:
        venue, poll = reached.venue, reached.poll
        said = self._wires[wire_of(venue.name)].get(
            reached.host, reached.path, reached.query, now_ns
        )
        answer = Answer(now_ns, venue.name, poll.name, poll.key, said.status, said.body)
        self._engine.answer(answer)

    def _second(self, index: int) -> None:
        slices: dict[int, dict[str, list[MarketEvent]]] = {}
        with_books = index % BOOKS_EVERY_S < BOOKS_FOR_S
        for due_ns, event in schedule(self._market.second(index)):
            if with_books or not isinstance(event, Book):
                ends_ns = (due_ns // SLICE_NS + 1) * SLICE_NS
                by_wire = slices.setdefault(ends_ns, {})
                by_wire.setdefault(wire_of(event.instrument.venue), []).append(event)
        for ends_ns, by_wire in slices.items():
            for name, events in by_wire.items():
                for frame in self._wires[name].frames(events, self._wanted):
                    for number in self._subscribers[frame.endpoint, frame.topic]:
                        self.frames += 1
                        self._engine.frame(number, ends_ns - 1, frame.payload)

    def _wanted(self, endpoint: str, topic: str) -> bool:
        return (endpoint, topic) in self._subscribers


def warm(engine: Engine, market: Market, seconds: int) -> Iterator[int]:
    """Give an engine two weeks of scale and let it live through a market's first seconds."""
    give_scale(engine.scales)
    yield from Past(engine, market).live(seconds)


def state(engine: Engine) -> bytes:
    """The snapshot of a warm engine, for a state file."""
    return snapshot.take(engine)


def give_scale(scales: Scales) -> None:
    """Two weeks of forced 60-s shares for every asset, so that its scale is its own."""
    at = (np.arange(GRID) + 0.5) / GRID
    levels, shares = zip(*SHARES, strict=True)
    for share in np.interp(at, levels, shares):
        scales.sample(np.full((len(scales.mass), 2), share))
    two_weeks = scales.parameters.scale_days * DAY_S
    repeats = math.ceil(two_weeks / (GRID * SAMPLE_S))
    scales.bins *= repeats
    scales.mass *= repeats
    scales.sampled_s *= repeats
    scales.falls["printed"], scales.falls["fallen"] = PRINTED, FALLEN


def _reached(venue: Venue, poll: Poll) -> Reached:
    return Reached(venue, poll, *_apart(poll.url))


def _apart(url: str) -> tuple[str, str, dict[str, str]]:
    """Prefix that stands for the origin, path and query of a real venue's address."""
    parts = urlsplit(url)
    return ORIGINS[f"{parts.scheme}://{parts.netloc}"], parts.path, dict(parse_qsl(parts.query))
