"""What venues show of a tape: forced orders, quotes, marks, trades, open interest and depth.

The tape is whole and true. Venues have a part of it each, print forced orders by rules of their
own (`kernels.forced`), are asked for open interest now and then, and show depth as far as their
books go. What is sent arrives late, through feeds that stall under stress, over connections that
break, overlap and are made anew.

All randomness comes from streams of `kernels.draws`, three of each contract: what orders there
are does not depend on how they are printed, nor one asset on what befalls another.
"""

import math

from numba import float64, int32, int64, types
from numba.np.numpy_support import from_dtype

from kernels.arrival import put
from kernels.draws import normal, uniform
from kernels.dtypes import (
    BOOK_TOP,
    CUT,
    DOWN,
    FROZEN_DEPTH,
    FROZEN_INTEREST,
    MARK,
    OPEN_INTEREST,
    ROWS_OF_ASSET,
    TRADE,
    FlagWords,
    Integers,
    Reals,
    Records,
    SmallIntegers,
    burst_dtype,
    event_dtype,
    showing_dtype,
    shown_row_dtype,
    shown_venue_dtype,
    tape_dtype,
    whale_dtype,
)
from kernels.forced import send, skew, split
from kernels.jit import kernel

NS = 1_000_000_000
MS = 1_000_000
# A day's memory of an asset's usual forced share per second, and the most one second counts.
_USUAL_S = 86_400.0
_USUAL_MOST = 1e-4
# Where in its second a row was made: a quote somewhere in the part before its end, so that most
# arrive within the second they speak of.
_QUOTE_MS = 600
_QUOTE_SPAN_MS = 300.0
_MARK_MS = 500
_TRADE_MS = 950
_ANSWER_MS = 300

_events = from_dtype(event_dtype)[::1]
_tape = from_dtype(tape_dtype)[:, ::1]
_showing = from_dtype(showing_dtype)[::1]
_venues = from_dtype(shown_venue_dtype)[::1]
_rows = from_dtype(shown_row_dtype)[::1]
_whales = from_dtype(whale_dtype)[::1]
_bursts = from_dtype(burst_dtype)[::1]


