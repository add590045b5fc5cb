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
SmallIntegers = npt.NDArray[np.int32]
Singles = npt.NDArray[np.float32]
Flags = npt.NDArray[np.uint8]
FlagWords = npt.NDArray[np.uint16]

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
        ("full_level", np.float64),  # in u; no bucket holds more
        ("late_ns", np.int64),
        ("venues", np.int64),  # rows of a ladder in the windows
        ("other", np.int64),  # asset row of everything off the watch list
    ],
    align=True,
)
"""What the hot door needs of the parameters; one record (numba freezes globals in its cache)."""

member_dtype = np.dtype(
    [
        ("price", np.float64),  # last known; the market's: its index, 1 at the start
        ("interest_usd", np.float64),  # coins at that price, 0 where not known; the market's: all
    ],
    align=True,
)
"""One watched asset as a member of the market, or the market itself."""

part_dtype = np.dtype(
    [
        ("usd_total", np.int64),  # of the ladder's totals, what the market's have taken in
        ("orders_total", np.int64),
        ("pressed_second", np.int64),  # last second that fed a bucket at the level of breadth
        # The market's own two ladders only, as of the last whole second:
        ("breadth_ratio", np.float64),  # part of open interest that is pressed; NaN for not known
        ("breadth_assets", np.int64),
        ("lift", np.float64),  # what breadth adds to the bucket's level, in u
    ],
    align=True,
)
"""One ladder as a part of the market's, or the market's own."""

breadth_dtype = np.dtype(
    [
        ("assets", np.int64),  # fewest watched ones that make a market, fewest pressed for breadth
        ("level", np.float64),  # of the bucket of an asset that is pressed, in its own u
        ("ratio", np.float64),  # least part of open interest
        ("within_s", np.int64),
        ("lift", np.float64),  # in the market's u
    ],
    align=True,
)
"""What the market's ladders need of the parameters beside the limits; one record."""

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

regime_dtype = np.dtype(
    [
        # Fundamental price: log-OU volatility, a common factor, shocks given from outside.
        ("sigma_1s", np.float64),  # of log price in one second, at the middle of the volatility
        ("common_ratio", np.float64),  # part of the variance that all assets share
        ("vol_of_vol", np.float64),  # stationary deviation of log volatility
        ("vol_memory_s", np.float64),
        ("overshoot_ratio", np.float64),  # part of a shock that comes back
        # Impact: selling the whole 1 % depth moves the price by 1 %.
        ("depth_ratio", np.float64),  # 1 % depth over open interest when calm
        ("permanent_ratio", np.float64),  # part of an impact that stays
        ("impact_memory_s", np.float64),
        ("arbitrage_per_s", np.float64),  # part of the difference of the legs closed in a second
        ("spot_weight", np.float64),  # part of that which the spot leg yields
        # Books: thin with hurried moves, heal; buyers come when price is far from worth.
        ("thinning", np.float64),
        ("healing_s", np.float64),
        ("dip_buying_per_s", np.float64),
        ("appetite_dev", np.float64),
        # Positions.
        ("at_risk_ratio", np.float64),  # of open interest, each of longs and shorts
        ("holding_s", np.float64),
        ("crowding", np.float64),  # how far trend draws positions to one side
        ("engine_ratio", np.float64),  # most that engines sell in a second, of 1 % depth
        ("engine_s", np.float64),  # in how many seconds they would sell what waits
        # Leaving of one's own will, and coming back.
        ("leaving", np.float64),  # open interest lost for each unit of hurried log price
        ("leaving_dev", np.float64),
        ("leaving_taker", np.float64),  # part of it done with market orders
        ("closing_ratio", np.float64),  # part of forced flow whose other side closes as well
        ("returning_s", np.float64),
        ("interest_dev", np.float64),
        ("interest_memory_s", np.float64),
        # Flow of everybody else.
        ("turnover_per_s", np.float64),  # traded coins over open interest in a calm second
    ],
    align=True,
)
"""How a simulated market behaves; one record a market, ratios are of open interest or price."""

