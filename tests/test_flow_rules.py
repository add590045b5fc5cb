"""The rules of pressure, one by one: caps, drain, tiers, and what has no pressure."""

import itertools
import math

import pytest

from kernels import dtypes
from tests import naive
from tests.naive import Happening
from tests.streams import INTEREST, NS, SCALE, START_S, Rig, interest, order, played, sums

MICRO = 1_000_000


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
    rig = played(interest(0.0), order(0.1, coins=9.9), order(0.1, coins=9.9, position=1))
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
    """A scale that shrinks within a second takes nothing back from a bucket that is not full."""
    whale = 100.0 * SCALE * INTEREST
    rig = played(interest(0.0), *(order(0.1, coins=whale, row=row) for row in (0, 1, 5)))
    rig.assets["scale"] = SCALE / 4.0  # 1.5 u before are 6 u now: more than a second's room
    before = float(rig.pressure["bucket"][0])
    rig.run([order(0.1, coins=whale)], itertools.repeat(1))
    assert rig.pressure["bucket"][0] == before


def test_a_bucket_holds_no_more_than_when_it_is_full() -> None:
    """What comes after is in the totals; a scale that shrinks leaves a full bucket at most."""
    limits = naive.Limits(contract_cap=9.0, asset_cap=9.0, full_level=2.0)
    rig = Rig(limits)
    orders = [order(k + 0.1, coins=1.5 * SCALE * INTEREST) for k in range(3)]
    rig.run([interest(0.0), *orders], itertools.repeat(1))
    assert rig.pressure["bucket"][0] == 2.0 * SCALE
    assert rig.pressure["share_total"][0] == pytest.approx(4.5 * SCALE)
    rig.assets["scale"] = SCALE / 2.0
    rig.run([order(2.1, coins=1.0)], itertools.repeat(1))
    assert rig.pressure["bucket"][0] == SCALE


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


@pytest.mark.parametrize(
    ("mark", "usd", "coins"),
    [
        (50.0, 1e5, 2_000.0),
        (50.0, 0.0, INTEREST),
        (50.0, -1.0, INTEREST),
        (50.0, math.nan, INTEREST),
        (0.0, 1e5, INTEREST),
    ],
)
def test_open_interest_in_money_is_priced_by_the_mark(
    mark: float, usd: float, coins: float
) -> None:
    """Dollars without coins are divided by the contract's mark; without one they say nothing."""
    at_ns = START_S * NS
    told = Happening(dtypes.MARK, 0, mark, mark, at_ns, at_ns)
    money = Happening(dtypes.OPEN_INTEREST, 0, math.nan, usd, at_ns, at_ns)
    assert played(interest(0.0), told, money).contracts["interest"][0] == coins


def test_a_change_without_a_level_moves_no_index() -> None:
    """Where an asset's level is not known, a contract's change has nothing to be a part of."""
    rig = played(interest(0.0))
    rig.assets["interest"][0] = math.nan
    rig.run([interest(0.1, 900.0)], itertools.repeat(1))
    assert rig.assets["interest_index"][0] == 1.0
    assert rig.contracts["interest"][0] == 900.0


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
