"""Every record that Python and compiled code share.

Rows, not objects: an asset, a contract or a ladder is an index into one of these arrays.
Money that is summed is held in whole micro-dollars (int64), so window sums are exact, do not
drift and do not depend on the order of arrival; everything else is float64. Seconds are
integers of the market clock since 1970.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]
Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

# Kinds of events in a batch.
LIQUIDATION: Final = 0
TRADE: Final = 1
BOOK_TOP: Final = 2
MARK: Final = 3
OPEN_INTEREST: Final = 4

# Kinds of contracts.
PERPETUAL: Final = 0
SPOT: Final = 1
DATED: Final = 2

# Positions.
LONG: Final = 0
SHORT: Final = 1

MICRO_USD: Final = 1_000_000.0
# Orders above this are held at it in the sums; the border quarantines them long before.
MOST_MICRO_USD: Final = 10_000_000_000 * 1_000_000

# Rolling windows: seconds. The first five run on one-second buckets, the others on minutes.
WINDOWS_S: Final = (1, 10, 60, 300, 3600, 14_400, 86_400)
SECOND_WINDOWS: Final = 5
SECONDS_HELD: Final = 3600
MINUTES_HELD: Final = 1440

# Bands of book depth, basis points from the mid.
BANDS_BP: Final = (10, 25, 50, 100)

# Seconds of history of the market context (price, open interest, taker flow).
CONTEXT_HELD: Final = 1024

event_dtype = np.dtype(
    [
        ("received_ns", np.int64),
        ("event_ns", np.int64),
        # liquidation: coins, USD; trade: coins (negative: taker sold), USD per coin;
        # book top: bid, ask; mark: mark, index; open interest: coins, or NaN and USD
        ("a", np.float64),
        ("b", np.float64),
        ("row", np.int32),  # contract row, -1 for off the watch list
        ("kind", np.uint8),
        ("position", np.uint8),
        ("venue", np.uint8),
        ("counts", np.uint8),  # 0: totals only, whatever its age
    ],
    align=True,
)
"""One event of a batch. Prices are US dollars per coin."""

EVENT_FORMAT: Final = "=qqddiBBBB"
"""The same record for `struct.pack_into`."""

contract_dtype = np.dtype(
    [
        ("asset", np.int32),
        ("kind", np.uint8),
        ("live", np.uint8),  # 0 after a delisting
        ("bid", np.float64),
        ("ask", np.float64),
        ("quote_ns", np.int64),
        ("mark", np.float64),
        ("mark_ns", np.int64),
        ("interest", np.float64),  # coins, last good value; NaN before the first
        ("interest_ns", np.int64),  # its event time
        ("cap_second", np.int64),  # second that the two shares below belong to
        ("cap_long", np.float64),
        ("cap_short", np.float64),
    ],
    align=True,
)
"""One watched contract or spot pair."""

asset_dtype = np.dtype(
    [
        ("interest", np.float64),  # coins over all contracts, NaN before the first
        ("interest_index", np.float64),  # chain-linked, 1 at the start
        ("scale", np.float64),  # u, as a share of open interest
        ("frozen", np.uint8),  # u is held while an episode lasts
        ("taker_usd", np.float64),  # of the current second, perps, bought minus sold
        ("spot_taker_usd", np.float64),
        ("price", np.float64),
        ("spot_price", np.float64),
        ("price_second", np.int64),  # second of the last price that was fresh
        ("return_var", np.float64),  # of one second, winsorised, exponentially weighted
        ("return_n", np.int64),
        ("basis_mean", np.float64),
        ("basis_var", np.float64),
        ("basis_n", np.int64),
        ("taker_mean", np.float64),
        ("taker_var", np.float64),
        ("taker_n", np.int64),
        ("price_z60", np.float64),
        ("price_z300", np.float64),
        ("basis", np.float64),
        ("basis_z", np.float64),
        ("taker_z", np.float64),
        ("depth_ratio", np.float64),
        ("depth_band", np.int32),  # index into BANDS_BP of the band it used, -1 for none
        ("interest_change_5m", np.float64),
        ("interest_age_s", np.float64),
    ],
    align=True,
)
"""One watched asset: open interest, own scale, and the market context of the last second."""

pressure_dtype = np.dtype(
    [
        ("bucket", np.float64),  # g, share of open interest
        ("bucket_ns", np.int64),  # received time it was last brought up to
        ("second", np.int64),  # second that the next two belong to
        ("added", np.float64),  # capped share of it
        ("share", np.float64),  # uncapped share of it
        ("share_total", np.float64),  # uncapped shares since the start
        ("usd_total", np.int64),  # micro-dollars since the start
        ("orders_total", np.int64),
        # The totals when the bucket last rose from empty: the CUSUM's estimate of where the
        # change began.
        ("start_share", np.float64),
        ("start_usd", np.int64),
        ("start_orders", np.int64),
        ("excited_10s", np.float64),  # exponential sums of the uncapped share
        ("excited_60s", np.float64),
        ("excited_300s", np.float64),
        ("excited_ns", np.int64),
        ("share_60s", np.float64),  # rolling sum, as of the last whole second
        ("tier", np.int32),  # tiers below the bucket: 0, 1, 2 or 3
        ("no_interest", np.int64),  # orders without pressure: open interest not known
        ("late", np.int64),  # too old on arrival, or from before the subscription
    ],
    align=True,
)
"""One ladder's forced flow: asset x position."""