@kernel(
    types.void(
        _tape,
        types.uint16[:, ::1],
        int32[:, ::1],
        int32[:, ::1],
        _whales,
        _bursts,
        int64,
        _showing,
        _venues,
        _rows,
        float64[:, ::1],
        float64[:, ::1],
        float64[::1],
        float64[::1],
        int64[::1],
        float64[::1],
        int64[::1],
        _events,
        int32[::1],
        float64[:, :, ::1],
        int64[::1],
    )
)
def show(
    tape: Records,
    flags: FlagWords,
    releases: SmallIntegers,
    numbers: SmallIntegers,
    whales: Records,
    bursts: Records,
    first_second: int,
    params: Records,
    venues: Records,
    rows: Records,
    usual: Reals,
    books: Reals,
    profile: Reals,
    table: Reals,
    times: Integers,
    coins: Reals,
    positions: Integers,
    events: Records,
    connections: SmallIntegers,
    depths: Reals,
    progress: Integers,
) -> None:
    """Show seconds of a tape until they end, or until the room for rows might not suffice.

    Args:
        tape: Seconds x assets.
        flags: What is wrong with each contract (seconds x contracts).
        releases: Second of the tape at which a cut contract's forced orders are sent, -1 for
            never (seconds x contracts).
        numbers: Connection of each venue (seconds x venues); one in four is used.
        whales: Orders beside those of the tape, by second and row.
        bursts: Flow beside that of the tape.
        first_second: Market second of the tape's first line.
        params: How venues show a tape.
        venues: Rules and state of each venue, changed in place.
        rows: State of each contract, changed in place.
        usual: Forced share per second of a usual day, and over how many seconds (assets x 2),
            changed in place.
        books: Last depth shown (contracts x bands), changed in place.
        profile: Part of the depth within 1 % that each band holds.
        table: Quantiles of the normal distribution.
        times: Room for a second's orders of one contract.
        coins: The same.
        positions: The same.
        events: Rows made, from `progress` on; received times in no order.
        connections: Connection of each; 0 for answers.
        depths: US dollars by second, contract and band; NaN where no book was shown.
        progress: Next line of the tape, rows made, next whale; changed in place.
    """
    perps, spots, marks = tape["perp"], tape["spot"], tape["mark"]
    interests, stresses, depth_usd = tape["interest"], tape["stress"], tape["depth_usd"]
    longs, shorts = tape["forced_long"], tape["forced_short"]
    takers, spot_takers = tape["taker"], tape["spot_taker"]
    venue_seeds = venues["seed"]
    orders_seeds, quote_seeds = rows["seed_orders"], rows["seed_quotes"]
    arrival_seeds = rows["seed_arrivals"]
    venue_count, bands = len(venues), len(profile)
    jitter_ns = params["jitter_ns"][0]
    delay_sigma, delay_memory = params["delay_sigma"][0], params["delay_memory"][0]
    delay_step = math.sqrt(1.0 - delay_memory * delay_memory)
    quote_noise, quote_memory = params["quote_noise"][0], params["quote_memory"][0]
    quote_step = math.sqrt(1.0 - quote_memory * quote_memory)
    interest_memory = params["interest_memory"][0]
    interest_step = math.sqrt(1.0 - interest_memory * interest_memory)
    depth_noise, depth_memory = params["depth_noise"][0], params["depth_memory"][0]
    depth_step = math.sqrt(1.0 - depth_memory * depth_memory)
    half_spread, trade_noise = params["half_spread"][0], params["trade_noise"][0]
    mark_every_s, split_noise = params["mark_every_s"][0], params["split_noise"][0]
    made, whale = progress[1], progress[2]
    # The most that one second can make: two trades too many, and every order three times.
    most = tape.shape[1] * (2 + venue_count * (4 + 3 * len(times)))
    line = progress[0]
    while line < tape.shape[0] and made + most <= len(events):
        second = first_second + line
        now_ns = second * NS
        for v in range(venue_count):
            lag = delay_memory * venues["lag"][v] + delay_step * normal(venue_seeds, v, table)
            late_ns = params["delay_ns"][0] * math.exp(delay_sigma * lag)
            if uniform(venue_seeds, v) < params["delay_tail"][0]:
                late_ns *= 1.0 + params["delay_tail_times"][0] * uniform(venue_seeds, v)
            venues["lag"][v] = lag
            venues["delay_ns"][v] = late_ns
        for asset in range(tape.shape[1]):
            stress = min(1.0, max(0.0, stresses[line, asset]))
            slow = 1.0 + params["delay_stress"][0] * stress
            interest = interests[line, asset]
            base = asset * ROWS_OF_ASSET
            mean = rows["order_share"][base] * interest
            long_coins, short_coins = longs[line, asset], shorts[line, asset]
            share = (long_coins + short_coins) / interest
            weight = max(1.0 / _USUAL_S, 1.0 / (usual[asset, 1] + 1.0))
            for b in range(len(bursts)):
                if bursts["asset"][b] == asset and bursts["start"][b] <= second < bursts["end"][b]:
                    most_coins = bursts["most"][b] * interest
                    more = usual[asset, 0] * interest
                    long_coins += min(most_coins, bursts["long"][b] * more)
                    short_coins += min(most_coins, bursts["short"][b] * more)
            usual[asset, 0] += weight * (min(share, _USUAL_MOST) - usual[asset, 0])
            usual[asset, 1] += 1.0
            long_coins *= rows["printed"][base]
            short_coins *= rows["printed"][base]
            spot = base + ROWS_OF_ASSET - 1  # its stream of orders is free: it splits
            if long_coins + short_coins > 0.0:
                total = 0.0
                for v in range(venue_count):
                    noise = split_noise * (2.0 * uniform(orders_seeds, spot) - 1.0)
                    part = rows["share"][base + v] * (1.0 + noise)
                    venues["part"][v] = part
                    total += part
                for v in range(venue_count):
                    venues["part"][v] /= total

            for v in range(venue_count):
                row = base + v
                flag = int64(flags[line, row])
                skew_ns = skew(flag, params["skew_ns"][0])
                number = int64(numbers[line, v])
                venue_share = rows["share"][row]

                # How late this contract's stream is; under stress it stalls and then catches up.
                chance = uniform(quote_seeds, row)
                delay_ns = int(venues["delay_ns"][v] * slow + jitter_ns * chance)
                chance = uniform(quote_seeds, row)
                if (
                    chance < params["stall_per_s"][0] * stress * stress
                    and rows["stalled_ns"][row] <= now_ns
                ):
                    least_s, most_s = params["stall_least_s"][0], params["stall_most_s"][0]
                    stall_s = least_s + (most_s - least_s) * uniform(quote_seeds, row)
                    rows["stalled_ns"][row] = now_ns + int(stall_s * 1000.0) * MS
                held_ns = rows["stalled_ns"][row]

                # Quote, mark and trade.
                quote = quote_memory * rows["quote"][row]
                quote += quote_step * normal(quote_seeds, row, table)
                rows["quote"][row] = quote
                chance = uniform(quote_seeds, row)
                noise = trade_noise * (2.0 * uniform(quote_seeds, row) - 1.0)
                flow = takers[line, asset] * venue_share * (1.0 + noise)
                if flag & (DOWN | CUT) == 0:
                    middle = perps[line, asset] * (1.0 + quote_noise * quote)
                    event_ns = now_ns + int(_QUOTE_MS + _QUOTE_SPAN_MS * chance) * MS
                    received_ns = max(held_ns, event_ns + delay_ns)
                    rest = (row, BOOK_TOP, 0, v, 1, number)
                    bid, ask = middle * (1.0 - half_spread), middle * (1.0 + half_spread)
                    event_ns += skew_ns
                    made = put(events, connections, made, received_ns, event_ns, bid, ask, rest)
                    if (second + asset + v) % mark_every_s == 0:
                        event_ns = now_ns + _MARK_MS * MS
                        received_ns = max(held_ns, event_ns + delay_ns)
                        rest = (row, MARK, 0, v, 1, number)
                        mark, index = marks[line, asset], spots[line, asset]
                        event_ns += skew_ns
                        made = put(
                            events, connections, made, received_ns, event_ns, mark, index, rest
                        )
                    if flow != 0.0:
                        event_ns = now_ns + _TRADE_MS * MS
                        received_ns = max(held_ns, event_ns + delay_ns)
                        rest = (row, TRADE, 0, v, 1, number)
                        event_ns += skew_ns
                        made = put(
                            events, connections, made, received_ns, event_ns, flow, middle, rest
                        )

                # Open interest is asked for: a broken stream does not hold it back.
                if (second + 7 * asset + 3 * v) % venues["poll_s"][v] == 0:
                    off = interest_memory * rows["interest_off"][row]
                    off += interest_step * normal(quote_seeds, row, table)
                    rows["interest_off"][row] = off
                    fails = uniform(quote_seeds, row) < params["interest_fails"][0] * stress
                    old = uniform(quote_seeds, row) < params["interest_old"][0] * stress
                    if not (fails or flag & DOWN):
                        value = rows["interest"][row]
                        if not (value > 0.0 and (old or flag & FROZEN_INTEREST)):
                            value = interest * venue_share
                            value *= 1.0 + params["interest_noise"][0] * off
                            lot = rows["lot"][row]
                            value = math.floor(value / lot + 0.5) * lot
                            rows["interest"][row] = value
                        event_ns = now_ns + _ANSWER_MS * MS
                        rest = (row, OPEN_INTEREST, 0, v, 1, 0)
                        received_ns = event_ns + delay_ns
                        event_ns += skew_ns
                        made = put(
                            events, connections, made, received_ns, event_ns, value, math.nan, rest
                        )

                # Depth: a book covers its bands, fewer of them under stress.
                depth = depth_memory * rows["depth"][row]
                depth += depth_step * normal(quote_seeds, row, table)
                rows["depth"][row] = depth
                lost = params["depth_lost"][0] + params["depth_lost_stress"][0] * stress
                chance = uniform(quote_seeds, row)
                reach = venues["reach"][v]
                if stress > 0.4:
                    reach -= 1
                if stress > 0.8:
                    reach -= 1
                reach = max(1, reach)
                if chance < lost or held_ns > now_ns or flag & (DOWN | CUT):
                    reach = 0
                usd = depth_usd[line, asset] * venue_share * max(0.2, 1.0 + depth_noise * depth)
                for band in range(bands):
                    if band >= reach:
                        depths[line, row, band] = math.nan
                        continue
                    if not (flag & FROZEN_DEPTH and books[row, band] > 0.0):
                        books[row, band] = usd * profile[band]
                    depths[line, row, band] = books[row, band]

                # Forced orders.
                whale_end = whale
                while (
                    whale_end < len(whales)
                    and whales["second"][whale_end] == second
                    and whales["row"][whale_end] == row
                ):
                    whale_end += 1
                if long_coins + short_coins > 0.0 or whale_end > whale:
                    part = venues["part"][v] if long_coins + short_coins > 0.0 else 0.0
                    long_part, short_part = long_coins * part, short_coins * part
                    count = split(
                        *(rows, row, long_part, short_part, mean, interest),
                        *(whales, whale, whale_end, params, table),
                        *(times, coins, positions),
                    )
                    whale = whale_end
                    release_ns = int64(releases[line, row])
                    if release_ns >= 0:
                        release_ns = (first_second + release_ns) * NS
                    rule, push_ns = venues["rule"][v], venues["push_ns"][v]
                    made = send(
                        *(events, connections, made, times, coins, positions, count),
                        *(rule, push_ns, row, v, now_ns, delay_ns, held_ns, flag, release_ns),
                        *(number, marks[line, asset], params, arrival_seeds),
                    )

            # The spot pair, on the first venue.
            number = int64(numbers[line, 0])
            quote = quote_memory * rows["quote"][spot]
            quote += quote_step * normal(quote_seeds, spot, table)
            rows["quote"][spot] = quote
            chance = uniform(quote_seeds, spot)
            delay_ns = int(venues["delay_ns"][0] * slow + jitter_ns * chance)
            for band in range(bands):
                depths[line, spot, band] = math.nan
            if int64(flags[line, spot]) & (DOWN | CUT) == 0:
                middle = spots[line, asset] * (1.0 + quote_noise * quote)
                event_ns = now_ns + int(_QUOTE_MS + _QUOTE_SPAN_MS * chance) * MS
                rest = (spot, BOOK_TOP, 0, 0, 1, number)
                received_ns = event_ns + delay_ns
                bid, ask = middle * (1.0 - half_spread), middle * (1.0 + half_spread)
                made = put(events, connections, made, received_ns, event_ns, bid, ask, rest)
                flow = spot_takers[line, asset]
                if flow != 0.0:
                    event_ns = now_ns + _TRADE_MS * MS
                    rest = (spot, TRADE, 0, 0, 1, number)
                    received_ns = event_ns + delay_ns
                    made = put(
                        events, connections, made, received_ns, event_ns, flow, middle, rest
                    )
        line += 1
    progress[0], progress[1], progress[2] = line, made, whale
