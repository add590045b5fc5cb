"""A scripted market of three assets on one venue, for what happens to all of them together."""

import copy
import functools
from random import Random

from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.events import FactKind, Position
from monitor.parameters import Parameters
from tests import tape
from tests.stand_in import ALPHA, LISTED, InterestRow, OrderRow, Row, TopRow, TradeRow
from tests.tape import NS, START_S, WARM_S, Entry, fact, frame, listing

ASSETS = ("BTC", "ETH", "DOGE")
PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "DOGE": 0.1}
# Coins; together a billion US dollars, of which BTC has a half.
INTEREST = {"BTC": 500.0e6 / 60_000.0, "ETH": 300.0e6 / 3_000.0, "DOGE": 200.0e6 / 0.1}


class WideMarket:
    """Writes the log of a market second by second, as told; `second` is the next one."""

    def __init__(self, seed: int = 11) -> None:
        self.entries: list[Entry] = []
        self.second = START_S
        self.prices = dict(PRICES)
        self.interest = dict(INTEREST)
        self._dice = Random(seed)
        now_ns = START_S * NS
        self.entries.append(fact(now_ns, 0, "", FactKind.STARTED))
        self.entries.append(listing(now_ns, "alpha", "perp", LISTED["alpha"]))
        for kind in (FactKind.CONNECTING, FactKind.CONNECTED, FactKind.SUBSCRIBED):
            self.entries.append(fact(now_ns, 1, "alpha", kind))

    @property
    def now_ns(self) -> int:
        """The start of the second that comes next."""
        return self.second * NS

    def go(
        self,
        seconds: int,
        *,
        drift: float = 0.0,
        unwind: float = 0.0,
        forced: float = 0.0,
        assets: tuple[str, ...] = ASSETS,
        position: Position = Position.LONG,
    ) -> "WideMarket":
        """Let time pass; in these assets positions are closed.

        Args:
            seconds: How much time.
            drift: Change of their prices in a second, as a ratio.
            unwind: Part of their open interest that is closed in a second.
            forced: Part of it that each one's forced orders have in a second, in the first u.
            assets: Which.
            position: Whose.
        """
        for _ in range(seconds):
            rows: list[Row] = []
            at_ns = self.now_ns + 400_000_000
            event_ns = at_ns - 20_000_000
            for asset in ASSETS:
                hit = asset in assets
                self.prices[asset] *= 1.0 + (drift if hit else 0.0) + self._dice.gauss(0.0, 5e-5)
                self.interest[asset] *= 1.0 - (unwind if hit else 0.0)
                rows += self._speak(asset, event_ns, drift if hit else 0.0)
                if hit and forced > 0.0:
                    coins = forced * 3e-4 * self.interest[asset]
                    price = self.prices[asset]
                    rows.append(OrderRow(f"{asset}-PERP", position, event_ns, coins, price))
            self.entries.append(frame(at_ns, 1, *rows))
            self.second += 1
        return self

    def _speak(self, asset: str, event_ns: int, drift: float) -> list[Row]:
        price, symbol, dice = self.prices[asset], f"{asset}-PERP", self._dice
        taken = (dice.gauss(0.0, 1.0) + (4.0 if drift > 0.0 else -4.0 if drift else 0.0)) / price
        rows: list[Row] = [
            TopRow(symbol, event_ns, price * (1.0 - 1e-5), price * (1.0 + 1e-5)),
            TradeRow(symbol, event_ns, price, 1e4 * taken),
        ]
        if (self.second + len(asset)) % 3 == 0:
            coins = self.interest[asset] * (1.0 + dice.gauss(0.0, 2e-5))
            rows.append(InterestRow(symbol, event_ns, coins))
        return rows


def engine(
    assets: tuple[str, ...] = ASSETS, parameters: Parameters | None = None, *, batch: int = 256
) -> Engine:
    """A fresh engine over the one venue."""
    return tape.engine((ALPHA,), assets, parameters, batch=batch)


def cascade(market: WideMarket) -> WideMarket:
    """A cascade of two minutes in all assets, and its rebound."""
    market.go(30, drift=-2e-4, unwind=2e-4, forced=0.3)
    market.go(90, drift=-1.5e-4, unwind=3e-4, forced=0.45)
    return market.go(30, drift=3e-4)


@functools.cache
def _warm() -> tuple[WideMarket, bytes]:
    market, core = WideMarket().go(WARM_S), engine()
    tape.play(core, market.entries)
    market.entries.clear()
    return market, snapshot.take(core)


def warm_market() -> WideMarket:
    """A market of more than ten quiet minutes whose log begins anew here."""
    return copy.deepcopy(_warm()[0])


def warm_state() -> bytes:
    """The state of an engine that has seen them."""
    return _warm()[1]


def warm_engine(parameters: Parameters | None = None, *, batch: int = 256) -> Engine:
    """An engine with that state."""
    core = engine(parameters=parameters, batch=batch)
    snapshot.restore(core, warm_state())
    return core