bucket_dtype = np.dtype(
    [("usd", np.int64), ("largest", np.int64), ("orders", np.int32)], align=True
)
"""Forced orders of one second, or one minute, of one (asset, position, venue)."""

sum_dtype = np.dtype([("usd", np.int64), ("orders", np.int64)], align=True)
"""Their running sum over one window."""

book_dtype = np.dtype(
    [
        ("usd", np.float64),  # both sides within the band; NaN where the feed does not reach
        ("book_ns", np.int64),
        ("mean", np.float64),  # its exponentially weighted mean of an hour
        ("n", np.int64),
    ],
    align=True,
)
"""Depth of one contract within one band (contracts x bands)."""

limits_dtype = np.dtype(
    [
        ("drain_per_s", np.float64),  # in u
        ("contract_cap", np.float64),  # in u
        ("asset_cap", np.float64),  # in u
        ("tier_1", np.float64),  # in u
        ("tier_2", np.float64),
        ("tier_3", np.float64),
        ("late_ns", np.int64),
        ("venues", np.int64),  # rows of a ladder in the windows
        ("other", np.int64),  # asset row of everything off the watch list
    ],
    align=True,
)
"""What the hot door needs of the parameters; one record (numba freezes globals in its cache)."""

tape_dtype = np.dtype(
    [
        ("perp", np.float64),  # US dollars per coin
        ("spot", np.float64),
        ("mark", np.float64),
        ("interest", np.float64),  # true open interest, coins
        ("forced_long", np.float64),  # coins that forced orders closed in this second
        ("forced_short", np.float64),
        ("endogenous_long", np.float64),  # the part that no mark without forced orders had reached
        ("endogenous_short", np.float64),
        ("depth_usd", np.float64),  # both sides of all perp books within 1 %
        ("taker", np.float64),  # coins bought minus sold by takers on perps, forced ones included
        ("volume", np.float64),  # coins traded on perps
        ("spot_taker", np.float64),
        ("funding_ratio", np.float64),  # predicted funding, 8-h equivalent
        ("stress", np.float64),  # 0 calm .. 1: how far venues fall behind
    ],
    align=True,
)
"""One second of one simulated asset, whole and true: what venues show of it is another matter."""

scale_dtype = np.dtype(
    [
        ("prior", np.float64),  # u before there is a day of samples
        ("least", np.float64),  # bounds of the own quantile
        ("most", np.float64),
        ("quantile", np.float64),
        ("days", np.float64),  # until the own quantile stands alone
        ("sample_s", np.float64),  # seconds that one sample stands for
        ("fade", np.float64),  # factor of all weights, once an hour
    ],
    align=True,
)
"""What the own scale needs of the parameters; one record."""
