import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes, flow
from tests import naive
from tests.naive import Happening
from tests.streams import (
    INTEREST,
    LAST_LINE,
    NS,
    SCALE,
    START_S,
    Rig,
    Twin,
    examples,
    long_stream,
    pack,
    part,
    streams,
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


def order(
    second: float,
    *,
    coins: float = 0.1,
    usd: float = 10.0,
    row: int = 0,
    late_s: float = 0.0,
    position: int = 0,
    venue: int = 0,
    counts: int = 1,
) -> Happening:
    """A forced order received so many seconds after the start."""
    received_ns = START_S * NS + round(second * NS)
    event_ns = received_ns - round(late_s * NS)
    return Happening(
        dtypes.LIQUIDATION, row, coins, usd, event_ns, received_ns, position, venue, counts
    )


def interest(second: float, coins: float = INTEREST, row: int = 0) -> Happening:
    """Open interest of a contract so many seconds after the start."""
    at_ns = START_S * NS + round(second * NS)
    return Happening(dtypes.OPEN_INTEREST, row, coins, 0.0, at_ns, at_ns)


def played(*events: Happening, until_s: int = 0) -> Rig:
    """A rig that has taken these events and every second before `until_s`."""
    rig = Rig()
    rig.run(events, itertools.repeat(256))
    while rig.second < START_S + until_s:
        rig.close_second()
    return rig


def sums(rig: Rig, line: int = 0) -> dict[int, tuple[int, int]]:
    """Micro-dollars and orders of each window of a line."""
    found = rig.sums[line]
    return {
        window_s: (int(found["usd"][w]), int(found["orders"][w]))
        for w, window_s in enumerate(dtypes.WINDOWS_S)
    }


def windows_of_kernel(rig: Rig) -> list[tuple[int, int, int]]:
    """Micro-dollars, orders and largest order of every window of every line."""
    return [
        (
            int(rig.sums["usd"][line, w]),
            int(rig.sums["orders"][line, w]),
            flow.largest(rig.second, line, window_s, rig.seconds, rig.minutes),
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
    for row, ladder in enumerate(twin.flow.ladders):
        record = rig.pressure[row]
        for tau_s in (10, 60, 300):
            expected = ladder.excited(tau_s, int(record["excited_ns"]))
            assert record[f"excited_{tau_s}s"] == pytest.approx(expected, rel=1e-9)


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


def test_one_contract_adds_at_most_its_cap_in_a_second() -> None:
    """A whale of a hundred scales lifts the bucket by half a scale in each of its seconds."""
    whale = 100.0 * SCALE * INTEREST
    rig = played(interest(0.0), order(0.1, coins=whale), order(0.2, coins=whale))
    assert rig.pressure["bucket"][0] == pytest.approx(0.5 * SCALE, rel=1e-3)
    assert rig.pressure["share_total"][0] == pytest.approx(200.0 * SCALE)
    rig.run([order(1.1, coins=whale)], itertools.repeat(1))
    assert rig.pressure["bucket"][0] == pytest.approx(1.0 * SCALE, rel=1e-2)


def test_longs_and_shorts_of_a_contract_have_a_cap_each() -> None:
    """What closes longs leaves the room of what closes shorts alone."""
    whale = 100.0 * SCALE * INTEREST
    rig = played(interest(0.0), order(0.1, coins=whale), order(0.1, coins=whale, position=1))
    assert rig.pressure["bucket"][:2].tolist() == [0.5 * SCALE, 0.5 * SCALE]


def test_one_asset_adds_at_most_its_cap_in_a_second() -> None:
    """Three contracts of one asset share the asset's cap within a second."""
    limits = naive.Limits(contract_cap=2.0, asset_cap=2.5)
    whale = 100.0 * SCALE * INTEREST
    rig = Rig(limits)
    events = [interest(0.0), *(order(0.1, coins=whale, row=row) for row in (0, 1, 5))]
    rig.run(events, itertools.repeat(256))
    assert rig.pressure["bucket"][0] == pytest.approx(2.5 * SCALE)


def test_the_cap_leaves_no_negative_room_when_the_scale_shrinks() -> None:
    """A scale that shrinks within a second takes nothing back from the bucket."""
    whale = 100.0 * SCALE * INTEREST
    rig = played(interest(0.0), *(order(0.1, coins=whale, row=row) for row in (0, 1, 5)))
    rig.assets["scale"] = SCALE / 100.0
    before = float(rig.pressure["bucket"][0])
    rig.run([order(0.1, coins=whale)], itertools.repeat(1))
    assert rig.pressure["bucket"][0] == before


def test_the_bucket_drains_in_a_straight_line_to_empty() -> None:
    """Half a scale is gone after two minutes at a quarter of a scale a minute."""
    rig = played(interest(0.0), order(0.0, coins=0.5 * SCALE * INTEREST), until_s=60)
    assert rig.pressure["bucket"][0] == pytest.approx(0.25 * SCALE)
    while rig.second < START_S + 120:
        rig.close_second()
    assert rig.pressure["bucket"][0] == pytest.approx(0.0, abs=1e-12)


def test_the_order_that_lifts_the_bucket_through_a_tier_ends_the_call() -> None:
    """Each tier is crossed once on the way up, by the very order that reaches it."""
    coins = 0.49 * SCALE * INTEREST
    events = [interest(0.0), *(order(k + 0.5, coins=coins) for k in range(16))]
    rig = Rig()
    crossed = rig.run(events, itertools.repeat(256))
    # After k orders the bucket holds 0.49 k less the drain of (k - 1) / 240.
    assert [round((e.received_ns - START_S * NS) / NS - 0.5) for e in crossed] == [6, 8, 12]
    assert rig.pressure["tier"][0] == 3


def test_a_jump_over_several_tiers_is_one_crossing() -> None:
    """An order that reaches the third tier from below the first is told once."""
    limits = naive.Limits(contract_cap=100.0, asset_cap=100.0)
    rig = Rig(limits)
    found = rig.run(
        [interest(0.0), order(0.1, coins=7.0 * SCALE * INTEREST), order(0.2)],
        itertools.repeat(256),
    )
    assert found == [order(0.1, coins=7.0 * SCALE * INTEREST)]


def test_the_start_of_a_change_is_where_the_bucket_last_rose_from_empty() -> None:
    """Totals at the last rise from empty are kept, so that a flow can be counted from there."""
    rig = played(
        interest(0.0), order(0.1, coins=0.01), order(600.0, coins=0.02), order(600.1, coins=0.03)
    )
    record = rig.pressure[0]
    assert int(record["start_orders"]) == 1
    assert record["start_share"] == pytest.approx(0.01 / INTEREST)
    assert int(record["start_usd"]) == 10 * MICRO


def test_an_old_order_counts_in_totals_only() -> None:
    """Beyond thirty seconds of age, or from before the subscription, there is no pressure."""
    rig = played(
        interest(0.0),
        order(40.0, late_s=30.0),
        order(40.0, late_s=30.000000001),
        order(40.0, counts=0),
    )
    record = rig.pressure[0]
    assert (int(record["orders_total"]), int(record["late"])) == (1, 2)
    assert sums(rig)[300] == (30 * MICRO, 3)


@pytest.mark.parametrize("coins", [0.0, -1.0, math.nan, math.inf])
def test_an_order_of_no_amount_has_no_pressure(coins: float) -> None:
    """A quantity that is no amount is counted with a reason and leaves the bucket alone."""
    rig = played(interest(0.0), order(0.1, coins=coins))
    record = rig.pressure[0]
    assert (int(record["orders_total"]), int(record["no_interest"])) == (0, 1)
    assert record["bucket"] == 0.0


def test_an_order_without_open_interest_has_no_pressure() -> None:
    """Unknown open interest is a reason, not a zero to divide by."""
    rig = played(order(0.1))
    assert int(rig.pressure["no_interest"][0]) == 1
    assert sums(rig)[60] == (10 * MICRO, 1)


@pytest.mark.parametrize(
    ("usd", "micro"),
    [
        (math.nan, 0),
        (-5.0, 0),
        (0.0, 0),
        (1e-7, 0),
        (5e-7, 1),
        (1.5, 1_500_000),
        (1e10, dtypes.MOST_MICRO_USD),
        (1e300, dtypes.MOST_MICRO_USD),
        (math.inf, dtypes.MOST_MICRO_USD),
    ],
)
def test_dollars_are_held_as_whole_micro_dollars(usd: float, micro: int) -> None:
    """Money is rounded to micro-dollars, unknown money is none, absurd money is capped."""
    assert sums(played(order(0.1, usd=usd)))[1] == (micro, 1)


def test_what_is_off_the_watch_list_is_totalled_as_other() -> None:
    """An order without a contract row stands in the last asset's lines, without pressure."""
    rig = played(order(0.1, row=-1, position=1, venue=1))
    line = (2 * 2 + 1) * 2 + 1
    assert {k: v["orders"][0] for k, v in enumerate(rig.sums) if v["orders"].any()} == {line: 1}
    assert not rig.pressure["orders_total"].any()


def test_open_interest_is_chain_linked_over_contracts() -> None:
    """A new contract adds to the level alone; a change moves the index by its part of it."""
    rig = played(interest(0.0), interest(0.1, 3000.0, row=1))
    assert rig.assets["interest"][0] == INTEREST + 3000.0
    assert rig.assets["interest_index"][0] == 1.0
    rig.run([interest(0.2, 900.0)], itertools.repeat(1))
    assert rig.assets["interest"][0] == 3900.0
    assert rig.assets["interest_index"][0] == pytest.approx(3900.0 / 4000.0)


@pytest.mark.parametrize("coins", [0.0, -1.0, math.nan, math.inf])
def test_open_interest_that_is_no_amount_changes_nothing(coins: float) -> None:
    """A damaged open interest leaves the last good value."""
    rig = played(interest(0.0), interest(0.1, coins))
    assert rig.contracts["interest"][0] == INTEREST
    assert rig.assets["interest_index"][0] == 1.0


def test_taker_flow_is_summed_by_kind_of_contract() -> None:
    """Bought less sold dollars, perps and spot apart; what is no amount is left out."""
    at_ns = START_S * NS
    trades = [
        (0, 2.0, 10.0),
        (1, -1.0, 10.0),
        (2, 3.0, 10.0),
        (0, math.nan, 1.0),
        (0, 1e300, 1e300),
    ]
    rig = played(*(Happening(dtypes.TRADE, row, a, b, at_ns, at_ns) for row, a, b in trades))
    assert (rig.assets["taker_usd"][0], rig.assets["spot_taker_usd"][0]) == (10.0, 30.0)
