"""The twin of kernels.context: every asset's market, second by second, from dicts by second."""

import math
import statistics
from collections.abc import Iterable

from tests.naive import (
    DATED,
    LEAST_SAMPLES,
    MEMORY_S,
    NAN,
    NS,
    PERPETUAL,
    SPOT,
    Asset,
    Contract,
    Flow,
)

BANDS = 4
FRESH_NS = 10 * NS


class Depth:
    """Depth of one contract in one band."""

    def __init__(self) -> None:
        self.usd = NAN
        self.book_ns = 0
        self.mean, self.n = 0.0, 0


class Context:
    """Twin of kernels.context, on the contracts and assets of a flow."""

    def __init__(self, flow: Flow) -> None:
        self.contracts = flow.contracts
        self.assets = flow.assets
        self.books = [[Depth() for _ in range(BANDS)] for _ in flow.contracts]

    def close_second(self, second: int) -> None:
        """End a second for every watched asset."""
        now_ns = (second + 1) * NS
        for row, asset in enumerate(self.assets[:-1]):
            mine = [k for k, c in enumerate(self.contracts) if c.asset == row and c.live]
            contracts = [self.contracts[k] for k in mine]
            self._interest(asset, contracts, second, now_ns)
            self._price(asset, contracts, second, now_ns)
            self.renew_basis(asset, _basis(asset))
            self.renew_taker(asset, asset.taker_usd, second)
            asset.taker_usd, asset.spot_taker_usd = 0.0, 0.0
            perps = [self.books[k] for k in mine if self.contracts[k].kind == PERPETUAL]
            self._depth(asset, perps, now_ns)

    def _interest(
        self, asset: Asset, contracts: Iterable[Contract], second: int, now_ns: int
    ) -> None:
        known = [c for c in contracts if not math.isnan(c.interest)]
        asset.interest = asset.interest_age_s = asset.interests[second] = NAN
        if known:
            asset.interest = 0.0
            for c in known:
                asset.interest += c.interest
            asset.interests[second] = asset.interest_index
            covered = 0.0
            for c in sorted(known, key=lambda c: -c.interest_ns):
                if covered < 0.5 * asset.interest:
                    covered += c.interest
                    asset.interest_age_s = max(0.0, (now_ns - c.interest_ns) * 1e-9)
        then = asset.interests.get(second - 300, NAN)
        asset.interest_change_5m = asset.interests[second] / then - 1.0

    def _price(
        self, asset: Asset, contracts: Iterable[Contract], second: int, now_ns: int
    ) -> None:
        prices: dict[int, list[float]] = {PERPETUAL: [], SPOT: [], DATED: []}
        for c in contracts:
            middle = 0.5 * (c.bid + c.ask)
            if (
                c.bid > 0.0
                and c.ask > 0.0
                and middle < math.inf
                and now_ns - c.quote_ns <= 10 * NS
            ):
                prices[c.kind].append(middle)
            elif c.kind == PERPETUAL and 0.0 < c.mark < math.inf and now_ns - c.mark_ns <= 10 * NS:
                prices[c.kind].append(c.mark)
        asset.spot_price = statistics.median(prices[SPOT]) if prices[SPOT] else NAN
        price = statistics.median(prices[PERPETUAL]) if prices[PERPETUAL] else NAN
        self.renew_price(asset, price, second)

    @classmethod
    def renew_price(cls, asset: Asset, price: float, second: int) -> None:
        """Take a second's price."""
        asset.price = asset.prices[second] = price
        if not math.isnan(asset.price):
            asset.price_second = second
        n, var = asset.return_n, asset.return_var
        before = asset.prices.get(second - 1, NAN)
        if asset.price > 0.0 and before > 0.0:
            step = math.log(asset.price / before)
            if n >= 60:
                step = min(3.0 * math.sqrt(var), max(-3.0 * math.sqrt(var), step))
            weight = max(1.0 / MEMORY_S, 1.0 / (n + 1.0))
            asset.return_var = max(1e-12, var + weight * (step * step - var))
            asset.return_n += 1
        asset.price_z60 = asset.price_z300 = NAN
        if n >= LEAST_SAMPLES:
            asset.price_z60 = cls._move(asset, second, 60)
            asset.price_z300 = cls._move(asset, second, 300)

    @staticmethod
    def _move(asset: Asset, second: int, span_s: int) -> float:
        past = asset.prices.get(second - span_s, NAN)
        if not (asset.price > 0.0 and past > 0.0):
            return NAN
        return math.log(asset.price / past) / math.sqrt(asset.return_var * float(span_s))

    @staticmethod
    def renew_basis(asset: Asset, basis: float) -> None:
        """Take a second's basis."""
        asset.basis, asset.basis_z = basis, NAN
        if not math.isnan(basis):
            asset.basis_z = asset.basis_history.z(basis)
            asset.basis_history.add(basis)

    @staticmethod
    def renew_taker(asset: Asset, usd: float, second: int) -> None:
        """Take a second's taker flow."""
        asset.takers[second] = usd
        flow = 0.0
        for back in range(60):
            flow += asset.takers.get(second - back, 0.0)
        asset.taker_z = asset.taker_history.z(flow)
        asset.taker_history.add(flow)

    def _depth(self, asset: Asset, books: Iterable[list[Depth]], now_ns: int) -> None:
        ratios: list[float] = []
        asset.depth_band = -1
        for bands in books:
            deepest = {}
            for band, depth in enumerate(bands):
                if math.isnan(depth.usd) or now_ns - depth.book_ns > 15 * NS:
                    continue
                if depth.n >= LEAST_SAMPLES and depth.mean > 0.0:
                    deepest = {band: depth.usd / depth.mean}
                weight = max(1.0 / MEMORY_S, 1.0 / (depth.n + 1.0))
                depth.mean += weight * (depth.usd - depth.mean)
                depth.n += 1
            ratios += deepest.values()
            asset.depth_band = max(asset.depth_band, *deepest, -1)
        asset.depth_ratio = statistics.median(ratios) if ratios else NAN


def _basis(asset: Asset) -> float:
    if asset.price > 0.0 and asset.spot_price > 0.0:
        return asset.price / asset.spot_price - 1.0
    return NAN
