"""The market that is served: agents' positions break, and venues quote and print what comes of it.

A `World` lives through the seconds; the lines of its contracts make events of its tape. The
truth is what the tape forced, whoever printed it.
"""

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from kernels.dtypes import Records, shock_dtype
from monitor.clock import NS
from monitor.events import MarketEvent, Position
from monitor.instruments import Instrument
from monitor.simulate.contract import Truth
from monitor.simulate.line import Moment
from monitor.simulate.lines import Lines
from monitor.simulate.listing import Asset
from monitor.simulate.market import World
from monitor.simulate.regimes import Regime
from monitor.simulate.spells import Flow, Spells

CHUNK_S: Final = 60  # of the tape that is made at once
SPOT_VOLUME: Final = 0.3  # of the perpetuals' volume
_FORCED: Final = ((Position.LONG, "forced_long"), (Position.SHORT, "forced_short"))
_FIELDS: Final = (
    "perp",
    "spot",
    "mark",
    "interest",
    "depth_usd",
    "volume",
    "taker",
    "spot_taker",
    "funding_ratio",
)


class Move(msgspec.Struct, frozen=True):
    """A move of worth that comes from outside.

    Attributes:
        second: Of the market, at which it begins.
        duration_s: How long it takes.
        ratio: How far, of log price; negative for a fall.
        asset: Whose; empty for all of them.
        excitement: Added to log volatility.
    """

    second: int
    duration_s: int
    ratio: float
    asset: str = ""
    excitement: float = 0.0


class AgentMarket:
    """A market of agents; see the module."""

    def __init__(
        self,
        seed: int,
        epoch_ns: int,
        assets: Sequence[Asset],
        regime: Regime,
        moves: Sequence[Move] = (),
    ) -> None:
        self.epoch_ns = epoch_ns
        self._assets = tuple(assets)
        self._turnover = regime.turnover_per_s
        quoting, living = np.random.SeedSequence(seed).spawn(2)
        self._lines = Lines(np.random.default_rng(quoting), epoch_ns, assets)
        self._world = World(
            regime,
            int(living.generate_state(1)[0]),
            epoch_ns // NS,
            np.array([asset.open_interest_base for asset in assets]),
            np.array([asset.price for asset in assets]),
            _shocks(moves, epoch_ns // NS, [asset.name for asset in assets]),
        )
        self._spells = {
            (row, position): Spells() for row in range(len(assets)) for position in Position
        }
        self._chunk_start = 0
        self._moments: list[list[Moment]] = []
        self._forced: dict[Position, list[list[float]]] = {}

    def listing(self) -> Sequence[Instrument]:
        """Everything listed, over all venues and products."""
        return self._lines.listing()

    def truth(self) -> Sequence[Truth]:
        """The spells of forced flow so far, by onset; the last of a ladder may still run."""
        found = [
            Truth(
                self._assets[row].name,
                position,
                self.epoch_ns + spell.onset * NS,
                self.epoch_ns + (spell.end + 1) * NS,
                spell.forced_usd,
            )
            for (row, position), spells in self._spells.items()
            for spell in spells.told
        ]
        return sorted(found, key=lambda truth: truth.onset_ns)

    def second(self, index: int) -> Sequence[MarketEvent]:
        """The events of one second, in order of time."""
        start_ns = self.epoch_ns + index * NS
        place = index - self._chunk_start
        if place >= len(self._moments):
            self._live()
            self._chunk_start, place = index, 0
        moments = self._moments[place]
        events = list(self._lines.second(index, start_ns, moments))
        for (row, position), spells in self._spells.items():
            coins = self._forced[position][place][row]
            if coins > 0.0:
                orders = list(self._lines.forced(row, position, coins, start_ns))
                usd = math.fsum(order.notional_usd for order in orders)
                spells.take(Flow(index, coins, usd, moments[row].interest_base))
                events += orders
        events.sort(key=lambda event: event.event_ns)
        return events

    def _live(self) -> None:
        """Live through the next seconds of the world."""
        tape = self._world.chunk(CHUNK_S)
        columns = {name: tape[name].tolist() for name in _FIELDS}
        self._moments = [
            [
                self._moment({name: columns[name][second][row] for name in _FIELDS})
                for row in range(len(self._assets))
            ]
            for second in range(CHUNK_S)
        ]
        self._forced = {position: tape[name].tolist() for position, name in _FORCED}

    def _moment(self, row: dict[str, float]) -> Moment:
        volume = row["volume"]
        return Moment(
            perp_usd=row["perp"],
            spot_usd=row["spot"],
            mark_usd=row["mark"],
            interest_base=row["interest"],
            depth_base=0.5 * row["depth_usd"] / row["perp"],
            busy_ratio=volume / (self._turnover * row["interest"]),
            bought_ratio=_bought(row["taker"] / volume),
            spot_bought_ratio=_bought(row["spot_taker"] / (SPOT_VOLUME * volume)),
            funding_ratio=row["funding_ratio"],
        )


def _bought(excess: float) -> float:
    """Part of trades whose taker buys, from the excess of buyers over sellers."""
    return min(1.0, max(0.0, 0.5 * (1.0 + excess)))


def _shocks(moves: Sequence[Move], start: int, names: Sequence[str]) -> Records:
    """Moves as the world takes them; market second 0 is `start`."""
    found = np.zeros(len(moves), shock_dtype)
    for shock, move in zip(found, moves, strict=True):
        shock["second"] = start + move.second
        shock["asset"] = names.index(move.asset) if move.asset else -1
        shock["duration_s"] = move.duration_s
        shock["move"] = move.ratio
        shock["deep"] = 1.0
        shock["excitement"] = move.excitement
    return found
