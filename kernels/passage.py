"""The passage of time: many seconds of one detector in one call, from a structured batch.

It does what the engine does for frames, in the same order: take the events received before the
second's end, drain the buckets, renew the market around them, sample the scales, roll the
windows. Whoever judges is asked where the engine would ask: at an order that crosses a tier,
and at the end of a second in which a ladder may change its state. Between two such moments
nothing but compiled code runs, so months of a simulated market pass in minutes.
"""

import math
from typing import Final

from numba import boolean, float32, float64, int64
from numba.np.numpy_support import from_dtype

from kernels import context, flow, pool, scale
from kernels.dtypes import (
    BANDS_BP,
    Integers,
    Reals,
    Records,
    Singles,
    asset_dtype,
    book_dtype,
    breadth_dtype,
    bucket_dtype,
    contract_dtype,
    event_dtype,
    fall_dtype,
    limits_dtype,
    member_dtype,
    part_dtype,
    pressure_dtype,
    scale_dtype,
    sum_dtype,
)
from kernels.jit import kernel

NS: Final = 1_000_000_000
SAMPLE_EACH_S: Final = 10
AGE_EACH_S: Final = 3600

# Why a call came back.
DONE: Final = 0  # every second has been lived through
CROSSED: Final = 1  # the event before the next one lifted its bucket through a tier
ENDED: Final = 2  # the second that runs has ended and wants to be judged

# Places in `at`.
NEXT_EVENT: Final = 0
SECOND: Final = 1  # the one that runs
STAGE: Final = 2  # 1 when it has ended: the next call begins the following one

_events = from_dtype(event_dtype)[::1]
_contracts = from_dtype(contract_dtype)[::1]
_assets = from_dtype(asset_dtype)[::1]
_pressure = from_dtype(pressure_dtype)[::1]
_buckets = from_dtype(bucket_dtype)[:, ::1]
_sums = from_dtype(sum_dtype)[:, ::1]
_limits = from_dtype(limits_dtype)[::1]
_books = from_dtype(book_dtype)[:, ::1]
_falls = from_dtype(fall_dtype)[::1]
_rules = from_dtype(scale_dtype)[::1]
_members = from_dtype(member_dtype)[::1]
_parts = from_dtype(part_dtype)[::1]
_breadth = from_dtype(breadth_dtype)[::1]
_history = float64[:, ::1]
_singles = float32[:, ::1]


