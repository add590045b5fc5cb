"""The twin of kernels.pool: the market from what each asset showed in each second.

It is told what the flow and the context left of every asset, keeps all of it, and adds up anew.
Sums run in the order of the watch list, as in the kernel.
"""

import math
import statistics
from typing import NamedTuple

from tests.naive import MEMORY_S, NAN, Asset, Ladder, Limits
from tests.naive_context import Context

FULL_LEVEL = 12.0


class Rules(NamedTuple):
    """When the market is broad, and what that adds to its level."""

    assets: int = 3
    level: float = 4.0
    ratio: float = 0.3
    within_s: int = 120
    lift: float = 3.0


class Pressed(NamedTuple):
    """What one position's forced flow left of an asset in a second."""

    bucket: float = 0.0
    share: float = 0.0
    added: float = 0.0
    share_60s: float = 0.0
    usd: int = 0
    orders: int = 0


class Shown(NamedTuple):
    """What an asset showed in a second; a chain of NaN is open interest that is not known."""

    price: float = NAN
    interest: float = NAN
    chain: float = NAN
    age_s: float = NAN
    basis: float = NAN
    taker_usd: float = 0.0
    depth_ratio: float = NAN
    scale: float = 3e-4
    positions: tuple[Pressed, Pressed] = (Pressed(), Pressed())


