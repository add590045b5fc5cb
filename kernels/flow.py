"""The hot door: forced orders and what prices them, event by event.

For each ladder (asset a, position d), with x an order's coins over the asset's open interest
and u the asset's own scale, the bucket is the CUSUM of a compound Poisson flow

    g <- min(full, max(0, g - k u dt) + min(x, room under the caps)),      k = 3 / 60 s by default

on the received clock, in log order. One contract may add 0.5 u a second and one asset 2.5 u,
so that a single whale cannot raise an alarm (light tails are what makes the false-alarm rate
of a CUSUM fall exponentially; Lorden 1971, Moustakides 1986). Totals run beside it by event
time: buckets of a second for an hour and of a minute for a day, with exact integer sums.

`ingest` takes a batch up to an order that lifts a bucket through a tier; what follows from that
is decided elsewhere, at that order, so no result depends on how events were cut into batches.
"""

import math

from numba import float64, int64, types
from numba.np.numpy_support import from_dtype

from kernels.dtypes import (
    LIQUIDATION,
    MICRO_USD,
    MINUTES_HELD,
    MOST_MICRO_USD,
    SECOND_WINDOWS,
    SECONDS_HELD,
    SPOT,
    TRADE,
    WINDOWS_S,
    Reals,
    Records,
    asset_dtype,
    bucket_dtype,
    contract_dtype,
    event_dtype,
    limits_dtype,
    pressure_dtype,
    sum_dtype,
)
from kernels.jit import kernel

NS = 1_000_000_000
_BOOK_TOP = 2
_MARK = 3

_events = from_dtype(event_dtype)[::1]
_contracts = from_dtype(contract_dtype)[::1]
_assets = from_dtype(asset_dtype)[::1]
_pressure = from_dtype(pressure_dtype)[::1]
_buckets = from_dtype(bucket_dtype)[:, ::1]
_sums = from_dtype(sum_dtype)[:, ::1]
_limits = from_dtype(limits_dtype)[::1]


