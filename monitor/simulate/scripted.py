"""A market that follows a script, second by second; the same seed gives the same events.

Prices wander a little, takers come and go, a few small orders are forced everywhere all the
time, and cascades happen when the script says so, to the second. It costs little for hundreds
of assets. Every figure that shapes the market stands at the top; those of a cascade stand in
`cascade`, those of what venues make of it in `lines`.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from monitor.clock import NS
from monitor.events import Liquidation, MarketEvent, Position
from monitor.instruments import Instrument
from monitor.simulate.cascade import LENGTH_S, NOTHING, TOTAL_FLOW, Cascade, Effect
from monitor.simulate.contract import Truth
from monitor.simulate.line import Moment
from monitor.simulate.lines import Lines
from monitor.simulate.listing import Asset

# How strongly prices move together, how slowly they come back, how much others share a fall.
COMMON = 0.5
REVERSION_PER_S = 1.0 / 600.0
SPILL = 0.35

# Small forced orders everywhere: orders a second of each contract, and their mean size as a
# part of the asset's open interest. They must stay far below any tier.
BACKGROUND_PER_S = 0.007
BACKGROUND_SIZE = 1.5e-6

DEPTH_OF_INTEREST = 1.5e-3  # coins within 1 % on one side, as a part of open interest


class ScriptedMarket:
    """A market that follows a script; see the module."""

    def __init__(
        self,
        seed: int,
        epoch_ns: int,
        assets: Sequence[Asset],
        cascades: Sequence[Cascade] = (),
    ) -> None:
        self.epoch_ns = epoch_ns
        self._random = np.random.default_rng(seed)
        self._assets = tuple(assets)
        self._rows = {asset.name: row for row, asset in enumerate(assets)}
        self._cascades = tuple(cascades)
        self._forced_usd = [0.0] * len(cascades)
        self._lines = Lines(self._random, epoch_ns, assets)
        self._open = [line for line in self._lines.all if line.contract.share > 0.0]
        self._drift = [0.0] * len(assets)

    def listing(self) -> Sequence[Instrument]:
        """Everything listed, over all venues and products."""
        return self._lines.listing()

    def truth(self) -> Sequence[Truth]:
        """The cascades of the script, with what they forced so far."""
        return [
            Truth(
                cascade.asset,
                cascade.position,
                self.epoch_ns + cascade.onset_s * NS,
                self.epoch_ns + (cascade.onset_s + LENGTH_S) * NS,
                forced_usd,
            )
            for cascade, forced_usd in zip(self._cascades, self._forced_usd, strict=True)
        ]

    def second(self, index: int) -> Sequence[MarketEvent]:
        """The events of one second, in order of time."""
        start_ns = self.epoch_ns + index * NS
        events = list(self._lines.second(index, start_ns, self._moments(index)))
        forced = [*self._background(start_ns), *self._cascade_orders(index, start_ns)]
        self._account(forced)
        events += forced
        events.sort(key=lambda event: event.event_ns)
        return events

    def _normal(self) -> float:
        return float(self._random.standard_normal())

    def _moments(self, index: int) -> list[Moment]:
        """What holds of every asset in this second."""
        falls, effects = self._effects(index)
        common = self._normal()
        moments = []
        for row, asset in enumerate(self._assets):
            step = COMMON * common + math.sqrt(1.0 - COMMON**2) * self._normal()
            drift = self._drift[row] * (1.0 - REVERSION_PER_S) + step * asset.sigma_bp * 1e-4
            self._drift[row] = drift
            effect = effects.get(asset.name, NOTHING)
            moved = effect.price if asset.name in effects else SPILL * falls
            spot = asset.price * math.exp(drift + moved)
            perp = spot * (1.0 + effect.basis_bp * 1e-4)
            moments.append(
                Moment(
                    perp_usd=perp,
                    spot_usd=spot,
                    mark_usd=perp,
                    interest_base=asset.open_interest_base * effect.interest,
                    depth_base=asset.open_interest_base * DEPTH_OF_INTEREST * effect.depth,
                    busy_ratio=1.0 + 2.0 * abs(effect.taker),
                    bought_ratio=0.5 * (1.0 + effect.taker),
                    spot_bought_ratio=0.5 * (1.0 + effect.taker),
                )
            )
        return moments

    def _effects(self, index: int) -> tuple[float, dict[str, Effect]]:
        """All cascades' change of log price together, and what they do to their assets."""
        falls = 0.0
        effects: dict[str, Effect] = {}
        for cascade in self._cascades:
            effect = cascade.effect(index)
            sign = -1.0 if cascade.position is Position.LONG else 1.0
            falls += sign * effect.price
            before = effects.get(cascade.asset, NOTHING)
            effects[cascade.asset] = Effect(
                before.price + sign * effect.price,
                before.basis_bp + sign * effect.basis_bp,
                before.depth * effect.depth,
                before.interest * effect.interest,
                before.taker + sign * effect.taker,
                0.0,
            )
        return falls, effects

    def _background(self, start_ns: int) -> Iterator[Liquidation]:
        for _ in range(self._random.poisson(BACKGROUND_PER_S * len(self._open))):
            line = self._open[int(self._random.integers(len(self._open)))]
            position = Position.LONG if self._random.random() < 0.5 else Position.SHORT  # noqa: PLR2004 - as many of both
            coins = self._lines.size_base(line.asset, BACKGROUND_SIZE)
            yield self._lines.order(line, position, coins, start_ns)

    def _cascade_orders(self, index: int, start_ns: int) -> Iterator[Liquidation]:
        for cascade in self._cascades:
            level = cascade.effect(index).flow
            if level > 0.0:
                row = self._rows[cascade.asset]
                whole = cascade.forced_ratio * self._assets[row].open_interest_base
                coins = whole * level / TOTAL_FLOW
                yield from self._lines.forced(row, cascade.position, coins, start_ns)

    def _account(self, forced: Sequence[Liquidation]) -> None:
        """Add the second's forced orders to the truth they belong to."""
        for place, truth in enumerate(self.truth()):
            self._forced_usd[place] += math.fsum(
                order.notional_usd
                for order in forced
                if order.instrument.asset == truth.asset
                and order.position is truth.position
                and truth.onset_ns <= order.event_ns < truth.end_ns
            )
