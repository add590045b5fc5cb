"""Slow, obvious twins of every kernel: lists, dicts and definitions instead of rings and sums.

Nothing here is clever. Where a kernel keeps a running sum, its twin adds up what it remembers;
where a kernel walks a ring, its twin looks into a dict by second. Floats are added in the same
order as in the kernel where the results have to be equal to the last bit.
"""

import bisect
import math
import statistics
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

NS = 1_000_000_000
NAN = math.nan
LIQUIDATION, TRADE, BOOK_TOP, MARK, OPEN_INTEREST = range(5)
PERPETUAL, SPOT, DATED = range(3)
MOST_MICRO_USD = 10**16
MEMORY_S = 3600
LEAST_SAMPLES = 600  # of a mean, before anything is compared with it


class Happening(NamedTuple):
    """One event of a batch."""

    kind: int
    row: int
    a: float
    b: float
    event_ns: int
    received_ns: int
    position: int = 0
    venue: int = 0
    counts: int = 1


class Limits(NamedTuple):
    """Drain, caps and tiers in own scales; age beyond which an order is late."""

    drain_per_s: float = 0.25 / 60.0
    full_level: float = 12.0
    contract_cap: float = 0.5
    asset_cap: float = 2.5
    tiers: tuple[float, float, float] = (3.0, 4.0, 6.0)
    late_ns: int = 30 * NS


class Contract:
    """A contract's last quote, mark and open interest, and what it added in each second."""

    def __init__(self, asset: int, kind: int) -> None:
        self.asset = asset
        self.kind = kind
        self.live = True
        self.bid = self.ask = self.mark = 0.0
        self.quote_ns = self.mark_ns = self.interest_ns = 0
        self.interest = NAN
        self.added: dict[tuple[int, int], float] = defaultdict(float)  # (second, position)


class Mean:
    """Mean and variance that forget with a memory of an hour; plain ones until they have it."""

    def __init__(self) -> None:
        self.n = 0
        self.mean = self.var = 0.0

    def z(self, value: float) -> float:
        """How many sigmas a value is off, once the history suffices."""
        if self.n < LEAST_SAMPLES or not self.var > 0.0:
            return NAN
        return (value - self.mean) / math.sqrt(self.var)

    def add(self, value: float) -> None:
        """Take a value in."""
        weight = max(1.0 / MEMORY_S, 1.0 / (self.n + 1.0))
        off = value - self.mean
        self.mean += weight * off
        self.var = (1.0 - weight) * (self.var + weight * off * off)
        self.n += 1


class Asset:
    """An asset's open interest, flow and context; histories are dicts by second."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.interest = NAN
        self.interest_index = 1.0
        self.taker_usd = self.spot_taker_usd = 0.0
        self.price = self.spot_price = NAN
        self.price_second = 0
        self.return_var, self.return_n = 0.0, 0
        self.price_z60 = self.price_z300 = self.basis = self.basis_z = self.taker_z = NAN
        self.depth_ratio = self.interest_change_5m = self.interest_age_s = NAN
        self.depth_band = -1
        self.basis_history = Mean()
        self.taker_history = Mean()
        self.prices: dict[int, float] = {}
        self.interests: dict[int, float] = {}
        self.takers: dict[int, float] = {}


class Ladder:
    """One asset's forced flow of one position."""

    def __init__(self) -> None:
        self.bucket = 0.0
        self.bucket_ns = 0
        self.tier = 0
        self.added: dict[int, float] = defaultdict(float)
        self.share: dict[int, float] = defaultdict(float)
        self.pushes: list[tuple[int, float]] = []  # (received, share)
        self.share_total, self.usd_total, self.orders_total = 0.0, 0, 0
        self.start_share, self.start_usd, self.start_orders = 0.0, 0, 0
        self.minute: deque[float] = deque(maxlen=60)
        self.share_60s = 0.0
        self.no_interest = self.late = 0

    def excited(self, tau_s: float, now_ns: int) -> float:
        """Sum of all shares, each faded since it came."""
        return math.fsum(x * math.exp((ns - now_ns) * 1e-9 / tau_s) for ns, x in self.pushes)


