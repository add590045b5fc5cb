"""The simulated market: a world of assets that are lived through in compiled code.

A world is made of a regime and a seed; the same two give the same tape, however it is cut into
chunks. What venues show of the tape is another matter (monitor.simulate.observation).
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

import kernels
from kernels import market
from kernels.dtypes import Records, agents_dtype, shock_dtype, tape_dtype
from monitor.simulate.regimes import DAY_S, Regime, distances, draw_day

SETTLE_S: Final = DAY_S  # positions fill up for a day before the first second
_CHUNK_S: Final = 3600
_SOURCES: Final = ("market.py", "observation.py", "draws.py", "arrival.py", "forced.py")
_OWN_SOURCES: Final = (
    "market.py",
    "regimes.py",
    "observation.py",
    "dice.py",
    "negatives.py",
    "incidents.py",
    "troubles.py",
)


class World:
    """Assets of one regime, from a market second on.

    Attributes:
        second: Market time of the next second, since 1970.
        coins: Usual open interest of each asset, coins.
        prices_usd: Price of each asset where log price is zero.
    """

    def __init__(
        self,
        regime: Regime,
        seed: int,
        second: int,
        coins: npt.NDArray[np.float64],
        prices_usd: npt.NDArray[np.float64],
        extra: Records | None = None,
    ) -> None:
        assets = len(coins)
        self.second = second - SETTLE_S
        self.coins = coins
        self.prices_usd = prices_usd
        self._regime = regime
        self._record = regime.record()
        normals, common, shocks = np.random.SeedSequence(seed).spawn(3)
        self._normals = np.random.default_rng(normals)
        self._common = np.random.default_rng(common)
        self._random = np.random.default_rng(shocks)
        self._shocks = np.zeros(0, shock_dtype) if extra is None else extra.copy()
        self._drawn_to = self.second
        self._agents = np.zeros(assets, agents_dtype)
        self._agents["scale_usd"] = prices_usd
        self._agents["coins"] = coins
        self._agents["interest"] = 1.0
        self._agents["deep"] = 1.0
        self._longs = np.zeros((assets, market.BINS))
        self._shorts = np.zeros((assets, market.BINS))
        self._distances, self._weights = distances()
        for _ in range(SETTLE_S // _CHUNK_S):
            self.chunk(_CHUNK_S)

    def chunk(self, seconds: int) -> Records:
        """The tape of the next seconds: (seconds x assets) of `tape_dtype`."""
        assets = len(self.coins)
        until = self.second + seconds
        while self._drawn_to < until:
            day = draw_day(self._regime.shocks, self._drawn_to, assets, self._random)
            self._shocks = np.concatenate([self._shocks, day])
            self._drawn_to += DAY_S
        ends = self._shocks["second"] + self._shocks["duration_s"]
        self._shocks = self._shocks[ends > self.second]
        tape = np.zeros((seconds, assets), tape_dtype)
        market.live(
            self.second,
            tape,
            self._agents,
            self._record,
            self._shocks[self._shocks["second"] < until],
            self._normals.standard_normal((seconds, assets, market.NORMALS)),
            self._common.standard_normal((seconds, 2)),
            self._longs,
            self._shorts,
            self._distances,
            self._weights,
        )
        self.second = until
        return tape


def digest() -> str:
    """Digest of everything that makes a simulated market and what is seen of it."""
    found = hashlib.sha256()
    for folder, names in (
        (Path(kernels.__file__).parent, _SOURCES),
        (Path(__file__).parent, _OWN_SOURCES),
    ):
        for name in names:
            found.update((folder / name).read_bytes())
    return found.hexdigest()[:16]
