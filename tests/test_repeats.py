from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.repeats import MEMORY_NS, Key, Repeats
from tests.streams import examples

KEY: Key = ("BTC-PERP", "long", 5, 1.0, 100.0)
OTHER: Key = ("BTC-PERP", "long", 6, 1.0, 100.0)


def test_equal_orders_on_one_connection_are_all_real() -> None:
    """Two positions of one size may be closed in one millisecond."""
    repeats = Repeats()
    assert [repeats.is_repeat(KEY, 1, at) for at in range(3)] == [False, False, False]


def test_what_another_connection_delivered_is_a_repeat_as_often_as_it_did() -> None:
    """The second connection's third order of a key is new when the first delivered two."""
    repeats = Repeats()
    found = [repeats.is_repeat(KEY, number, 0) for number in (1, 1, 2, 2, 2, 1, 1)]
    assert found == [False, False, True, True, False, True, False]


@given(
    deliveries=st.lists(st.tuples(st.sampled_from((KEY, OTHER)), st.integers(1, 3)), max_size=40)
)
@examples(200)
def test_as_many_count_as_the_fullest_connection_delivered(
    deliveries: list[tuple[Key, int]],
) -> None:
    """However deliveries interleave, a key counts as often as one connection brought it."""
    repeats = Repeats()
    counted: Counter[Key] = Counter()
    brought: Counter[tuple[Key, int]] = Counter()
    for key, number in deliveries:
        counted[key] += not repeats.is_repeat(key, number, 0)
        brought[key, number] += 1
    assert counted == {
        key: max(brought[key, number] for number in (1, 2, 3)) for key, _ in deliveries
    }


def test_a_key_is_forgotten_after_its_memory() -> None:
    """Two minutes after its first delivery a key is new again, and takes no room."""
    repeats = Repeats()
    repeats.is_repeat(KEY, 1, 0)
    repeats.is_repeat(OTHER, 1, MEMORY_NS)
    assert list(repeats.counts) == [KEY, OTHER]
    repeats.is_repeat(("ETH-PERP", "short", 1, 1.0, 1.0), 1, MEMORY_NS + 1)
    assert KEY not in repeats.counts
    assert KEY not in repeats.delivered
    assert len(repeats.order) == 2
    assert not repeats.is_repeat(KEY, 2, MEMORY_NS + 2)


def test_connections_numbered_anew_deliver_what_was_delivered() -> None:
    """After a restart, number 1 is another connection: what it brings again is a repeat."""
    repeats = Repeats()
    repeats.is_repeat(KEY, 1, 0)
    repeats.restart()
    assert [repeats.is_repeat(KEY, 1, 1) for _ in range(2)] == [True, False]


def test_memory_survives_a_snapshot() -> None:
    """What was delivered is the same after bytes and back, forgetting included."""
    repeats = Repeats()
    repeats.is_repeat(KEY, 1, 0)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(repeats), type=Repeats)
    assert again == repeats
    assert again.is_repeat(KEY, 2, 1)
    again.forget(MEMORY_NS + 1)
    assert again == Repeats()
