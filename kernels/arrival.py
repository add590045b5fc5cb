"""Events on their way: written as they are sent, arranged as they are received.

`arrange` is a counting sort over received time in steps of 2^24 ns (17 ms), then an insertion
sort: rows are made nearly in order, so both passes are short. Equal times keep the order in
which rows were made.
"""

from typing import Final

from numba import float64, int32, int64, types
from numba.np.numpy_support import from_dtype

from kernels.dtypes import (
    Integers,
    Records,
    SmallIntegers,
    event_dtype,
)
from kernels.jit import kernel

STEP_BITS: Final = 24
NS = 1_000_000_000

_events = from_dtype(event_dtype)[::1]
_rest = types.UniTuple(int64, 6)  # type: ignore[no-untyped-call]


@kernel(
    int64(
        _events,
        int32[::1],
        int64,
        int64,
        int64,
        float64,
        float64,
        _rest,
    )
)
def put(
    events: Records,
    connections: SmallIntegers,
    place: int,
    received_ns: int,
    event_ns: int,
    a: float,
    b: float,
    rest: tuple[int, int, int, int, int, int],
) -> int:
    """Write one event at a place; returns the next.

    Args:
        events: Changed in place.
        connections: Connection of each, changed in place.
        place: Where to.
        received_ns: When it arrives.
        event_ns: When it happened, as it says.
        a: First value.
        b: Second value.
        rest: Row, kind, position, venue, whether it counts, connection.
    """
    events["received_ns"][place] = received_ns
    events["event_ns"][place] = event_ns
    events["a"][place] = a
    events["b"][place] = b
    events["row"][place] = rest[0]
    events["kind"][place] = rest[1]
    events["position"][place] = rest[2]
    events["venue"][place] = rest[3]
    events["counts"][place] = rest[4]
    connections[place] = rest[5]
    return place + 1


@kernel(
    int64(
        int64[:, ::1],
        int32[::1],
        int64,
        int64,
        int64,
        int64[::1],
        int64[::1],
        int64[:, ::1],
        int32[::1],
        int64[::1],
    )
)
def arrange(
    rows: Integers,
    connections: SmallIntegers,
    made: int,
    start_ns: int,
    end_ns: int,
    counts: Integers,
    places: Integers,
    arrived: Integers,
    arrived_connections: SmallIntegers,
    offsets: Integers,
) -> int:
    """Put what is received before `end_ns` into `arrived`, in order; move the rest to the front.

    Args:
        rows: Events as words of eight bytes, the first being the received time; the first
            `made` count. Changed in place: what is received later comes first.
        connections: Connection of each, changed in the same way.
        made: How many there are.
        start_ns: Start of the chunk; nothing is received before it.
        end_ns: Its end, a whole number of seconds later.
        counts: Room for ((end - start) >> 24) + 2 numbers.
        places: Room for `made` numbers.
        arrived: Room for the rows that have been received.
        arrived_connections: The same for their connections.
        offsets: Where each second starts in `arrived`, and where the last ends
            (seconds + 1), changed in place.

    Returns:
        How many rows were received.
    """
    steps = ((end_ns - start_ns) >> STEP_BITS) + 2
    for k in range(steps):
        counts[k] = 0
    received = 0
    for i in range(made):
        if rows[i, 0] < end_ns:
            counts[(rows[i, 0] - start_ns >> STEP_BITS) + 1] += 1
            received += 1
    for k in range(1, steps):
        counts[k] += counts[k - 1]
    for i in range(made):
        if rows[i, 0] < end_ns:
            step = rows[i, 0] - start_ns >> STEP_BITS
            places[counts[step]] = i
            counts[step] += 1
    for k in range(1, received):
        i = places[k]
        at_ns = rows[i, 0]
        place = k
        while place > 0 and rows[places[place - 1], 0] > at_ns:
            places[place] = places[place - 1]
            place -= 1
        places[place] = i

    second = 0
    for k in range(received):
        i = places[k]
        # Seconds up to that of this row start here.
        while start_ns + second * NS <= rows[i, 0]:
            offsets[second] = k
            second += 1
        for word in range(5):
            arrived[k, word] = rows[i, word]
        arrived_connections[k] = connections[i]
    while second < len(offsets):
        offsets[second] = received
        second += 1

    kept = 0
    for i in range(made):
        if rows[i, 0] >= end_ns:
            for word in range(5):
                rows[kept, word] = rows[i, word]
            connections[kept] = connections[i]
            kept += 1
    return received