class Market:
    """Twin of kernels.pool.

    Attributes:
        whole: The market as an asset; its price is an index.
        ladders: Its two ladders.
        index: Its price when it was last known.
        breadth: (part of open interest, assets, lift) by position.
    """

    def __init__(
        self, scale: float, limits: Limits, rules: Rules, full_level: float = FULL_LEVEL
    ) -> None:
        self.whole = Asset(scale)
        self.ladders = (Ladder(), Ladder())
        self.index = 1.0
        self.breadth = [(NAN, 0, 0.0), (NAN, 0, 0.0)]
        self._limits = limits
        self._full = full_level * scale
        self._rules = rules
        self._prices: dict[int, float] = {}  # last known, by asset
        self._indices: list[dict[int, float]] = []  # of open interest, by asset and second
        self._pressed: dict[tuple[int, int], int] = {}  # (asset, position) -> last second

    def close_second(self, second: int, shown: list[Shown]) -> None:
        """End a second."""
        if len(shown) < self._rules.assets:
            return
        returns = {
            row: math.log(asset.price / self._prices[row])
            for row, asset in enumerate(shown)
            if asset.price > 0.0 and row in self._prices
        }
        self._prices |= {row: asset.price for row, asset in enumerate(shown) if asset.price > 0.0}
        weights = [
            usd if 0.0 < usd < math.inf else 0.0
            for usd in (a.interest * self._prices.get(row, NAN) for row, a in enumerate(shown))
        ]
        self._price(second, shown, returns, weights)
        self._interest(second, shown, weights)
        self._context(second, shown, weights)
        for position in range(2):
            self._pour(second, position, [a.positions[position] for a in shown], weights)
            self._spread(second, position, shown, weights)

    def _price(
        self, second: int, shown: list[Shown], returns: dict[int, float], weights: list[float]
    ) -> None:
        moved = added_up([weights[row] * step for row, step in returns.items()])
        weighed = added_up([weights[row] for row in returns])
        if weighed > 0.0:
            self.index *= math.exp(moved / weighed)
        priced = any(asset.price > 0.0 for asset in shown)
        Context.renew_price(self.whole, self.index if priced else NAN, second)

    def _interest(self, second: int, shown: list[Shown], weights: list[float]) -> None:
        whole, total = self.whole, added_up(weights)
        self._indices = self._indices or [{} for _ in shown]
        changes = []
        for asset, weight, known in zip(shown, weights, self._indices, strict=True):
            known[second] = asset.chain
            then = known.get(second - 1, NAN)
            if then > 0.0 and asset.chain > 0.0:
                changes.append(weight * (asset.chain / then - 1.0))
        if total > 0.0:
            whole.interest_index *= 1.0 + added_up(changes) / total
        whole.interest = total if total > 0.0 else NAN
        whole.interests[second] = whole.interest_index if total > 0.0 else NAN
        then = whole.interests.get(second - 300, NAN)
        whole.interest_change_5m = whole.interests[second] / then - 1.0
        whole.interest_age_s = NAN
        ages = {asset.age_s for asset in shown if not math.isnan(asset.age_s)}
        for age in sorted(ages, reverse=True):
            fresh = [w for a, w in zip(shown, weights, strict=True) if a.age_s <= age]
            if total > 0.0 and math.fsum(fresh) >= 0.5 * total:
                whole.interest_age_s = age

    def _context(self, second: int, shown: list[Shown], weights: list[float]) -> None:
        bases = [
            (weight * asset.basis, weight)
            for asset, weight in zip(shown, weights, strict=True)
            if weight > 0.0 and not math.isnan(asset.basis)
        ]
        basis = NAN
        if bases:
            basis = added_up([part for part, _ in bases]) / added_up([w for _, w in bases])
        Context.renew_basis(self.whole, basis)
        Context.renew_taker(self.whole, added_up([a.taker_usd for a in shown]), second)
        ratios = [a.depth_ratio for a in shown if not math.isnan(a.depth_ratio)]
        self.whole.depth_ratio = statistics.median(ratios) if ratios else NAN

    def _pour(
        self, second: int, position: int, parts: list[Pressed], weights: list[float]
    ) -> None:
        ladder, total, u = self.ladders[position], added_up(weights), self.whole.scale
        minutes = [
            w / total * min(1.0, part.share_60s) if w > 0.0 else 0.0
            for part, w in zip(parts, weights, strict=True)
        ]
        minute = added_up(minutes)
        shares, added = [], []
        for part, own, weight in zip(parts, minutes, weights, strict=True):
            if weight > 0.0:
                others = max(0.0, minute - own)
                counts = others / own if own > minute - own else 1.0
                shares.append(weight / total * min(1.0, part.share))
                added.append(weight / total * part.added * counts)
        x = added_up(shares)
        before = max(0.0, ladder.bucket - self._limits.drain_per_s * u)
        if before == 0.0 and x > 0.0:
            ladder.start_share = ladder.share_total
            ladder.start_usd, ladder.start_orders = ladder.usd_total, ladder.orders_total
        ladder.added[second] = min(added_up(added), self._limits.asset_cap * u)
        ladder.bucket = min(before + ladder.added[second], self._full)
        ladder.share[second] = x
        ladder.share_total += x
        ladder.usd_total += sum(part.usd for part in parts)
        ladder.orders_total += sum(part.orders for part in parts)
        ladder.share_60s = added_up([ladder.share[second - back] for back in range(60)])

    def _spread(
        self, second: int, position: int, shown: list[Shown], weights: list[float]
    ) -> None:
        rules, ladder, u = self._rules, self.ladders[position], self.whole.scale
        pressed = []
        for row, (asset, weight) in enumerate(zip(shown, weights, strict=True)):
            part = asset.positions[position]
            if part.share > 0.0 and part.bucket >= rules.level * asset.scale:
                self._pressed[row, position] = second
            last = self._pressed.get((row, position), -MEMORY_S)
            if second - last < rules.within_s and weight > 0.0:
                pressed.append(weight)
        total = added_up(weights)
        ratio = added_up(pressed) / total if total > 0.0 else NAN
        broad = len(pressed) >= rules.assets and ratio >= rules.ratio
        lift = rules.lift if broad else 0.0
        self.breadth[position] = (ratio, len(pressed), lift)
        level = ladder.bucket + lift * u
        ladder.tier = sum(level >= tier * u for tier in self._limits.tiers)


def added_up(values: list[float]) -> float:
    """A sum in order; Python's own compensates for rounding from 3.12 on."""
    total = 0.0
    for value in values:
        total += value
    return total
