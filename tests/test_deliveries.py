import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kernels.dtypes import LIQUIDATION, TRADE, Records, event_dtype
from monitor.assess.deliveries import Deliveries, Numbers
from monitor.detect.repeats import Repeats
from monitor.simulate.incidents import Rates
from tests.showing import START, by_event, changed, full, observer, orders, shown, tape

NS = 1_000_000_000


def without_repeats(events: Records, connections: Numbers, repeats: list[Repeats]) -> Records:
    """The rule itself, order by order; what each venue (row) has delivered is in `repeats`."""
    kept = []
    for event, connection in zip(events, connections.tolist(), strict=True):
        key = tuple(event[name].item() for name in ("row", "position", "event_ns", "a", "b"))
        kept.append(
            event["kind"] != LIQUIDATION
            or not repeats[event["venue"]].is_repeat(key, connection, int(event["received_ns"]))
        )
    return events[np.array(kept, np.bool_)]


deliveries = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 2, 60, 119, 121, 400)),  # seconds since the one before
        st.integers(0, 3),  # which order
        st.sampled_from((1, 1, 1, 1, 2, 3)),  # connection
        st.sampled_from((LIQUIDATION, LIQUIDATION, LIQUIDATION, TRADE)),
        st.integers(0, 1),  # venue
    ),
    max_size=60,
)


@given(deliveries, st.lists(st.integers(0, 60), max_size=4))
def test_what_is_new_is_what_the_detector_takes(
    made: list[tuple[int, int, int, int, int]], cuts: list[int]
) -> None:
    """Whatever comes over whichever connection: the same rows stay as under the rule itself."""
    rows = np.zeros(len(made), event_dtype)
    numbers = np.zeros(len(made), np.int32)
    now_ns = START * NS
    for line, (wait_s, order, connection, kind, venue) in enumerate(made):
        now_ns += wait_s * NS + 1
        # Within ten minutes one order equals another of its number; later ones are other orders.
        happened_ns = now_ns // (600 * NS) * 600 * NS + order
        rows[line] = (now_ns, happened_ns, 1.0, 5.0, venue, kind, 0, venue, 1)
        numbers[line] = connection
    plain = [Repeats(), Repeats()]
    expected = without_repeats(rows, numbers, plain)
    one = Deliveries()
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [
        one.new(rows[start:end], numbers[start:end]) for start, end in itertools.pairwise(edges)
    ]
    assert np.concatenate(pieces).tobytes() == expected.tobytes()


def test_an_order_that_another_connection_delivered_is_left_out() -> None:
    """Equal orders of one connection all count, those of a second one only beyond them."""
    events = np.zeros(6, event_dtype)
    events["received_ns"] = START * NS + np.arange(6)
    events["kind"][5] = TRADE
    events["venue"][4] = 1
    found = Deliveries()
    kept = found.new(events, np.array([1, 1, 2, 2, 2, 2], np.int32))
    assert (kept["received_ns"] - START * NS).tolist() == [0, 1, 4, 5]
    events["received_ns"] += 6
    again = found.new(events, np.full(6, 3, np.int32))
    assert (again["received_ns"] - START * NS - 6).tolist() == [2, 3, 5]


def test_overlaps_of_a_stormy_day_are_taken_out() -> None:
    """Of orders that came over two connections one is left, chunk by chunk as in one piece."""
    rates = Rates(cuts_a_day=0.0, gaps_a_day=0.0, outages_a_day=0.0, overlaps_a_day=100.0)
    made = tape(3600, burst=1000)
    plain = shown(made, full())
    one, unrepeated = observer(changed(full(), rates=rates)), Deliveries()
    found = []
    repeated = 0
    for start in range(0, 3600, 600):
        part = one.chunk(made[start : start + 600], START + start)
        new = unrepeated.new(part.events, part.connections)
        repeated += len(part.events) - len(new)
        found.append(new)
    assert repeated > 100
    events = np.concatenate(found)
    whole = plain.events[plain.events["received_ns"] < (START + 3600) * NS]
    # The delays of an overlap are other draws: the last seconds may be cut elsewhere.
    until = (START + 3590) * NS
    assert [row for row in by_event(orders(events)) if row[0] < until] == [
        row for row in by_event(orders(whole)) if row[0] < until
    ]


def test_nothing_is_copied_where_nothing_repeats() -> None:
    """Without a second connection the very same rows come back."""
    found = shown(tape(600))
    assert Deliveries().new(found.events, found.connections) is found.events
