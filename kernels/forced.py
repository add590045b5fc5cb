"""Forced orders of a simulated contract: from coins to orders, and from orders to prints.

The size of the order that comes next is drawn ahead; it is made once so many coins are due. So
sizes keep their distribution however slowly coins come, and no coin is lost: what has been made
and what is still due add up to what was forced.

A full tape prints every order, in batches. The other two rules print one order per contract and
second, whosever position it was, once the second is over: the largest or the latest.
"""

from numba import float64, int32, int64
from numba.np.numpy_support import from_dtype

from kernels.arrival import put
from kernels.draws import lognormal, uniform
from kernels.dtypes import (
    ANEW,
    ASIDE,
    CUT,
    DOWN,
    FLIPPED,
    FULL_TAPE,
    LARGEST_OF_SECOND,
    LIQUIDATION,
    SKEW_AHEAD,
    SKEW_BACK,
    THRICE,
    TWICE,
    Integers,
    Reals,
    Records,
    SmallIntegers,
    event_dtype,
    showing_dtype,
    shown_row_dtype,
    whale_dtype,
)
from kernels.jit import kernel

NS = 1_000_000_000
MS = 1_000_000

_events = from_dtype(event_dtype)[::1]
_showing = from_dtype(showing_dtype)[::1]
_rows = from_dtype(shown_row_dtype)[::1]
_whales = from_dtype(whale_dtype)[::1]


@kernel(int64(int64, int64))
def skew(flag: int, skew_ns: int) -> int:
    """How far a venue's clock is ahead."""
    if flag & SKEW_BACK:
        return -skew_ns
    return skew_ns if flag & SKEW_AHEAD else 0


@kernel(
    int64(
        _rows,
        int64,
        float64,
        float64,
        float64,
        float64,
        _whales,
        int64,
        int64,
        _showing,
        float64[::1],
        int64[::1],
        float64[::1],
        int64[::1],
    )
)
def split(
    rows: Records,
    row: int,
    long_coins: float,
    short_coins: float,
    mean: float,
    interest: float,
    whales: Records,
    whale: int,
    whale_end: int,
    params: Records,
    table: Reals,
    times: Integers,
    coins: Reals,
    positions: Integers,
) -> int:
    """Turn a second's forced coins of one contract into orders, sorted by time.

    Args:
        rows: Contracts; what is due and what comes next of `row` are changed in place.
        row: Which contract.
        long_coins: Coins of longs that this venue forces in this second.
        short_coins: The same of shorts.
        mean: Coins of a mean order.
        interest: The asset's open interest, coins.
        whales: Orders beside those of the tape.
        whale: First of them that belongs to this contract and second.
        whale_end: Where they end.
        params: How venues show a tape.
        table: Quantiles of the normal distribution.
        times: Room for times, ms from the start of the second.
        coins: Room for sizes.
        positions: Room for positions.

    Returns:
        How many orders there are, at most as many as there is room for; the rest stays due.
    """
    seeds = rows["seed_orders"]
    sigma, most = params["order_sigma"][0], params["order_most"][0]
    room = len(times)
    count = 0
    # What is injected draws from another stream: the orders of the tape stay what they were.
    for w in range(whale, whale_end):
        pieces = whales["orders"][w]
        for _ in range(pieces):
            if count < room // 4:
                times[count] = int(uniform(rows["seed_arrivals"], row) * 1000.0)
                coins[count] = whales["share"][w] * interest / pieces
                positions[count] = whales["position"][w]
                count += 1
    for position in range(2):
        if position == 0:
            due = rows["due_long"][row] + long_coins
            coming = rows["next_long"][row]
        else:
            due = rows["due_short"][row] + short_coins
            coming = rows["next_short"][row]
        if not coming > 0.0:
            coming = mean * lognormal(seeds, row, table, sigma, most)
        last = room // 2 if position == 0 else room
        while due >= coming and count < last:
            times[count] = int(uniform(seeds, row) * 1000.0)
            coins[count] = coming
            positions[count] = position
            count += 1
            due -= coming
            coming = mean * lognormal(seeds, row, table, sigma, most)
        if position == 0:
            rows["due_long"][row] = due
            rows["next_long"][row] = coming
        else:
            rows["due_short"][row] = due
            rows["next_short"][row] = coming
    for k in range(1, count):
        time, size, position = times[k], coins[k], positions[k]
        place = k
        while place > 0 and times[place - 1] > time:
            times[place] = times[place - 1]
            coins[place] = coins[place - 1]
            positions[place] = positions[place - 1]
            place -= 1
        times[place] = time
        coins[place] = size
        positions[place] = position
    return count