@kernel(boolean(_assets, _pressure, _parts, float64[::1], int64[::1], float64, int64))
def _wants_judging(
    assets: Records,
    pressure: Records,
    parts: Records,
    least: Reals,
    quiet_s: Integers,
    quiet_level: float,
    quiet_hold_s: int,
) -> bool:
    """Whether some ladder could change its state at this second's end; if none, a second passes.

    Args:
        assets: Own scales are read.
        pressure: Buckets are read.
        parts: What breadth adds to their levels is read.
        least: By judged ladder, the level from which it has to be judged.
        quiet_s: How long each has been below the quiet level, changed in place if nobody wants
            judging; negative for a ladder at rest, which is judged if its bucket is at a tier.
        quiet_level: In u.
        quiet_hold_s: After so many quiet seconds a ladder has to be judged.
    """
    for ladder in range(len(least)):
        if quiet_s[ladder] < 0:
            if pressure["tier"][ladder] > 0:
                return True
            continue
        level = pressure["bucket"][ladder] / assets["scale"][ladder // 2] + parts["lift"][ladder]
        quiet = quiet_s[ladder] + 1 if level < quiet_level else 0
        if level >= least[ladder] or quiet >= quiet_hold_s:
            return True
    for ladder in range(len(least)):
        if quiet_s[ladder] >= 0:
            scale = assets["scale"][ladder // 2]
            level = pressure["bucket"][ladder] / scale + parts["lift"][ladder]
            quiet_s[ladder] = quiet_s[ladder] + 1 if level < quiet_level else 0
    return False


@kernel(
    int64(
        int64[::1],
        int64,
        int64,
        int64,
        float64[::1],
        int64[::1],
        float64,
        int64,
        _events,
        float64[:, :, ::1],
        _contracts,
        _assets,
        _pressure,
        _history,
        _buckets,
        _buckets,
        _sums,
        _limits,
        _books,
        _history,
        _history,
        _history,
        _members,
        _parts,
        _breadth,
        float64[::1],
        float64[::1],
        float64[::1],
        int64[::1],
        _history,
        float64[::1],
        float64[::1],
        _falls,
        _rules,
        float64[::1],
        int64[::1],
        int64[::1],
        _singles,
        _singles,
        _singles,
        _singles,
        _singles,
        _singles,
    )
)
def live(
    at: Integers,
    since: int,
    until: int,
    flowing: int,
    least: Reals,
    quiet_s: Integers,
    quiet_level: float,
    quiet_hold_s: int,
    events: Records,
    depths: Reals,
    contracts: Records,
    assets: Records,
    pressure: Records,
    shares: Reals,
    seconds: Records,
    minutes: Records,
    sums: Records,
    limits: Records,
    books: Records,
    prices: Reals,
    interests: Reals,
    takers: Reals,
    members: Records,
    parts: Records,
    breadth: Records,
    perp_values: Reals,
    spot_values: Reals,
    ratios: Reals,
    chain: Integers,
    bins: Reals,
    mass: Reals,
    sampled_s: Reals,
    falls: Records,
    rules: Records,
    peaks: Reals,
    seen_micro_usd: Integers,
    seen_orders: Integers,
    level: Singles,
    share: Singles,
    usd: Singles,
    orders: Singles,
    price: Singles,
    interest_index: Singles,
) -> int:
    """Live through the seconds from the one that runs up to, not including, `until`.

    Args:
        at: Where it stands (three numbers, named above), changed in place; call again with it
            as it is after judging.
        since: Second of the first row of `depths` and of the record.
        until: Where to stop.
        flowing: Whether any stream of forced orders flows, so that scales may be sampled.
        least: As `_wants_judging` has them, from here on.
        quiet_s: The same, changed in place.
        quiet_level: The same.
        quiet_hold_s: The same.
        events: Ordered by `received_ns`.
        depths: US dollars (seconds x contracts x bands); NaN for a band that the feed does not
            reach, in all bands where no book came in that second.
        contracts: The detector's arrays, from here on changed in place.
        assets: As `flow.ingest` has them.
        pressure: The same.
        shares: As `flow.close_second` has them.
        seconds: As `flow.roll` has them.
        minutes: The same.
        sums: The same.
        limits: As `flow.ingest` has them.
        books: As `context.close_second` has them.
        prices: The same.
        interests: The same.
        takers: The same.
        members: As `pool.close_second` has them.
        parts: The same.
        breadth: The same.
        perp_values: Room, as `context.close_second` needs it.
        spot_values: The same.
        ratios: The same.
        chain: The same.
        bins: As `scale.renew` has them.
        mass: The same.
        sampled_s: The same.
        falls: The same.
        rules: The same.
        peaks: Highest level so far of the second that runs (watched ladders), kept between
            calls.
        seen_micro_usd: Totals when the second began (ladders), kept likewise.
        seen_orders: The same.
        level: Record (seconds x ladders): bucket, in u, behind the second's last order (as the
            second began where there was none), or at a crossing where that was higher. So it
            reaches every tier that some order reached.
        share: Forced share of open interest of the second, before any cap.
        usd: Forced US dollars of it.
        orders: How many forced orders; like the dollars, without those that press nothing.
        price: Record (seconds x assets): median price of the perpetuals, NaN for none.
        interest_index: Chain-linked open interest as last told.

    Returns:
        DONE, CROSSED or ENDED. A record without rows is not written.
    """
    received = events["received_ns"]
    watched = len(peaks)
    while True:
        if at[STAGE] == 1:
            at[STAGE] = 0
            at[SECOND] += 1
            flow.roll(at[SECOND], seconds, minutes, sums)
        second = at[SECOND]
        if second >= until:
            return DONE
        t = second - since
        recorded = t < level.shape[0]
        start = at[NEXT_EVENT]
        end = start
        end_ns = (second + 1) * NS
        while end < len(events) and received[end] < end_ns:
            end += 1
        crossed = flow.ingest(
            events,
            start,
            end,
            second,
            contracts,
            assets,
            pressure,
            seconds,
            minutes,
            sums,
            limits,
        )
        if crossed < end:
            at[NEXT_EVENT] = crossed + 1
            asset = int64(contracts["asset"][events["row"][crossed]])
            ladder = 2 * asset + int64(events["position"][crossed])
            reached = pressure["bucket"][ladder] / assets["scale"][asset]
            peaks[ladder] = max(peaks[ladder], reached)
            return CROSSED
        at[NEXT_EVENT] = end

        if t < depths.shape[0]:
            for row in range(depths.shape[1]):
                told = False
                for band in range(len(BANDS_BP)):
                    told = told or not math.isnan(depths[t, row, band])
                if told:
                    for band in range(len(BANDS_BP)):
                        books["usd"][row, band] = depths[t, row, band]
                        books["book_ns"][row, band] = second * NS

        if recorded:
            for ladder in range(watched):
                reached = pressure["bucket"][ladder] / assets["scale"][ladder // 2]
                level[t, ladder] = max(peaks[ladder], reached)
                peaks[ladder] = 0.0
                total = pressure["usd_total"][ladder]
                usd[t, ladder] = (total - seen_micro_usd[ladder]) * 1e-6
                seen_micro_usd[ladder] = total
                total = pressure["orders_total"][ladder]
                orders[t, ladder] = total - seen_orders[ladder]
                seen_orders[ladder] = total

        flow.close_second(second, assets, pressure, shares, limits)
        context.close_second(
            second,
            contracts,
            assets[: len(assets) - 1],
            books,
            prices,
            interests,
            takers,
            perp_values,
            spot_values,
            ratios,
            chain,
        )
        pool.close_second(
            second,
            assets,
            pressure,
            shares,
            prices,
            interests,
            takers,
            members,
            parts,
            limits,
            breadth,
            perp_values,
        )
        if flowing != 0 and (second + 1) % SAMPLE_EACH_S == 0:
            scale.renew(bins, mass, sampled_s, falls, assets, pressure, rules)
        if (second + 1) % AGE_EACH_S == 0:
            scale.fade(bins, mass, falls, rules["fade"][0])

        if recorded:
            for ladder in range(watched):
                share[t, ladder] = shares[ladder, second % shares.shape[1]]
            for asset in range(watched // 2):
                price[t, asset] = assets["price"][asset]
                interest_index[t, asset] = assets["interest_index"][asset]

        at[STAGE] = 1
        if _wants_judging(assets, pressure, parts, least, quiet_s, quiet_level, quiet_hold_s):
            return ENDED
