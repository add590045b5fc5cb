"""Streams of events for the kernels, and the rigs that run them compiled and naively.

`TEST_EXAMPLES_PERCENT` scales how many examples hypothesis tries: the kernels' tests run a
second time without compilation, where each example costs more.
"""

import itertools
import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from kernels import context, dtypes, flow
from tests import naive, naive_context
from tests.naive import Happening

NS = 1_000_000_000
START_S = 1_700_000_000
INTEREST = 1_000.0  # coins
SCALE = 3e-4
VENUES = 2
ASSETS = 2  # on the watch list
# (asset, kind) of each contract.
CONTRACTS = (
    (0, dtypes.PERPETUAL),
    (0, dtypes.PERPETUAL),
    (0, dtypes.SPOT),
    (1, dtypes.PERPETUAL),
    (1, dtypes.DATED),
    (0, dtypes.PERPETUAL),
)
LAST_LINE = 2 * (ASSETS + 1) * VENUES
_PERCENT = int(os.environ.get("TEST_EXAMPLES_PERCENT", "100"))


def examples(number: int) -> settings:
    """So many examples, or the part of them that the environment asks for."""
    return settings(
        max_examples=max(2, number * _PERCENT // 100),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def part(number: int) -> int:
    """So many steps of a long walk, or the part of them that the environment asks for."""
    return max(1, number * _PERCENT // 100)


# Strategies.

_ODD = (0.0, -0.0, -1.0, math.nan, math.inf, -math.inf, 1e-300, 1e12)
_coins = st.one_of(st.floats(1e-3, 10.0), st.sampled_from(_ODD))
_usd = st.one_of(st.floats(0.01, 1e7), st.sampled_from((*_ODD, 1e11)))
_prices = st.one_of(st.floats(90.0, 110.0), st.sampled_from((0.0, math.nan, math.inf, -1.0)))
_interests = st.one_of(st.floats(500.0, 2_000.0), st.sampled_from((*_ODD[:-2], 1e12)))
_ages_ns = st.one_of(
    st.integers(0, 40 * NS),
    st.sampled_from(
        [age_s * NS for age_s in (0, 30, 31, 100, 3599, 3601, 20_000, 90_000, -2, -99)]
        + [30 * NS + 1]
    ),
)
_waits_ns = st.one_of(
    st.integers(0, 2 * NS), st.sampled_from((0, 0, 1, NS, 60 * NS, 61 * NS, 400 * NS))
)
_orders = st.tuples(
    st.just(dtypes.LIQUIDATION),
    st.sampled_from((0, 0, 0, 1, 3, 4, 5, -1)),
    _coins,
    _usd,
    _ages_ns,
    st.integers(0, 1),
    st.integers(0, VENUES - 1),
    st.sampled_from((1, 1, 1, 0)),
)
_rows = st.integers(0, len(CONTRACTS) - 1)


def _others(
    kind: int, a: st.SearchStrategy[float], b: st.SearchStrategy[float]
) -> st.SearchStrategy[tuple[int, int, float, float, int, int, int, int]]:
    zero = st.just(0)
    return st.tuples(st.just(kind), _rows, a, b, _ages_ns, zero, zero, st.just(1))


_any_event = st.one_of(
    _orders,
    _orders,
    _orders,
    _others(dtypes.TRADE, _coins, _prices),
    _others(dtypes.BOOK_TOP, _prices, _prices),
    _others(dtypes.MARK, _prices, _prices),
    _others(dtypes.OPEN_INTEREST, _interests, st.sampled_from((math.nan, -1.0, 0.0, 1e5))),
)


@st.composite
def streams(draw: st.DrawFn, most: int = 80) -> list[Happening]:
    """Events in the order of their arrival: late, future, twice, damaged, on and off the list."""
    now_ns = START_S * NS + draw(st.integers(0, NS - 1))
    found = [
        Happening(dtypes.OPEN_INTEREST, row, INTEREST, 0.0, now_ns, now_ns) for row in (0, 1, 3)
    ]
    for wait_ns, event in draw(st.lists(st.tuples(_waits_ns, _any_event), max_size=most)):
        now_ns += wait_ns
        kind, row, a, b, age_ns, position, venue, counts = event
        happening = Happening(kind, row, a, b, now_ns - age_ns, now_ns, position, venue, counts)
        # An order that comes twice counts twice here: repeats are dropped before the kernel.
        found.extend(itertools.repeat(happening, draw(st.sampled_from((1, 1, 1, 2)))))
    return found


def long_stream(rng: Random, seconds: int) -> list[Happening]:
    """A market of some length: quotes, marks and trades each second, gaps, and forced orders."""
    found: list[Happening] = []
    price, interest = 100.0, [INTEREST, INTEREST / 2, 0.0, INTEREST]
    silent: dict[int, int] = {}  # contract -> second until which it says nothing
    for second in range(START_S, START_S + seconds):
        price *= math.exp(rng.gauss(0.0, 2e-4))
        now_ns = second * NS
        for row in range(len(CONTRACTS)):
            if rng.random() < 0.002:
                silent[row] = second + rng.choice((5, 12, 40))
            if silent.get(row, 0) > second:
                continue
            quote = price * (1.0 + rng.gauss(0.0, 1e-4))
            now_ns += rng.randrange(1, NS // 20)
            kind = rng.choice((dtypes.BOOK_TOP, dtypes.BOOK_TOP, dtypes.MARK))
            ask = quote * 1.0001 if rng.random() > 0.01 else rng.choice((0.0, math.nan, math.inf))
            found.append(Happening(kind, row, quote, ask, now_ns, now_ns))
            coins = rng.gauss(0.0, 1.0) if rng.random() > 0.001 else math.nan
            found.append(Happening(dtypes.TRADE, row, coins, quote, now_ns, now_ns))
        for row in (0, 1, 3):
            if rng.random() < 0.2:
                interest[row] *= math.exp(rng.gauss(0.0, 1e-4))
                at_ns = now_ns - rng.randrange(5 * NS)
                found.append(
                    Happening(dtypes.OPEN_INTEREST, row, interest[row], 0.0, at_ns, now_ns)
                )
        for _ in range(rng.choice((0, 0, 0, 0, 1, 4))):
            row, coins = rng.choice((0, 1, 3, -1)), rng.paretovariate(1.2) * 0.05
            age_ns = rng.choice((0, 0, 0, rng.randrange(60 * NS)))
            found.append(
                Happening(
                    dtypes.LIQUIDATION,
                    row,
                    coins,
                    coins * price,
                    now_ns - age_ns,
                    now_ns,
                    rng.randrange(2),
                    rng.randrange(VENUES),
                )
            )
    return found


# Rigs.


def pack(events: Sequence[Happening]) -> npt.NDArray[np.void]:
    """Events as the kernel takes them."""
    records = np.zeros(len(events), dtypes.event_dtype)
    for place, event in enumerate(events):
        for name, value in event._asdict().items():
            records[name][place] = value
    return records


class Rig:
    """The kernels' arrays, and the loop that runs kernels over a stream."""

    def __init__(self, limits: naive.Limits | None = None, start_s: int = START_S) -> None:
        rows = ASSETS + 1
        limits = limits or naive.Limits()
        self.second = start_s
        self.contracts = np.zeros(len(CONTRACTS), dtypes.contract_dtype)
        for row, (asset, kind) in enumerate(CONTRACTS):
            self.contracts[row]["asset"], self.contracts[row]["kind"] = asset, kind
        self.contracts["live"] = 1
        self.contracts["interest"] = np.nan
        self.assets = np.zeros(rows, dtypes.asset_dtype)
        for name in ("interest", "price", "spot_price"):
            self.assets[name] = np.nan
        self.assets["interest_index"] = 1.0
        self.assets["scale"] = SCALE
        self.pressure = np.zeros(2 * rows, dtypes.pressure_dtype)
        self.shares = np.zeros((2 * rows, 64))
        self.seconds = np.zeros((LAST_LINE, dtypes.SECONDS_HELD), dtypes.bucket_dtype)
        self.minutes = np.zeros((LAST_LINE, dtypes.MINUTES_HELD), dtypes.bucket_dtype)
        self.sums = np.zeros((LAST_LINE, len(dtypes.WINDOWS_S)), dtypes.sum_dtype)
        self.books = np.zeros((len(CONTRACTS), len(dtypes.BANDS_BP)), dtypes.book_dtype)
        self.books["usd"] = np.nan
        self.prices = np.full((rows, dtypes.CONTEXT_HELD), np.nan)
        self.interests = np.full((rows, dtypes.CONTEXT_HELD), np.nan)
        self.takers = np.zeros((rows, dtypes.CONTEXT_HELD))
        self.room = (
            np.zeros(len(CONTRACTS)),
            np.zeros(len(CONTRACTS)),
            np.zeros(len(CONTRACTS)),
            np.zeros(len(CONTRACTS) + ASSETS + 1, np.int64),
        )
        self.limits = np.zeros(1, dtypes.limits_dtype)
        for name in ("drain_per_s", "contract_cap", "asset_cap", "full_level", "late_ns"):
            self.limits[name] = getattr(limits, name)
        for number, tier in enumerate(limits.tiers, start=1):
            self.limits[f"tier_{number}"] = tier
        self.limits["venues"], self.limits["other"] = VENUES, ASSETS

    def ingest(self, events: npt.NDArray[np.void]) -> list[int]:
        """Take a batch; places of the orders that crossed a tier."""
        crossed, taken = [], 0
        while taken < len(events):
            # Without compilation numpy's scalars warn where compiled code follows IEEE in silence.
            with np.errstate(all="ignore"):
                taken = 1 + flow.ingest(
                    events,
                    taken,
                    len(events),
                    self.second,
                    self.contracts,
                    self.assets,
                    self.pressure,
                    self.seconds,
                    self.minutes,
                    self.sums,
                    self.limits,
                )
            if taken <= len(events):
                crossed.append(taken - 1)
        return crossed

    def close_second(self) -> None:
        """End the second that runs and begin the next."""
        flow.close_second(self.second, self.assets, self.pressure, self.shares, self.limits)
        with np.errstate(all="ignore"):
            context.close_second(
                self.second,
                self.contracts,
                self.assets,
                self.books,
                self.prices,
                self.interests,
                self.takers,
                *self.room,
            )
        self.roll()

    def roll(self) -> None:
        """Begin the next second."""
        self.second += 1
        flow.roll(self.second, self.seconds, self.minutes, self.sums)

    def run(
        self,
        events: Iterable[Happening],
        sizes: Iterator[int],
        each_second: Callable[[], None] = lambda: None,
    ) -> list[Happening]:
        """Run a stream cut into batches of these sizes; the orders that crossed a tier."""
        crossed: list[Happening] = []
        waiting: list[Happening] = []
        size = next(sizes)

        def flush() -> None:
            crossed.extend(waiting[place] for place in self.ingest(pack(waiting)))
            waiting.clear()

        for event in events:
            while event.received_ns >= (self.second + 1) * NS:
                flush()
                self.close_second()
                each_second()
            waiting.append(event)
            if len(waiting) >= size:
                flush()
                size = next(sizes)
        flush()
        return crossed

    def everything(self) -> dict[str, bytes]:
        """Every array that holds state, to the last bit."""
        names = ("contracts", "assets", "pressure", "shares", "seconds", "minutes", "sums")
        more = ("books", "prices", "interests", "takers")
        return {name: getattr(self, name).tobytes() for name in (*names, *more)}


class Twin:
    """The naive flow and context of the same world."""

    def __init__(self, limits: naive.Limits | None = None, start_s: int = START_S) -> None:
        self.second = start_s
        self.flow = naive.Flow(
            [naive.Contract(asset, kind) for asset, kind in CONTRACTS],
            [naive.Asset(SCALE) for _ in range(ASSETS + 1)],
            VENUES,
            limits or naive.Limits(),
        )
        self.context = naive_context.Context(self.flow)

    def run(
        self, events: Iterable[Happening], each_second: Callable[[], None] = lambda: None
    ) -> list[Happening]:
        """Run a stream event by event; the orders that crossed a tier."""
        crossed = []
        for event in events:
            while event.received_ns >= (self.second + 1) * NS:
                self.flow.close_second(self.second)
                self.context.close_second(self.second)
                self.second += 1
                each_second()
            if self.flow.take(event, self.second):
                crossed.append(event)
        return crossed


# Small worlds for single rules.


def order(
    second: float,
    *,
    coins: float = 0.1,
    usd: float = 10.0,
    row: int = 0,
    late_s: float = 0.0,
    position: int = 0,
    venue: int = 0,
    counts: int = 1,
) -> Happening:
    """A forced order received so many seconds after the start."""
    received_ns = START_S * NS + round(second * NS)
    event_ns = received_ns - round(late_s * NS)
    return Happening(
        dtypes.LIQUIDATION, row, coins, usd, event_ns, received_ns, position, venue, counts
    )


def interest(second: float, coins: float = INTEREST, row: int = 0) -> Happening:
    """Open interest of a contract so many seconds after the start."""
    at_ns = START_S * NS + round(second * NS)
    return Happening(dtypes.OPEN_INTEREST, row, coins, 0.0, at_ns, at_ns)


def played(*events: Happening, until_s: int = 0) -> Rig:
    """A rig that has taken these events and every second before `until_s`."""
    rig = Rig()
    rig.run(events, itertools.repeat(256))
    while rig.second < START_S + until_s:
        rig.close_second()
    return rig


def sums(rig: Rig, line: int = 0) -> dict[int, tuple[int, int]]:
    """Micro-dollars and orders of each window of a line."""
    found = rig.sums[line]
    return {
        window_s: (int(found["usd"][w]), int(found["orders"][w]))
        for w, window_s in enumerate(dtypes.WINDOWS_S)
    }