agents_dtype = np.dtype(
    [
        ("scale_usd", np.float64),  # US dollars per coin at log price 0
        ("coins", np.float64),  # open interest at level 1
        ("worth", np.float64),  # log of the price without passing impact
        ("passing_perp", np.float64),  # passing impact on the two legs
        ("passing_spot", np.float64),
        ("basis_mean", np.float64),  # as it enters the mark
        ("forced_worth", np.float64),  # what forced orders alone did to the four above
        ("forced_perp", np.float64),
        ("forced_spot", np.float64),
        ("forced_basis", np.float64),
        ("log_vol", np.float64),
        ("speed", np.float64),  # mean return of the last 20 s or so, per second
        ("hurry", np.float64),  # mean square of it over the usual one
        ("thin", np.float64),  # log of depth over calm depth
        ("appetite", np.float64),
        ("leaving", np.float64),  # log of readiness to leave
        ("interest", np.float64),  # over the asset's usual open interest
        ("interest_drift", np.float64),
        ("trend", np.float64),  # log price over its six-hour mean
        ("lean", np.float64),  # slow part of the crowding
        ("mark_bin", np.int64),
        ("waiting_long", np.float64),  # coins over usual interest that engines have to sell
        ("waiting_short", np.float64),
        ("waiting_long_own", np.float64),  # the endogenous part
        ("waiting_short_own", np.float64),
        ("funding_ratio", np.float64),
        ("deep", np.float64),  # factor on depth from outside, 1 when none
    ],
    align=True,
)
"""State of one simulated asset; logs are relative to `scale_usd`."""

shock_dtype = np.dtype(
    [
        ("second", np.int64),  # of the market
        ("asset", np.int32),  # -1 for all
        ("duration_s", np.int32),
        ("move", np.float64),  # of log price, signed
        ("deep", np.float64),  # factor on depth while it lasts: 1, or more for spot-driven moves
        ("excitement", np.float64),  # added to log volatility
    ],
    align=True,
)
"""A move of an asset's worth that comes from outside."""

scale_dtype = np.dtype(
    [
        ("prior", np.float64),  # u before there is a day of samples
        ("least", np.float64),  # bounds of the own quantile
        ("most", np.float64),
        ("quantile", np.float64),
        ("days", np.float64),  # until the own quantile stands alone
        ("sample_s", np.float64),  # seconds that one sample stands for
        ("fade", np.float64),  # factor of all weights, once an hour
        ("fall", np.float64),  # fall of open interest whose usual print u leans on
        ("least_fallen", np.float64),  # less than that in all tells nothing
        ("most_lean", np.float64),  # how far u may be off the quantile, a factor
    ],
    align=True,
)
"""What the own scale needs of the parameters; one record."""

fall_dtype = np.dtype(
    [
        ("printed", np.float64),  # forced shares of busy quarter hours, faded
        ("fallen", np.float64),  # by how much open interest fell in them, as a ratio, faded
        ("begun", np.int64),  # 1 while a quarter hour is under way
        ("lasted_s", np.float64),  # how long, in samples
        ("long_then", np.float64),  # totals and open interest when it began
        ("short_then", np.float64),
        ("index_then", np.float64),
    ],
    align=True,
)
"""What one asset's open interest did while forced orders were printed."""

# What simulated venues show of a tape. An asset has this many rows: a perpetual on each of
# three venues, then the spot pair.
ROWS_OF_ASSET: Final = 4

# Which of a second's forced orders of one contract a venue prints.
FULL_TAPE: Final = 0
LARGEST_OF_SECOND: Final = 1
LATEST_OF_SECOND: Final = 2

# What is wrong with a venue's feed in one second: bits.
DOWN: Final = 1  # nothing comes, not even answers
CUT: Final = 2  # no stream comes; forced orders may be sent later
ANEW: Final = 4  # they are sent on a connection that was opened after them
ASIDE: Final = 8  # and that is not the one which the venue's other contracts use
TWICE: Final = 16  # each forced order comes over two connections
THRICE: Final = 32
SKEW_BACK: Final = 64  # the venue's clock is behind
SKEW_AHEAD: Final = 128
FLIPPED: Final = 256  # positions are swapped
FROZEN_INTEREST: Final = 512
FROZEN_DEPTH: Final = 1024