class Flow:
    """Twin of kernels.flow; `orders` keeps every order of every line."""

    def __init__(
        self, contracts: Sequence[Contract], assets: Sequence[Asset], venues: int, limits: Limits
    ) -> None:
        self.contracts = contracts
        self.assets = assets  # the last one is everything off the watch list
        self.venues = venues
        self.limits = limits
        self.ladders = [Ladder() for _ in range(2 * len(assets))]
        self.orders: dict[int, list[tuple[int, int]]] = defaultdict(list)  # (second, micro-USD)

    def take(self, event: Happening, second: int) -> bool:
        """Take one event; whether it lifted a bucket through a tier."""
        if event.kind == LIQUIDATION:
            return self._order(event, second)
        contract = self.contracts[event.row]
        asset = self.assets[contract.asset]
        if event.kind == BOOK_TOP:
            contract.bid, contract.ask, contract.quote_ns = event.a, event.b, event.received_ns
        elif event.kind == MARK:
            contract.mark, contract.mark_ns = event.a, event.received_ns
        elif event.kind == TRADE:
            usd = event.a * event.b
            if not math.isfinite(usd):
                return False
            if contract.kind == SPOT:
                asset.spot_taker_usd += usd
            else:
                asset.taker_usd += usd
        else:
            coins = event.a
            if math.isnan(coins) and contract.mark > 0.0:
                coins = event.b / contract.mark
            if 0.0 < coins < math.inf:
                self._open_interest(contract, asset, coins)
                contract.interest, contract.interest_ns = coins, event.event_ns
        return False

    def _open_interest(self, contract: Contract, asset: Asset, coins: float) -> None:
        level = asset.interest
        if math.isnan(contract.interest):
            asset.interest = coins if math.isnan(level) else level + coins
        else:
            change = coins - contract.interest
            if level > 0.0:
                asset.interest_index *= 1.0 + change / level
            asset.interest = level + change

    def _order(self, event: Happening, second: int) -> bool:
        micro = int(min(event.b * 1e6 + 0.5, float(MOST_MICRO_USD))) if event.b > 0.0 else 0
        known = event.row >= 0
        asset_row = self.contracts[event.row].asset if known else len(self.assets) - 1
        line = (2 * asset_row + event.position) * self.venues + event.venue
        self.orders[line].append((min(event.event_ns // NS, second), micro))
        return known and self._press(event, asset_row, micro)

    def _press(self, event: Happening, asset_row: int, micro: int) -> bool:
        ladder = self.ladders[2 * asset_row + event.position]
        asset, limits = self.assets[asset_row], self.limits
        if not event.counts or event.received_ns - event.event_ns > limits.late_ns:
            ladder.late += 1
            return False
        if not asset.interest > 0.0 or not 0.0 < event.a < math.inf:
            ladder.no_interest += 1
            return False
        x, u = event.a / asset.interest, asset.scale
        now = event.received_ns // NS
        dt_s = (event.received_ns - ladder.bucket_ns) * 1e-9
        before = max(0.0, ladder.bucket - limits.drain_per_s * u * dt_s)
        used = self.contracts[event.row].added
        add = max(0.0, min(x, limits.contract_cap * u - used[now, event.position]))
        used[now, event.position] += add
        add = max(0.0, min(add, limits.asset_cap * u - ladder.added[now]))
        if before == 0.0:
            ladder.start_share = ladder.share_total
            ladder.start_usd, ladder.start_orders = ladder.usd_total, ladder.orders_total
        ladder.added[now] += add
        ladder.share[now] += x
        ladder.pushes.append((event.received_ns, x))
        ladder.share_total += x
        ladder.usd_total += micro
        ladder.orders_total += 1
        after = min(before + add, limits.full_level * u)
        ladder.bucket, ladder.bucket_ns = after, event.received_ns
        ladder.tier = self._tier(ladder.bucket, u)
        return ladder.tier > self._tier(before, u)

    def _tier(self, bucket: float, scale: float) -> int:
        return sum(bucket >= tier * scale for tier in self.limits.tiers)

    def close_second(self, second: int) -> None:
        """End a second for every ladder."""
        for row, ladder in enumerate(self.ladders):
            u = self.assets[row // 2].scale
            dt_s = ((second + 1) * NS - ladder.bucket_ns) * 1e-9
            ladder.bucket = max(0.0, ladder.bucket - self.limits.drain_per_s * u * dt_s)
            ladder.bucket_ns = (second + 1) * NS
            ladder.tier = self._tier(ladder.bucket, u) if ladder.bucket > 0.0 else 0
            ladder.minute.append(ladder.share.get(second, 0.0))
            ladder.share_60s = 0.0
            for share in reversed(ladder.minute):
                ladder.share_60s += share

    def window(self, line: int, window_s: int, second: int) -> tuple[int, int, int]:
        """Micro-USD, orders and largest order of a line's window at a second.

        Windows beyond an hour are windows of whole minutes.
        """
        step = 1 if window_s <= MEMORY_S else 60
        held = [
            micro
            for at, micro in self.orders[line]
            if second // step - at // step < window_s // step
        ]
        return sum(held), len(held), max(held, default=0)


class Histogram:
    """Twin of one row of kernels.quantile: weights by bin, only those that are not empty."""

    LEAST, GAMMA, BINS = 1e-8, 1.02, 720

    def __init__(self) -> None:
        self.weights: dict[int, float] = defaultdict(float)
        # Upper edge of each bin; bin 0 ends at the least value, the last one has no end.
        self.edges = [self.LEAST * self.GAMMA**k for k in range(self.BINS - 1)]

    def observe(self, value: float, weight: float) -> None:
        """Add a value; NaN is passed over."""
        if not math.isnan(value):
            self.weights[bisect.bisect_left(self.edges, value)] += weight

    def age(self, factor: float) -> None:
        """Let all weights fade."""
        for place in self.weights:
            self.weights[place] *= factor

    def quantile(self, q: float) -> float:
        """Middle of the bin that holds the quantile."""
        mass = sum(self.weights.values())
        if mass == 0.0:
            return NAN
        total = 0.0
        for place in sorted(self.weights, reverse=True):
            total += self.weights[place]
            if place > 0 and total > (1.0 - q) * mass:
                return self.LEAST * math.pow(self.GAMMA, place - 0.5)
        return 0.0


def quantile(weighted: Iterable[tuple[float, float]], q: float) -> float:
    """The exact quantile of (value, weight): the largest with more than 1 - q at or above it."""
    ordered = sorted(weighted, reverse=True)
    above = (1.0 - q) * math.fsum(weight for _, weight in ordered)
    total = 0.0
    for value, weight in ordered:
        total += weight
        if total > above:
            return value
    return NAN


def changed_slope(history: dict[int, float], second: int, span_s: int) -> float:
    """Median of all pairwise slopes between points where a series changed."""
    points: list[tuple[int, float]] = []
    for s in range(second - span_s + 1, second + 1):
        value = history.get(s, NAN)
        if math.isnan(value) or (points and value == points[-1][1]):
            continue
        if points and s - points[-1][0] < 3:
            continue
        points.append((s, value))
    points = points[:60]
    if len(points) < 6:
        return NAN
    return statistics.median(
        (late - early) / float(then - at) for (at, early), (then, late) in combinations(points, 2)
    )


def log_slope(shares: dict[int, float], second: int, span_s: int) -> float:
    """Exact least-squares slope per second of the log of ten-second sums; NaN for too few."""
    points = []
    for block in range(span_s // 10):
        total = 0.0
        for k in range(10):
            total += shares.get(second - 10 * block - k, 0.0)
        if total > 0.0:
            points.append((Fraction(-10 * block), Fraction(math.log(total))))
    if len(points) < 3:
        return NAN
    middle_t = sum(t for t, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    covariance = sum((t - middle_t) * (y - middle_y) for t, y in points)
    return float(covariance / sum((t - middle_t) ** 2 for t, _ in points))
