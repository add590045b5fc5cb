"""Simulated time through the real detector: its own arrays, kernels and judge, without frames.

What venues show of a simulated market comes as rows of the kernel's batch rather than as bytes.
Everything behind that door is the engine's: verdicts are byte-equal to those of frames that say
the same.
"""

from typing import Final

import numpy as np

from kernels import passage
from kernels.dtypes import Reals, Records
from monitor.detect.engine import Engine
from monitor.detect.ladder import least_level
from monitor.detect.verdict import State, Verdict
from monitor.instruments import Instrument, Unit
from monitor.parameters import Parameters
from monitor.venues.binance import BINANCE, BINANCE_SPOT
from monitor.venues.bybit import BYBIT
from monitor.venues.okx import OKX

NS: Final = 1_000_000_000
VENUES: Final = (BINANCE, BYBIT, OKX, BINANCE_SPOT)
CONTRACTS: Final = len(VENUES)
"""Contracts of one asset: contract k of asset a has row a x CONTRACTS + k, at venue k."""


class Record:
    """What the detector saw, second by second; float32.

    Attributes:
        level: Highest bucket over own scale within the second (seconds x ladders).
        share: Forced share of open interest in the second, before any cap (the same shape).
        usd: Forced US dollars that pressed (the same).
        orders: Forced orders that pressed (the same).
        price: Median price of the perpetuals, NaN for none (seconds x assets).
        interest_index: Chain-linked open interest as last told (the same).
    """

    def __init__(self, seconds: int, assets: int) -> None:
        self.level = np.zeros((seconds, 2 * assets), np.float32)
        self.share = np.zeros((seconds, 2 * assets), np.float32)
        self.usd = np.zeros((seconds, 2 * assets), np.float32)
        self.orders = np.zeros((seconds, 2 * assets), np.float32)
        self.price = np.zeros((seconds, assets), np.float32)
        self.interest_index = np.zeros((seconds, assets), np.float32)

    def rows(self, start: int, seconds: int) -> "Record":
        """Some of its rows, as a view: what is written there is written here."""
        found = Record(0, 0)
        for name, values in vars(self).items():
            setattr(found, name, values[start : start + seconds])
        return found


def world_engine(assets: int, parameters: Parameters, second: int) -> Engine:
    """An engine over so many simulated assets, "A00" and on, that begins in this second."""
    names = tuple(f"A{asset:02d}" for asset in range(assets))
    engine = Engine(VENUES, names, parameters)
    engine.watch.restore(
        Instrument(
            venue.name,
            "spot" if venue is BINANCE_SPOT else "perp",
            f"{name}USDT",
            name,
            "USDT",
            "USDT",
            Unit.BASE,
            perpetual=venue is not BINANCE_SPOT,
        )
        for name in names
        for venue in VENUES
    )
    engine.start(second)
    return engine


class Passage:
    """Lives one engine through chunks of seconds."""

    def __init__(self, engine: Engine) -> None:
        ladders = 2 * len(engine.watch.assets)
        self.engine = engine
        self._at = np.zeros(3, np.int64)
        parameters = engine.parameters
        self._least_of = {state: least_level(state, parameters) for state in State}
        self._least = np.zeros(len(engine.judge.ladders))
        self._quiet_s = np.zeros(len(engine.judge.ladders), np.int64)
        self._peaks = np.zeros(ladders)
        self._seen_micro_usd = np.zeros(ladders, np.int64)
        self._seen_orders = np.zeros(ladders, np.int64)
        self._none = Record(0, ladders // 2)

    def live(
        self,
        events: Records,
        depths: Reals,
        until: int,
        *,
        record: Record | None = None,
        missing: tuple[str, ...] = (),
        flowing: bool = True,
    ) -> list[Verdict]:
        """Live through the seconds from the engine's own up to, not including, `until`.

        Args:
            events: `event_dtype`, ordered by `received_ns`, all before the end.
            depths: US dollars (seconds x contract rows x bands), NaN for a band out of reach,
                in all bands where no book came in that second; may have no rows.
            until: The second that runs afterwards.
            record: Where to write what was seen, at least as many rows as seconds.
            missing: Streams that do not flow, as "venue/session".
            flowing: Whether any stream of forced orders flows.

        Returns:
            The verdicts, in order.

        Raises:
            ValueError: An event would be lost, or time would go back.
        """
        engine, at = self.engine, self._at
        if until < engine.second:
            raise ValueError(f"expected an end not before second {engine.second}, was {until}")
        if len(events) and int(events["received_ns"][-1]) >= until * NS:
            last_s = int(events["received_ns"][-1]) / NS
            raise ValueError(f"expected events received before second {until}, was {last_s:.3f}")
        engine.flush()
        engine.missing = missing
        self._begin()
        kept = record or self._none
        a, s = engine.arrays, engine.scales
        arguments = (
            at,
            engine.second,
            until,
            int(flowing),
            self._least,
            self._quiet_s,
            engine.parameters.quiet_level,
            engine.parameters.quiet_hold_s,
            events,
            depths,
            a.contracts,
            a.assets,
            a.pressure,
            a.shares,
            a.seconds,
            a.minutes,
            a.sums,
            a.limits,
            a.books,
            a.prices,
            a.interests,
            a.takers,
            a.members,
            a.parts,
            a.breadth,
            *a.room,
            s.bins,
            s.mass,
            s.sampled_s,
            s.falls,
            s.rules,
            self._peaks,
            self._seen_micro_usd,
            self._seen_orders,
            kept.level,
            kept.share,
            kept.usd,
            kept.orders,
            kept.price,
            kept.interest_index,
        )
        while (found := passage.live(*arguments)) != passage.DONE:
            engine.start(int(at[passage.SECOND]))
            self._tell()
            if found == passage.CROSSED:
                engine.cross(events[at[passage.NEXT_EVENT] - 1])
            else:
                engine.judge.close_second(engine.second, missing)
            self._look()
        engine.start(until)
        self._tell()
        return engine.drain()

    def _begin(self) -> None:
        """Stand at the beginning of the second that the engine runs."""
        pressure = self.engine.arrays.pressure[: len(self._peaks)]
        self._at[:] = (0, self.engine.second, 0)
        self._peaks.fill(0.0)
        self._seen_micro_usd[:] = pressure["usd_total"]
        self._seen_orders[:] = pressure["orders_total"]
        self._look()

    def _look(self) -> None:
        """See how each ladder stands: what it takes to be judged at the end of a second."""
        ladders = self.engine.judge.ladders
        self._least[:] = [self._least_of[ladder.state] for ladder in ladders]
        self._quiet_s[:] = [
            -1 if ladder.state is State.QUIET else ladder.quiet_s for ladder in ladders
        ]

    def _tell(self) -> None:
        """Tell the ladders that wait of the quiet seconds that were counted without them."""
        for ladder, quiet_s in zip(self.engine.judge.ladders, self._quiet_s.tolist(), strict=True):
            if quiet_s >= 0:
                ladder.quiet_s = quiet_s