showing_dtype = np.dtype(
    [
        ("order_sigma", np.float64),  # of its logarithm
        ("order_most", np.float64),  # largest, in means
        ("split_noise", np.float64),  # of the venues' parts of a second's orders, ratio
        ("scale", np.float64),  # factor on all printed forced orders
        ("delay_ns", np.float64),  # median
        ("delay_sigma", np.float64),  # of its logarithm
        ("delay_memory", np.float64),  # from second to second
        ("delay_stress", np.float64),  # how many medians full stress adds
        ("delay_tail", np.float64),  # chance of a slow second
        ("delay_tail_times", np.float64),  # and how many delays it adds at most
        ("jitter_ns", np.float64),
        ("stall_per_s", np.float64),  # chance that a feed stalls, at full stress
        ("stall_least_s", np.float64),
        ("stall_most_s", np.float64),
        ("half_spread", np.float64),  # ratio
        ("quote_noise", np.float64),  # of a venue's price, ratio
        ("quote_memory", np.float64),  # from second to second
        ("trade_noise", np.float64),  # of a venue's part of taker flow, ratio
        ("interest_noise", np.float64),  # of a venue's part of open interest, ratio
        ("interest_memory", np.float64),  # from poll to poll
        ("interest_fails", np.float64),  # chance at full stress
        ("interest_old", np.float64),  # chance at full stress
        ("depth_noise", np.float64),  # ratio
        ("depth_memory", np.float64),  # from second to second
        ("depth_lost", np.float64),  # chance that a second has no book
        ("depth_lost_stress", np.float64),  # added to it at full stress
        ("mark_every_s", np.int64),
        ("skew_ns", np.int64),
        ("before_ns", np.int64),  # older than its connection by this: history
    ],
    align=True,
)
"""How venues show a tape; one record."""

shown_venue_dtype = np.dtype(
    [
        ("rule", np.int64),
        ("push_ns", np.int64),  # how often a full tape is sent
        ("poll_s", np.int64),  # how often open interest is asked for
        ("reach", np.int64),  # bands that its book covers
        ("seed", np.int64),
        ("lag", np.float64),  # of this second, in sigmas
        ("delay_ns", np.float64),
        ("part", np.float64),  # of the asset's forced coins of this second
    ],
    align=True,
)
"""A simulated venue: its rules, and its state in the second that runs."""

shown_row_dtype = np.dtype(
    [
        ("seed_orders", np.int64),
        ("seed_arrivals", np.int64),
        ("seed_quotes", np.int64),
        ("due_long", np.float64),  # coins forced and not yet printed
        ("due_short", np.float64),
        ("next_long", np.float64),  # coins of the order that comes next; 0 before it is drawn
        ("next_short", np.float64),
        ("stalled_ns", np.int64),  # nothing is received before
        ("quote", np.float64),  # noises, in sigmas
        ("interest_off", np.float64),
        ("depth", np.float64),
        ("interest", np.float64),  # coins, last answer; 0 before the first
        ("lot", np.float64),  # coins that open interest is rounded to
        ("share", np.float64),  # the venue's part of the asset
        ("printed", np.float64),  # part of the asset's forced coins that venues tell of at all
        ("order_share", np.float64),  # mean forced order, share of open interest
    ],
    align=True,
)
"""A simulated contract: state from second to second (4 x assets)."""

whale_dtype = np.dtype(
    [
        ("second", np.int64),
        ("row", np.int64),
        ("position", np.int64),
        ("orders", np.int64),
        ("share", np.float64),  # of open interest, all of them
    ],
    align=True,
)
"""Forced orders of one second that the tape does not hold; by second, then row."""

burst_dtype = np.dtype(
    [
        ("start", np.int64),  # second
        ("end", np.int64),
        ("asset", np.int64),
        ("long", np.float64),  # times the asset's usual forced share per second, both positions
        ("short", np.float64),
        ("most", np.float64),  # share per second, of each position
    ],
    align=True,
)
"""Forced orders beside those of the tape, as multiples of what is usual."""

episode_dtype = np.dtype(
    [
        ("ladder", np.int64),
        ("rank", np.int64),
        ("onset", np.int64),  # first second with forced flow
        ("end", np.int64),  # last second with forced flow
        ("early", np.int64),  # second in which 5 % of the flow was reached
        ("bottom", np.int64),  # second of the extreme of the mark
        ("share", np.float64),  # forced coins over open interest just before onset
        ("endogenous", np.float64),  # part of them that only forced flow brought about
        ("start_price", np.float64),  # mark a while before onset
        ("extreme", np.float64),  # of the mark within the episode, in the forced direction
        ("move", np.float64),  # from the one to the other, positive in the forced direction
        ("decline", np.float64),  # of open interest, from before onset to after the end
    ],
    align=True,
)
"""One stretch of true forced flow of one ladder; seconds count from the month's first."""