@kernel(
    int64(
        _events,
        int32[::1],
        int64,
        int64[::1],
        float64[::1],
        int64[::1],
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        int64,
        float64,
        _showing,
        int64[:],
    )
)
def send(
    events: Records,
    connections: SmallIntegers,
    made: int,
    times: Integers,
    coins: Reals,
    positions: Integers,
    end: int,
    rule: int,
    push_ns: int,
    row: int,
    venue: int,
    now_ns: int,
    delay_ns: int,
    held_ns: int,
    flag: int,
    release_ns: int,
    number: int,
    mark: float,
    params: Records,
    seeds: Integers,
) -> int:
    """Print a second's orders of one contract as its venue does.

    Args:
        events: Where to, changed in place.
        connections: Connection of each, changed in place.
        made: Rows that are there.
        times: Of the orders, ms from the start of the second, sorted.
        coins: Their sizes.
        positions: Their positions.
        end: How many they are.
        rule: What is printed.
        push_ns: How often a full tape is sent.
        row: The contract.
        venue: Its venue.
        now_ns: Start of the second.
        delay_ns: From sending to arrival.
        held_ns: Nothing arrives before.
        flag: What is wrong.
        release_ns: When the orders of a broken connection are sent, negative for never.
        number: The venue's connection.
        mark: US dollars per coin.
        params: How venues show a tape.
        seeds: Streams for arrivals, one a contract.

    Returns:
        Rows that are there now.
    """
    start = 0
    if rule != FULL_TAPE and end > 1:
        start = end - 1
        if rule == LARGEST_OF_SECOND:
            for k in range(end - 1, -1, -1):
                if coins[k] >= coins[start]:
                    start = k
            end = start + 1
    if flag & DOWN or (flag & CUT and release_ns < 0):
        return made
    jitter_ns, scale = params["jitter_ns"][0], params["scale"][0]
    skew_ns = skew(flag, params["skew_ns"][0])
    copies = 1
    if flag & THRICE:
        copies = 3
    elif flag & TWICE:
        copies = 2
    last_ns = 0
    extra_ns = 0
    for k in range(start, end):
        event_ns = now_ns + times[k] * MS
        sent_ns = now_ns + NS
        if rule == FULL_TAPE:
            sent_ns = (event_ns // push_ns + 1) * push_ns
        if sent_ns != last_ns:
            last_ns = sent_ns
            extra_ns = int(jitter_ns * uniform(seeds, row))
        received_ns = max(held_ns, sent_ns + delay_ns + extra_ns)
        event_ns += skew_ns
        counts = 1
        connection = number
        if flag & CUT:
            sent_ns = release_ns
            received_ns = release_ns + delay_ns
            if flag & ASIDE:
                connection += 3
            if flag & ANEW and event_ns < release_ns - params["before_ns"][0]:
                counts = 0
        position = positions[k]
        if flag & FLIPPED:
            position = 1 - position
        size = coins[k] * scale
        for copy in range(copies):
            if copy > 0:
                # Another connection is a little sooner or later.
                received_ns += int(jitter_ns * (3.0 * uniform(seeds, row) - 1.0))
                received_ns = max(received_ns, sent_ns)
            rest = (row, LIQUIDATION, position, venue, counts, connection + copy)
            made = put(events, connections, made, received_ns, event_ns, size, size * mark, rest)
    return made
