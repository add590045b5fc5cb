import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes, flow
from tests.naive import Happening
from tests.streams import (
    LAST_LINE,
    NS,
    START_S,
    Rig,
    Twin,
    examples,
    long_stream,
    order,
    pack,
    part,
    played,
    streams,
    sums,
)

MICRO = 1_000_000
LADDER_FIELDS = (
    "bucket",
    "bucket_ns",
    "tier",
    "share_total",
    "usd_total",
    "orders_total",
    "start_share",
    "start_usd",
    "start_orders",
    "share_60s",
    "no_interest",
    "late",
)


def windows_of_kernel(rig: Rig) -> list[tuple[int, int, int]]:
    """Micro-dollars, orders and largest order of every window of every line."""
    return [
        (
            int(rig.sums["usd"][line, w]),
            int(rig.sums["orders"][line, w]),
            # The search is long without compilation: only where there is something to find.
            flow.largest(rig.second, line, window_s, rig.seconds, rig.minutes)
            if rig.sums["orders"][line, w]
            else 0,
        )
        for line in range(LAST_LINE)
        for w, window_s in enumerate(dtypes.WINDOWS_S)
    ]


def windows_of_twin(twin: Twin) -> list[tuple[int, int, int]]:
    """The same of the twin, from every order it remembers."""
    return [
        twin.flow.window(line, window_s, twin.second)
        for line in range(LAST_LINE)
        for window_s in dtypes.WINDOWS_S
    ]


def same(left: float, right: float) -> bool:
    """Equal to the last bit, or both not known."""
    return left == right or (math.isnan(left) and math.isnan(right))


def agree(rig: Rig, twin: Twin) -> None:
    """Every ladder, contract and asset of both is the same."""
    for row, ladder in enumerate(twin.flow.ladders):
        record = rig.pressure[row]
        assert {name: getattr(ladder, name) for name in LADDER_FIELDS} == {
            name: record[name].item() for name in LADDER_FIELDS
        }
    for row, asset in enumerate(twin.flow.assets):
        for name in ("interest", "interest_index", "taker_usd", "spot_taker_usd"):
            assert same(getattr(asset, name), rig.assets[name][row]), name
    for row, contract in enumerate(twin.flow.contracts):
        for name in ("bid", "ask", "quote_ns", "mark", "mark_ns", "interest", "interest_ns"):
            assert same(getattr(contract, name), rig.contracts[name][row]), name


def excited_alike(rig: Rig, twin: Twin) -> None:
    """Each exponential sum is what the shares it was made of have faded to."""
    for row, ladder in enumerate(twin.flow.ladders):
        record = rig.pressure[row]
        for tau_s in (10, 60, 300):
            expected = ladder.excited(tau_s, int(record["excited_ns"]))
            assert record[f"excited_{tau_s}s"] == pytest.approx(expected, rel=1e-9)


@given(events=streams())
@examples(80)
def test_kernel_and_twin_agree_on_any_stream(events: list[Happening]) -> None:
    """Late, future, doubled, damaged and huge events leave both with the same numbers."""
    rig, twin = Rig(), Twin()
    assert rig.run(events, itertools.repeat(7)) == twin.run(events)
    agree(rig, twin)
    assert windows_of_kernel(rig) == windows_of_twin(twin)


@pytest.mark.parametrize("seed", [1, 2])
def test_kernel_and_twin_agree_through_a_long_market(seed: int) -> None:
    """Half an hour of a market gives both the same crossings, ladders and windows."""
    events = long_stream(Random(seed), part(1800))
    rig, twin = Rig(), Twin()
    crossed = rig.run(events, itertools.repeat(256))
    assert crossed == twin.run(events)
    assert crossed
    agree(rig, twin)
    excited_alike(rig, twin)
    assert windows_of_kernel(rig) == windows_of_twin(twin)


