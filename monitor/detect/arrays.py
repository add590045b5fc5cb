"""The detector's numeric state: every array the kernels work on, allocated once.

Rows: an asset is its place in the watch list; behind the last stands the market, which is all
of them together, and behind that everything off the list. A ladder is 2 x asset + position; a
line of the windows is ladder x venues + venue (the market's lines stay empty).
"""

from typing import Final

import numpy as np

from kernels import dtypes as d
from monitor.parameters import Parameters

CONTRACTS_PER_ASSET: Final = 48
BATCH: Final = 256
SHARES_HELD: Final = 64
# What is known of an asset at one second only.
_OF_A_MOMENT: Final = (
    "price",
    "spot_price",
    "price_z60",
    "price_z300",
    "basis",
    "basis_z",
    "taker_z",
    "depth_ratio",
    "interest_change_5m",
    "interest_age_s",
)


class Arrays:
    """All arrays of one detector; attribute names are the field names of its snapshots."""

    def __init__(self, assets: int, venues: int, parameters: Parameters) -> None:
        rows, contracts = assets + 2, CONTRACTS_PER_ASSET * assets
        lines = 2 * rows * venues
        self.contracts = np.zeros(contracts, d.contract_dtype)
        self.contracts["asset"] = -1
        self.contracts["interest"] = np.nan
        self.assets = np.zeros(rows, d.asset_dtype)
        for name in ("interest", *_OF_A_MOMENT):
            self.assets[name] = np.nan
        self.assets["depth_band"] = -1
        self.assets["interest_index"] = 1.0
        self.assets["scale"] = parameters.prior_scale_ratio
        # Without what is off the list: the last row here, the market's, has no contracts.
        self.listed = self.assets[:-1]
        self.pressure = np.zeros(2 * rows, d.pressure_dtype)
        self.shares = np.zeros((2 * rows, SHARES_HELD))
        self.seconds = np.zeros((lines, d.SECONDS_HELD), d.bucket_dtype)
        self.minutes = np.zeros((lines, d.MINUTES_HELD), d.bucket_dtype)
        self.sums = np.zeros((lines, len(d.WINDOWS_S)), d.sum_dtype)
        self.books = np.zeros((contracts, len(d.BANDS_BP)), d.book_dtype)
        self.books["usd"] = np.nan
        self.prices = np.full((rows, d.CONTEXT_HELD), np.nan)
        self.interests = np.full((rows, d.CONTEXT_HELD), np.nan)
        self.takers = np.zeros((rows, d.CONTEXT_HELD))
        self.members = np.zeros(rows, d.member_dtype)
        self.members["price"] = np.nan
        self.members["price"][assets] = 1.0
        self.parts = np.zeros(2 * rows, d.part_dtype)
        self.parts["breadth_ratio"] = np.nan

        # Room the kernels work in; no state.
        self.room = (
            np.zeros(contracts),
            np.zeros(contracts),
            np.zeros(contracts),
            np.zeros(contracts + rows, np.int64),
        )
        self.slopes = np.zeros(60 * 59 // 2)
        self.batch = np.zeros(BATCH, d.event_dtype)
        self.limits = np.zeros(1, d.limits_dtype)
        self.limits["drain_per_s"] = parameters.drain_per_min / 60.0
        self.limits["contract_cap"] = parameters.contract_cap
        self.limits["asset_cap"] = parameters.asset_cap
        self.limits["tier_1"] = parameters.notice_tier
        self.limits["tier_2"] = parameters.building_tier
        self.limits["tier_3"] = parameters.onset_tier
        self.limits["full_level"] = parameters.full_level
        self.limits["late_ns"] = parameters.late_order_s * 1_000_000_000
        self.limits["venues"] = venues
        self.limits["other"] = assets + 1
        self.breadth = np.zeros(1, d.breadth_dtype)
        self.breadth["assets"] = parameters.market_assets
        self.breadth["level"] = parameters.breadth_level
        self.breadth["ratio"] = parameters.breadth_ratio
        self.breadth["within_s"] = parameters.breadth_within_s
        self.breadth["lift"] = parameters.breadth_lift

    def forget_moment(self) -> None:
        """Drop what only made sense in the second it was observed in: after a long pause."""
        for name in _OF_A_MOMENT:
            self.assets[name] = np.nan
        self.assets["depth_band"] = -1
        for history in (self.prices, self.interests):
            history.fill(np.nan)
        self.takers.fill(0.0)
        self.shares.fill(0.0)
        for name in ("bucket", "added", "share", "share_60s", "excited_10s", "excited_60s"):
            self.pressure[name] = 0.0
        self.pressure["excited_300s"] = 0.0
        self.pressure["tier"] = 0
        self.members["price"][:-2] = np.nan
        self.parts["breadth_ratio"] = np.nan
        self.parts["breadth_assets"] = 0
        self.parts["lift"] = 0.0
