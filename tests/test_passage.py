"""Months through the door of structured batches: the verdicts are those of frames."""

import functools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pytest

from kernels.dtypes import Reals, Records
from monitor.assess.passage import Passage
from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.verdict import Verdict
from monitor.events import Position
from monitor.parameters import Parameters
from tests import tape
from tests.stand_in import ALPHA, BETA, BookRow
from tests.tape import NS, START_S, Market, cascade, engine, lines, play

ARRAYS = (
    "contracts",
    "assets",
    "pressure",
    "shares",
    "seconds",
    "minutes",
    "sums",
    "books",
    "prices",
    "interests",
    "takers",
    "members",
    "parts",
)


class Tap(Engine):
    """An engine that keeps what its kernel is given: events, and depths by second."""

    def __init__(self) -> None:
        super().__init__((ALPHA, BETA), tape.ASSETS, Parameters(), batch=64)
        self.heard: list[Records] = []
        self.depths: list[Reals] = []

    def flush(self) -> None:
        """Keep what waits, and take it."""
        self.heard.append(self.arrays.batch[: self.waiting].copy())
        super().flush()

    def _close_second(self) -> None:
        books, begun_ns = self.arrays.books, self.second * NS
        self.depths.append(np.where(books["book_ns"] >= begun_ns, books["usd"], np.nan))
        super()._close_second()


class Lived(NamedTuple):
    """A log as frames, and all that came of it."""

    begun: bytes
    until: int
    events: Records
    depths: Reals
    verdicts: bytes
    core: Engine


def books(at_ns: int) -> Iterable[BookRow]:
    """A book in two of three seconds; it wanders, and ends short of the widest band."""
    coins = 1.0 + at_ns // NS % 7
    if at_ns // NS % 3:
        bids = tuple((60_000.0 - away, coins) for away in (10.0, 100.0, 400.0))
        asks = tuple((60_000.0 + away, coins) for away in (10.0, 100.0, 400.0))
        yield BookRow("BTC-PERP", at_ns, bids, asks)


def framed(market: Market) -> Lived:
    """Live through a market's log by frames; the door has the same from the second on."""
    core = Tap()
    first = [entry for entry in market.entries if entry.received_ns < (START_S + 1) * NS]
    play(core, first)
    core.advance((START_S + 1) * NS)
    core.heard.clear()
    core.depths.clear()
    begun = snapshot.take(core)
    verdicts = play(core, market.entries[len(first) :])
    core.advance(market.now_ns)
    verdicts += core.drain()
    return Lived(
        begun,
        market.second,
        np.concatenate(core.heard),
        np.array(core.depths),
        lines(verdicts),
        core,
    )


@functools.cache
def lived() -> Lived:
    """A cascade and its end, another of the other position, and quiet between."""
    market = cascade(Market().go(tape.WARM_S, more=books)).go(1500, more=books)
    market.go(60, drift=2e-4, forced=2.0, position=Position.SHORT, more=books)
    return framed(market.go(900, more=books))


def passed(found: Lived, chunk_s: int) -> tuple[bytes, Engine]:
    """The same through the door, in chunks."""
    core = engine()
    snapshot.restore(core, found.begun)
    door, begun = Passage(core), core.second
    verdicts: list[Verdict] = []
    for since in range(begun, found.until, chunk_s):
        until = min(found.until, since + chunk_s)
        received = found.events["received_ns"]
        here = found.events[(received >= since * NS) & (received < until * NS)]
        verdicts += door.live(here, found.depths[since - begun : until - begun], until)
    return lines(verdicts), core


def state(core: Engine) -> dict[str, bytes]:
    """Every array of an engine that its verdicts depend on, field by field."""
    arrays = {name: getattr(core.arrays, name) for name in ARRAYS}
    arrays |= {name: getattr(core.scales, name) for name in ("bins", "mass", "sampled_s")}
    found = {
        f"{name}.{field}": (array[field] if field else array).tobytes()
        for name, array in arrays.items()
        for field in array.dtype.names or ("",)
    }
    # The door knows a book's second alone.
    found["books.book_ns"] = (core.arrays.books["book_ns"] // NS).tobytes()
    return found


@pytest.mark.parametrize("chunk_s", [1, 37, 600, 10_000])
def test_the_door_gives_the_verdicts_of_frames(chunk_s: int) -> None:
    """The alert log and every array are byte-equal, however time is cut into chunks."""
    found = lived()
    verdicts, core = passed(found, chunk_s)
    assert found.verdicts.count(b"\n") == 12
    assert verdicts == found.verdicts
    assert state(core) == state(found.core)
