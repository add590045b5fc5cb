"""Random hours of a small market as rows of the kernels' batches, for the door they enter by."""

from random import Random
from typing import NamedTuple

import numpy as np

from kernels import dtypes
from kernels.dtypes import Reals, Records
from monitor.assess.passage import CONTRACTS

NS = 1_000_000_000
START_S = 1_700_000_000
COINS = 100_000.0  # open interest of an asset


class Hours(NamedTuple):
    """What is received from START_S on."""

    seconds: int
    events: Records
    depths: Reals

    def chunk(self, since: int, until: int) -> tuple[Records, Reals]:
        """The part from one second (from the start) to another."""
        received = self.events["received_ns"]
        first, last = (START_S + since) * NS, (START_S + until) * NS
        here = self.events[(received >= first) & (received < last)]
        return here, self.depths[since:until]


def hours(seed: int, seconds: int, assets: int = 2) -> Hours:
    """Quiet markets with a burst of forced orders of some strength every few minutes."""
    dice = Random(seed)
    rows: list[tuple[float, ...]] = []
    for asset in range(assets):
        _asset(dice, asset, seconds, rows)
    rows.sort()
    events = np.array(rows, dtypes.event_dtype)
    shape = (seconds, CONTRACTS * assets, len(dtypes.BANDS_BP))
    depths = 1e6 * np.exp(np.random.default_rng(seed).normal(0.0, 0.3, shape))
    depths[:, :, 3] = np.nan
    depths[::3, CONTRACTS - 1 :: CONTRACTS] = np.nan
    return Hours(seconds, events, depths)


def _asset(dice: Random, asset: int, seconds: int, rows: list[tuple[float, ...]]) -> None:
    price, coins, first = 100.0, COINS, CONTRACTS * asset
    ends, strength, position, drift = 620, 0.0, 0, 0.0
    for second in range(seconds):
        if second >= ends:
            pressing = strength == 0.0 and dice.random() < 0.9
            strength = dice.choice((0.5, 0.8, 1.2, 8.0)) if pressing else 0.0
            ends = second + dice.randint(20, 120 if pressing else 700)
            position, drift = dice.randint(0, 1), dice.choice((0.0, 2e-4, 2e-4))
        begun = (START_S + second) * NS
        push = (-drift, drift)[position] * (strength > 0.0)
        price *= 1.0 + dice.gauss(push, 1e-4)
        coins *= 1.0 - abs(push)

        def say(kind: int, k: int, a: float, b: float, position: int = 0) -> None:
            at = begun + dice.randrange(NS)  # noqa: B023 - called within its second only
            rows.append((at, at - 50_000_000, a, b, first + k, kind, position, k, 1))

        say(dtypes.BOOK_TOP, 0, price * 0.9999, price * 1.0001)
        say(dtypes.BOOK_TOP, 3, price * 0.9999, price * 1.0001)
        say(dtypes.MARK, 1, price, price)
        say(dtypes.TRADE, 0, dice.gauss(1e5 * push, 10.0), price)
        if second % 5 == 0:
            for k, part in enumerate((0.5, 0.3, 0.2)):
                say(dtypes.OPEN_INTEREST, k, coins * part * dice.gauss(1.0, 1e-5), np.nan)
        for k in range(3):
            if dice.random() < (0.7 if strength else 0.002):
                forced = dice.expovariate(1.0) * (strength or 1.0)
                say(dtypes.LIQUIDATION, k, forced, forced * price, position)