@given(events=streams(most=30))
@examples(30)
def test_every_window_is_exact_at_every_second(events: list[Happening]) -> None:
    """At each second each window holds the orders of its last seconds, and no others."""
    rig, twin = Rig(), Twin()
    kernel: list[list[tuple[int, int, int]]] = []
    naively: list[list[tuple[int, int, int]]] = []
    short = [e for e in events if e.received_ns < (START_S + 90) * NS]
    rig.run(short, itertools.repeat(256), lambda: kernel.append(windows_of_kernel(rig)))
    twin.run(short, lambda: naively.append(windows_of_twin(twin)))
    assert kernel == naively


@given(events=streams(), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=6))
@examples(40)
def test_no_cut_into_batches_changes_a_bit(events: list[Happening], cuts: list[int]) -> None:
    """Batches of 1, 7, 256 or any sizes give the same crossings and the same bytes."""
    found = []
    for sizes in ([1], [7], [256], cuts):
        rig = Rig()
        crossed = rig.run(events, itertools.cycle(sizes))
        found.append((crossed, rig.everything()))
    assert all(one == found[0] for one in found)


@given(events=streams())
@examples(40)
def test_excitement_is_the_sum_of_faded_shares(events: list[Happening]) -> None:
    """Each exponential sum is that of all shares of the ladder, each faded since it came."""
    rig, twin = Rig(), Twin()
    rig.run(events, itertools.repeat(256))
    twin.run(events)
    excited_alike(rig, twin)


@pytest.mark.parametrize("window_s", [1, 10, 60, 300, 3600])
def test_a_window_of_seconds_lets_go_to_the_second(window_s: int) -> None:
    """An order is in a window for exactly as many seconds as the window is long."""
    rig = played(order(0.5), until_s=window_s - 1)
    assert sums(rig)[window_s] == (10 * MICRO, 1)
    assert flow.largest(rig.second, 0, window_s, rig.seconds, rig.minutes) == 10 * MICRO
    rig.close_second()
    assert sums(rig)[window_s] == (0, 0)
    assert flow.largest(rig.second, 0, window_s, rig.seconds, rig.minutes) == 0


def test_a_late_order_joins_the_windows_that_still_hold_its_second() -> None:
    """An order 45 seconds old is in the minute and longer, and not in the ten seconds."""
    rig = played(order(50.0, late_s=45.0), until_s=50)
    held = {60, 300, 3600, 14_400, 86_400}
    assert {window_s for window_s, (_, orders) in sums(rig).items() if orders} == held
    rig.run([order(65.0, row=1)], itertools.repeat(1))  # 60 s after the event of the first
    assert sums(rig)[60] == (10 * MICRO, 1)
    assert sums(rig)[300] == (20 * MICRO, 2)


def test_an_order_from_the_future_counts_in_the_second_that_runs() -> None:
    """A venue's fast clock puts an order where it arrived, not into seconds to come."""
    rig = played(order(10.0, late_s=-5.0), until_s=10)
    assert sums(rig)[1] == (10 * MICRO, 1)
    rig.close_second()
    assert sums(rig)[1] == (0, 0)


def test_a_day_rolls_out_of_every_window() -> None:
    """After 24 hours nothing is left of a day's orders, in no sum and in no bucket."""
    spread = [order(k * 3600.0 + 0.5, usd=float(k + 1)) for k in range(0, 24, 5)]
    rig = Rig()
    twin = Twin()
    for k, event in enumerate(spread):
        while rig.second < event.received_ns // NS:
            rig.roll()
        twin.second = rig.second
        assert twin.flow.take(event, twin.second) is bool(rig.ingest(pack([event])))
        assert windows_of_kernel(rig) == windows_of_twin(twin), k
    for _ in range(5):
        for _ in range(5 * 3600 - 7):
            rig.roll()
        twin.second = rig.second
        assert windows_of_kernel(rig) == windows_of_twin(twin)
    assert not rig.sums["orders"].any()
    for records in (rig.seconds, rig.minutes):
        assert not any(records[name].any() for name in ("usd", "orders", "largest"))