@kernel(
    int64(
        _events,
        int64,
        int64,
        int64,
        _contracts,
        _assets,
        _pressure,
        _buckets,
        _buckets,
        _sums,
        _limits,
    )
)
def ingest(
    events: Records,
    start: int,
    end: int,
    second: int,
    contracts: Records,
    assets: Records,
    pressure: Records,
    seconds: Records,
    minutes: Records,
    sums: Records,
    limits: Records,
) -> int:
    """Take the events of a batch from `start`, in order; `second` is the one that runs now.

    It stops behind an order that lifted its bucket through a tier, so that whoever judges the
    crossing finds every array as it was at that very order; call again with the next index.

    Changes contracts, assets, pressure, seconds (lines x 3600), minutes (lines x 1440) and
    sums (lines x 7) in place, a line being (2 x asset + position) x venues + venue.

    Returns:
        Index of the order that crossed; `end` when all events were taken without one.
    """
    kinds, rows, venue_of = events["kind"], events["row"], events["venue"]
    received, happened = events["received_ns"], events["event_ns"]
    first, other_value = events["a"], events["b"]
    venues, other = limits["venues"][0], limits["other"][0]
    late_ns, drain = limits["late_ns"][0], limits["drain_per_s"][0]
    contract_cap, asset_cap = limits["contract_cap"][0], limits["asset_cap"][0]
    tier_1, tier_2, tier_3 = limits["tier_1"][0], limits["tier_2"][0], limits["tier_3"][0]
    for i in range(start, end):
        kind, row, a, b = kinds[i], rows[i], first[i], other_value[i]
        if kind == _BOOK_TOP:
            contracts["bid"][row] = a
            contracts["ask"][row] = b
            contracts["quote_ns"][row] = received[i]
            continue
        if kind == TRADE:
            usd = a * b
            if not math.isfinite(usd):
                continue  # one such value would stay in the means for good
            asset = contracts["asset"][row]
            if contracts["kind"][row] == SPOT:
                assets["spot_taker_usd"][asset] += usd
            else:
                assets["taker_usd"][asset] += usd
            continue
        if kind == _MARK:
            contracts["mark"][row] = a
            contracts["mark_ns"][row] = received[i]
            continue
        if kind != LIQUIDATION:
            # Open interest: a contract's change moves the chain; a new contract adds to the
            # level alone, one that falls silent changes nothing. Nor does what is no amount.
            if math.isnan(a) and contracts["mark"][row] > 0.0:
                # Known in money only (an inverse contract's answer carries no price).
                a = b / contracts["mark"][row]
            if not 0.0 < a < math.inf:
                continue
            asset = contracts["asset"][row]
            before, level = contracts["interest"][row], assets["interest"][asset]
            if math.isnan(before):
                assets["interest"][asset] = a if math.isnan(level) else level + a
            else:
                if level > 0.0:
                    assets["interest_index"][asset] *= 1.0 + (a - before) / level
                assets["interest"][asset] = level + (a - before)
            contracts["interest"][row] = a
            contracts["interest_ns"][row] = happened[i]
            continue

        # Totals, by event time. An order from the future belongs to the second that runs.
        micro = int64(0)
        if b > 0.0:
            micro = int64(min(b * MICRO_USD + 0.5, float64(MOST_MICRO_USD)))
        asset = other if row < 0 else int64(contracts["asset"][row])
        ladder = asset * 2 + int64(events["position"][i])
        line = ladder * venues + int64(venue_of[i])
        event_second = min(happened[i] // NS, second)
        age = second - event_second
        if age < SECONDS_HELD:
            place = event_second % SECONDS_HELD
            seconds["usd"][line, place] += micro
            seconds["orders"][line, place] += 1
            seconds["largest"][line, place] = max(seconds["largest"][line, place], micro)
            for w in range(SECOND_WINDOWS):
                if age < WINDOWS_S[w]:
                    sums["usd"][line, w] += micro
                    sums["orders"][line, w] += 1
        minute = event_second // 60
        age_min = second // 60 - minute
        if age_min < MINUTES_HELD:
            place = minute % MINUTES_HELD
            minutes["usd"][line, place] += micro
            minutes["orders"][line, place] += 1
            minutes["largest"][line, place] = max(minutes["largest"][line, place], micro)
            for w in range(SECOND_WINDOWS, len(WINDOWS_S)):
                if age_min * 60 < WINDOWS_S[w]:
                    sums["usd"][line, w] += micro
                    sums["orders"][line, w] += 1
        if row < 0:
            continue

        # Pressure, by received time.
        if events["counts"][i] == 0 or received[i] - happened[i] > late_ns:
            pressure["late"][ladder] += 1
            continue
        interest = assets["interest"][asset]
        if not (interest > 0.0 and 0.0 < a < math.inf):
            pressure["no_interest"][ladder] += 1
            continue
        x = a / interest
        u = assets["scale"][asset]
        now_second = received[i] // NS
        dt_s = (received[i] - pressure["bucket_ns"][ladder]) * 1e-9
        before = max(0.0, pressure["bucket"][ladder] - drain * u * dt_s)

        if contracts["cap_second"][row] != now_second:
            contracts["cap_second"][row] = now_second
            contracts["cap_long"][row] = 0.0
            contracts["cap_short"][row] = 0.0
        # The scale may shrink within a second; room is never negative.
        if events["position"][i] == 0:
            add = max(0.0, min(x, contract_cap * u - contracts["cap_long"][row]))
            contracts["cap_long"][row] += add
        else:
            add = max(0.0, min(x, contract_cap * u - contracts["cap_short"][row]))
            contracts["cap_short"][row] += add
        if pressure["second"][ladder] != now_second:
            pressure["second"][ladder] = now_second
            pressure["added"][ladder] = 0.0
            pressure["share"][ladder] = 0.0
        add = max(0.0, min(add, asset_cap * u - pressure["added"][ladder]))
        if before == 0.0:
            pressure["start_share"][ladder] = pressure["share_total"][ladder]
            pressure["start_usd"][ladder] = pressure["usd_total"][ladder]
            pressure["start_orders"][ladder] = pressure["orders_total"][ladder]
        pressure["added"][ladder] += add
        pressure["share"][ladder] += x
        pressure["share_total"][ladder] += x
        pressure["usd_total"][ladder] += micro
        pressure["orders_total"][ladder] += 1
        after = min(before + add, limits["full_level"][0] * u)
        pressure["bucket"][ladder] = after
        pressure["bucket_ns"][ladder] = received[i]

        dt_s = (received[i] - pressure["excited_ns"][ladder]) * 1e-9
        pressure["excited_10s"][ladder] = (
            pressure["excited_10s"][ladder] * math.exp(-dt_s / 10.0) + x
        )
        pressure["excited_60s"][ladder] = (
            pressure["excited_60s"][ladder] * math.exp(-dt_s / 60.0) + x
        )
        pressure["excited_300s"][ladder] = (
            pressure["excited_300s"][ladder] * math.exp(-dt_s / 300.0) + x
        )
        pressure["excited_ns"][ladder] = received[i]

        tier_before = 0
        if before >= tier_3 * u:
            tier_before = 3
        elif before >= tier_2 * u:
            tier_before = 2
        elif before >= tier_1 * u:
            tier_before = 1
        tier = 0
        if after >= tier_3 * u:
            tier = 3
        elif after >= tier_2 * u:
            tier = 2
        elif after >= tier_1 * u:
            tier = 1
        pressure["tier"][ladder] = tier
        if tier > tier_before:
            return i
    return end


@kernel(types.void(int64, _assets, _pressure, float64[:, ::1], _limits))
def close_second(
    second: int, assets: Records, pressure: Records, shares: Reals, limits: Records
) -> None:
    """End a second for every ladder: drain its bucket to the boundary, renew its 60-s share.

    Args:
        second: The second that ends.
        assets: Own scales are read.
        pressure: Changed in place.
        shares: Shares of the last 64 seconds (ladders x 64), changed in place.
        limits: Drain and tiers.
    """
    end_ns = (second + 1) * NS
    drain = limits["drain_per_s"][0]
    for ladder in range(len(pressure)):
        u = assets["scale"][ladder // 2]
        dt_s = (end_ns - pressure["bucket_ns"][ladder]) * 1e-9
        bucket = max(0.0, pressure["bucket"][ladder] - drain * u * dt_s)
        pressure["bucket"][ladder] = bucket
        pressure["bucket_ns"][ladder] = end_ns
        tier = 0
        if bucket > 0.0:
            if bucket >= limits["tier_3"][0] * u:
                tier = 3
            elif bucket >= limits["tier_2"][0] * u:
                tier = 2
            elif bucket >= limits["tier_1"][0] * u:
                tier = 1
        pressure["tier"][ladder] = tier
        added = pressure["share"][ladder] if pressure["second"][ladder] == second else 0.0
        shares[ladder, second % 64] = added
        total = 0.0
        if second - pressure["second"][ladder] < 60:  # else nothing came that could be summed
            for back in range(60):
                total += shares[ladder, (second - back) % 64]
        pressure["share_60s"][ladder] = total


@kernel(types.void(int64, _buckets, _buckets, _sums))
def roll(second: int, seconds: Records, minutes: Records, sums: Records) -> None:
    """Make `second` the one that runs: what leaves a window is taken out of its sum.

    To be called for each second in turn; the new second's buckets are emptied for use.
    """
    for line in range(sums.shape[0]):
        if sums["orders"][line, len(WINDOWS_S) - 1] == 0 and (
            sums["orders"][line, SECOND_WINDOWS - 1] == 0
        ):
            continue  # nothing in the longest windows: nothing in any, no bucket to empty
        for w in range(SECOND_WINDOWS):
            place = (second - WINDOWS_S[w]) % SECONDS_HELD
            sums["usd"][line, w] -= seconds["usd"][line, place]
            sums["orders"][line, w] -= seconds["orders"][line, place]
        place = second % SECONDS_HELD
        seconds["usd"][line, place] = 0
        seconds["largest"][line, place] = 0
        seconds["orders"][line, place] = 0
        if second % 60 == 0:
            minute = second // 60
            for w in range(SECOND_WINDOWS, len(WINDOWS_S)):
                place = (minute - WINDOWS_S[w] // 60) % MINUTES_HELD
                sums["usd"][line, w] -= minutes["usd"][line, place]
                sums["orders"][line, w] -= minutes["orders"][line, place]
            place = minute % MINUTES_HELD
            minutes["usd"][line, place] = 0
            minutes["largest"][line, place] = 0
            minutes["orders"][line, place] = 0


@kernel(int64(int64, int64, int64, _buckets, _buckets))
def largest(second: int, line: int, window_s: int, seconds: Records, minutes: Records) -> int:
    """Largest order, micro-dollars, of a line's last `window_s` seconds."""
    most = int64(0)
    if window_s <= SECONDS_HELD:
        for back in range(window_s):
            most = max(most, seconds["largest"][line, (second - back) % SECONDS_HELD])
    else:
        minute = second // 60
        for back in range(window_s // 60):
            most = max(most, minutes["largest"][line, (minute - back) % MINUTES_HELD])
    return int(most)
