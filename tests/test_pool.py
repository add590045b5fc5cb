"""The market as a whole in numbers: the kernel beside its twin, and its rules one by one."""

import math
from collections.abc import Iterable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import dtypes, flow, pool
from tests import naive
from tests.naive_pool import FULL_LEVEL, Market, Pressed, Rules, Shown
from tests.streams import NS, START_S, examples, part

U = 3e-4
NAN = math.nan
WHOLE_FIELDS = (
    "interest",
    "interest_index",
    "interest_change_5m",
    "interest_age_s",
    "price",
    "price_second",
    "return_var",
    "return_n",
    "price_z60",
    "price_z300",
    "basis",
    "basis_z",
    "taker_z",
    "depth_ratio",
)
LADDER_FIELDS = (
    "bucket",
    "tier",
    "share_total",
    "usd_total",
    "orders_total",
    "start_share",
    "start_usd",
    "start_orders",
    "share_60s",
)


class Rig:
    """The kernel's arrays over so many watched assets."""

    def __init__(self, assets: int, rules: Rules | None = None) -> None:
        rules, limits, rows = rules or Rules(), naive.Limits(), assets + 2
        self.market = assets
        self.second = START_S
        self.assets = np.zeros(rows, dtypes.asset_dtype)
        for name in ("interest", "price", "spot_price", "interest_change_5m", "interest_age_s"):
            self.assets[name] = np.nan
        self.assets["interest_index"], self.assets["scale"] = 1.0, U
        self.pressure = np.zeros(2 * rows, dtypes.pressure_dtype)
        self.shares = np.zeros((2 * rows, 64))
        self.prices = np.full((rows, dtypes.CONTEXT_HELD), np.nan)
        self.interests = np.full((rows, dtypes.CONTEXT_HELD), np.nan)
        self.takers = np.zeros((rows, dtypes.CONTEXT_HELD))
        self.members = np.zeros(rows, dtypes.member_dtype)
        self.members["price"] = np.nan
        self.members["price"][assets] = 1.0
        self.parts = np.zeros(2 * rows, dtypes.part_dtype)
        self.parts["breadth_ratio"] = np.nan
        self.limits = np.zeros(1, dtypes.limits_dtype)
        self.limits["drain_per_s"] = limits.drain_per_s
        self.limits["asset_cap"], self.limits["full_level"] = limits.asset_cap, FULL_LEVEL
        for number, tier in enumerate(limits.tiers, start=1):
            self.limits[f"tier_{number}"] = tier
        self.rules = np.zeros(1, dtypes.breadth_dtype)
        for name, value in rules._asdict().items():
            self.rules[name] = value
        self.room = np.zeros(assets)

    def close_second(self, shown: list[Shown]) -> None:
        """End a second in which the assets showed this, and begin the next."""
        here = self.second % dtypes.CONTEXT_HELD
        flow.close_second(self.second, self.assets, self.pressure, self.shares, self.limits)
        for row, asset in enumerate(shown):
            for name in ("price", "interest", "basis", "depth_ratio", "scale"):
                self.assets[name][row] = getattr(asset, name)
            self.assets["interest_age_s"][row] = asset.age_s
            self.interests[row, here] = asset.chain
            self.takers[row, here] = asset.taker_usd
            for position, pressed in enumerate(asset.positions):
                self._press(2 * row + position, pressed)
        # Without compilation numpy's scalars warn where compiled code follows IEEE in silence.
        with np.errstate(all="ignore"):
            pool.close_second(
                self.second,
                self.assets,
                self.pressure,
                self.shares,
                self.prices,
                self.interests,
                self.takers,
                self.members,
                self.parts,
                self.limits,
                self.rules,
                self.room,
            )
        self.second += 1

    def _press(self, ladder: int, pressed: Pressed) -> None:
        record = self.pressure
        record["bucket"][ladder] = pressed.bucket
        record["share_60s"][ladder] = pressed.share_60s
        record["usd_total"][ladder] += pressed.usd
        record["orders_total"][ladder] += pressed.orders
        if pressed.share > 0.0:
            record["second"][ladder] = self.second
            record["share"][ladder], record["added"][ladder] = pressed.share, pressed.added

    def run(self, seconds: Iterable[list[Shown]]) -> "Rig":
        """End these seconds one by one."""
        for shown in seconds:
            self.close_second(shown)
        return self

    def level(self, position: int = 0) -> float:
        """The market's bucket over its own scale."""
        ladder = 2 * self.market + position
        return float(self.pressure["bucket"][ladder] / self.assets["scale"][self.market])

    def breadth(self, position: int = 0) -> tuple[float, int, float]:
        """Part of open interest, assets, lift."""
        record = self.parts[2 * self.market + position]
        return (
            float(record["breadth_ratio"]),
            int(record["breadth_assets"]),
            float(record["lift"]),
        )

    def everything(self) -> dict[str, bytes]:
        """Every array that holds state, to the last bit."""
        names = ("assets", "pressure", "shares", "prices", "interests", "takers", "members")
        return {name: getattr(self, name).tobytes() for name in (*names, "parts")}


def known(value: float) -> float:
    """NaN as a number, so that equal is equal."""
    return -12345.0 if math.isnan(value) else value


def seen_by_kernel(rig: Rig) -> list[object]:
    """What the kernel holds of the market."""
    whole = [known(rig.assets[name][rig.market].item()) for name in WHOLE_FIELDS]
    ladders = [
        [rig.pressure[name][2 * rig.market + k].item() for name in LADDER_FIELDS] for k in range(2)
    ]
    return [*whole, *ladders, *[[known(v) for v in rig.breadth(k)] for k in range(2)]]


def seen_by_twin(twin: Market) -> list[object]:
    """The same of the twin."""
    whole = [known(getattr(twin.whole, name)) for name in WHOLE_FIELDS]
    ladders = [[getattr(ladder, name) for name in LADDER_FIELDS] for ladder in twin.ladders]
    return [*whole, *ladders, *[[known(v) for v in twin.breadth[k]] for k in range(2)]]


def agree(seconds: list[list[Shown]]) -> None:
    """Second by second both hold the same."""
    rig, twin = Rig(len(seconds[0])), Market(U, naive.Limits(), Rules())
    for number, shown in enumerate(seconds):
        rig.close_second(shown)
        twin.close_second(START_S + number, shown)
        assert seen_by_kernel(rig) == seen_by_twin(twin), number


# Strategies.

_shares = st.one_of(st.just(0.0), st.floats(0.0, 10 * U), st.sampled_from((1e-9, 0.5, 2.0)))
_pressed = st.builds(
    Pressed,
    bucket=st.floats(0.0, 12 * U),
    share=_shares,
    added=st.floats(0.0, 2.5 * U),
    share_60s=_shares,
    usd=st.integers(0, 10**12),
    orders=st.integers(0, 9),
).map(lambda pressed: pressed if pressed.share else pressed._replace(added=0.0))
_shown = st.builds(
    Shown,
    price=st.one_of(st.floats(90.0, 110.0), st.just(NAN)),
    interest=st.one_of(st.floats(1.0, 1e6), st.sampled_from((NAN, 0.0, 1e300))),
    chain=st.one_of(st.floats(0.5, 2.0), st.just(NAN)),
    age_s=st.one_of(st.floats(0.0, 60.0), st.sampled_from((NAN, 0.0, 5.0))),
    basis=st.one_of(st.floats(-0.01, 0.01), st.just(NAN)),
    taker_usd=st.floats(-1e6, 1e6),
    depth_ratio=st.one_of(st.floats(0.0, 3.0), st.just(NAN)),
    scale=st.just(U),
    positions=st.tuples(_pressed, _pressed),
)


@given(
    seconds=st.integers(3, 5).flatmap(
        lambda n: st.lists(st.lists(_shown, min_size=n, max_size=n), min_size=1, max_size=8)
    )
)
@examples(150)
def test_kernel_and_twin_agree_on_anything(seconds: list[list[Shown]]) -> None:
    """Whatever assets show, known or not, leaves both with the same market."""
    agree(seconds)


def long_market(dice: Random, seconds: int, assets: int = 5) -> list[list[Shown]]:
    """A market of some length, with gaps, shared moves, and forced flow in bursts."""
    prices, indices = [100.0 * (k + 1) for k in range(assets)], [1.0] * assets
    silent = [0] * assets
    minutes = [[[0.0] * 60, [0.0] * 60] for _ in range(assets)]
    buckets = [[0.0, 0.0] for _ in range(assets)]
    found = []
    for second in range(seconds):
        common, burst = dice.gauss(0.0, 2e-4), 200 <= second % 500 < 300
        shown = []
        for k in range(assets):
            prices[k] *= math.exp(common + dice.gauss(0.0, 1e-4))
            indices[k] *= math.exp(dice.gauss(-1e-5 if burst else 0.0, 1e-5))
            if dice.random() < 0.003:
                silent[k] = second + dice.choice((5, 40))
            positions = []
            for position in range(2):
                forced = dice.random() < (0.3 if burst and position == 0 else 0.01)
                share = dice.paretovariate(1.5) * 1e-5 if forced else 0.0
                minutes[k][position][second % 60] = share
                bucket = max(0.0, buckets[k][position] - U / 240) + min(share, 0.5 * U)
                buckets[k][position] = bucket
                positions.append(
                    Pressed(
                        bucket,
                        share,
                        min(share, 0.5 * U),
                        math.fsum(minutes[k][position]),
                        round(share * 1e12),
                        int(forced),
                    )
                )
            unseen = silent[k] > second
            shown.append(
                Shown(
                    NAN if unseen else prices[k],
                    NAN if second < 3 * k else 1e6 / (k + 1),
                    NAN if second < 3 * k else indices[k],
                    NAN if second < 3 * k else float((second + 2 * k) % 7),
                    NAN if unseen or k == 3 else dice.gauss(0.0, 1e-4),
                    dice.gauss(0.0, 1e5),
                    dice.uniform(0.5, 1.5) if second > 600 and not unseen else NAN,
                    U * (1.0 + 0.1 * k),
                    (positions[0], positions[1]),
                )
            )
        found.append(shown)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_kernel_and_twin_agree_through_a_long_market(seed: int) -> None:
    """Twenty minutes of a market that moves together give both the same second by second."""
    seconds = long_market(Random(seed), 620 + part(600))
    rig, twin = Rig(5), Market(U, naive.Limits(), Rules())
    held = set()
    for number, shown in enumerate(seconds):
        rig.close_second(shown)
        twin.close_second(START_S + number, shown)
        assert seen_by_kernel(rig) == seen_by_twin(twin), number
        held |= {name for name in WHOLE_FIELDS if not math.isnan(getattr(twin.whole, name))}
    assert held == set(WHOLE_FIELDS), "every field was known at some second"
    assert twin.ladders[0].share_total > 0.0


# Rules, one by one: assets of equal weight unless told otherwise.


def quiet(**values: Any) -> Shown:
    """An asset that shows a price and open interest, and nothing forced."""
    return Shown(price=100.0, interest=1000.0, chain=1.0, age_s=1.0)._replace(**values)


def forced(share: float, *, bucket: float = 0.0, last_60s: float = 0.0, **values: Any) -> Shown:
    """An asset whose longs are closed: this share in the second, in u as the bucket."""
    pressed = Pressed(
        bucket * U, share * U, min(share, 2.5) * U, max(share, last_60s) * U, 1_000_000, 1
    )
    return quiet(**values)._replace(positions=(pressed, Pressed()))


def test_the_share_of_the_market_is_weighted_by_open_interest() -> None:
    """Forced dollars over all open interest in dollars is what the market's share is."""
    shown = [forced(1.0, interest=3000.0), forced(0.5), quiet(interest=2000.0)]
    rig = Rig(3).run([shown])
    # 1 u of 300,000 and 0.5 u of 100,000 dollars, over 600,000.
    assert rig.pressure["share"][6] == pytest.approx((3.0 * 1.0 + 1.0 * 0.5) / 6.0 * U)
    assert rig.assets["interest"][3] == 600_000.0
    assert rig.pressure["usd_total"][6] == 2_000_000
    assert rig.pressure["orders_total"].tolist()[6:8] == [2, 0]


def test_one_asset_alone_does_not_raise_the_market() -> None:
    """However much of one asset is forced, the market's bucket stays empty; its share does not."""
    rig = Rig(3).run([[forced(2.5, last_60s=150.0), quiet(), quiet()]] * 120)
    assert rig.level() == 0.0
    assert rig.pressure["share_total"][6] == pytest.approx(120 * 2.5 / 3.0 * U)
    assert rig.pressure["share_60s"][6] == pytest.approx(60 * 2.5 / 3.0 * U)


def test_an_asset_counts_for_no_more_than_all_others_together() -> None:
    """Of a lone cascade as much enters as the others had forced in the same minute."""
    shown = [forced(2.0, last_60s=8.0), forced(0.5, last_60s=1.0), forced(0.5, last_60s=1.0)]
    rig = Rig(3).run([shown])
    # The first had 8 of 10 parts of the minute: its 2 u count as 2 x 2/8.
    assert rig.level() == pytest.approx((2.0 * 2.0 / 8.0 + 0.5 + 0.5) / 3.0)
    even = [forced(2.0, last_60s=8.0), forced(2.0, last_60s=8.0), quiet()]
    assert Rig(3).run([even]).level() == pytest.approx(4.0 / 3.0)


def test_a_second_adds_no_more_than_the_cap() -> None:
    """The market's own cap holds whatever its assets add."""
    rig = Rig(3)
    rig.assets["scale"][3] = U / 10.0
    rig.run([[forced(2.5)] * 3])
    assert rig.level() == pytest.approx(2.5)


def test_the_bucket_holds_no_more_than_is_full() -> None:
    """However long all assets are forced, the market's bucket drains within minutes of it."""
    rig = Rig(3).run([[forced(2.5)] * 3] * 20)
    assert rig.level() == FULL_LEVEL
    assert rig.pressure["share_total"][6] == pytest.approx(20 * 2.5 * U)


def test_what_an_asset_left_of_an_earlier_second_counts_once() -> None:
    """A ladder's record of its last second with orders is not counted in later ones."""
    rig = Rig(3).run([[forced(1.0)] * 3, [quiet()] * 3, [quiet()] * 3])
    assert rig.pressure["share_total"][6] == pytest.approx(U)
    assert rig.level() == pytest.approx(1.0 - 2.0 * 0.25 / 60.0)


def test_the_flow_is_counted_from_where_the_bucket_rose() -> None:
    """Where the bucket last rose from empty, share, dollars and orders are remembered."""
    rig = Rig(3).run([[forced(0.001)] * 3, [quiet()] * 3, *[[forced(1.0)] * 3] * 3])
    record = rig.pressure[6]
    assert (record["start_usd"], record["usd_total"]) == (3_000_000, 12_000_000)
    assert (record["start_orders"], record["orders_total"]) == (3, 12)
    assert record["share_total"] - record["start_share"] == pytest.approx(3.0 * U)


def test_orders_before_the_market_knew_them_are_taken_in_at_once() -> None:
    """Totals of assets that are new to the market enter its totals and no ladder's episode."""
    rig = Rig(3)
    rig.pressure["usd_total"][0], rig.pressure["orders_total"][0] = 5_000_000, 7
    rig.run([[quiet()] * 3, [forced(1.0)] * 3])
    record = rig.pressure[6]
    assert (record["usd_total"], record["start_usd"]) == (8_000_000, 5_000_000)
    assert (record["orders_total"], record["start_orders"]) == (10, 7)


def test_breadth_needs_assets_and_their_weight() -> None:
    """Three pressed assets with 30 % of open interest are broad; two, or less of it, are not."""
    pressed, light = forced(0.5, bucket=4.0), forced(0.5, bucket=4.0, interest=100.0)
    assert Rig(5).run([[pressed] * 3 + [quiet()] * 2]).breadth() == (0.6, 3, 3.0)
    assert Rig(5).run([[pressed] * 2 + [quiet()] * 3]).breadth() == (0.4, 2, 0.0)
    ratio, *found = Rig(5).run([[light] * 3 + [quiet()] * 2]).breadth()
    assert ratio == pytest.approx(300.0 / 2300.0)
    assert found == [3, 0.0]


def test_an_asset_is_pressed_while_its_bucket_is_fed_at_the_level() -> None:
    """A bucket that is only full, or only fed, does not press; one that did does for a while."""
    full = quiet()._replace(positions=(Pressed(9 * U), Pressed()))
    assert Rig(3).run([[full] * 3]).breadth() == (0.0, 0, 0.0)
    assert Rig(3).run([[forced(0.5, bucket=3.99)] * 3]).breadth() == (0.0, 0, 0.0)
    rig = Rig(3).run([[forced(0.5, bucket=4.0)] * 3])
    assert rig.run([[full] * 3] * 119).breadth() == (1.0, 3, 3.0)
    assert rig.run([[full] * 3]).breadth() == (0.0, 0, 0.0)


def test_assets_need_not_be_pressed_in_the_same_second() -> None:
    """Cascades that begin within two minutes of each other are one breadth."""
    hit = forced(0.5, bucket=5.0)
    seconds = [[hit, quiet(), quiet()], [quiet(), hit, quiet()]]
    seconds += [[quiet()] * 3] * 100 + [[quiet(), quiet(), hit]]
    assert Rig(3).run(seconds).breadth() == (1.0, 3, 3.0)


def test_positions_have_breadth_of_their_own() -> None:
    """Closed longs say nothing of shorts."""
    rig = Rig(3).run([[forced(0.5, bucket=5.0)] * 3])
    assert rig.breadth(0) == (1.0, 3, 3.0)
    assert rig.breadth(1) == (0.0, 0, 0.0)
    assert rig.level(1) == 0.0


def test_breadth_lifts_the_tier() -> None:
    """A broad market stands at a tier three scales earlier than its bucket alone."""
    narrow = Rig(3).run([[forced(1.0)] * 3] * 4)
    broad = Rig(3).run([[forced(1.0, bucket=5.0)] * 3] * 4)
    assert narrow.level() == broad.level()
    assert (narrow.pressure["tier"][6], broad.pressure["tier"][6]) == (1, 3)


def test_the_price_is_an_index_of_weighted_returns() -> None:
    """Each return moves the index by its part of open interest, whatever a coin costs."""
    dear, cheap = quiet(interest=3000.0), quiet(price=1.0, interest=1e5)
    rig = Rig(3).run([[dear, cheap, quiet(price=10.0)]])
    rig.run([[dear._replace(price=101.0), cheap._replace(price=0.99), quiet(price=9.0)]])
    weights = np.array([303_000.0, 99_000.0, 9_000.0])
    expected = (weights * np.log([1.01, 0.99, 0.9])).sum() / weights.sum()
    assert math.log(rig.assets["price"][3]) == pytest.approx(expected)


def test_a_return_over_a_gap_is_not_lost() -> None:
    """An asset without a price leaves the index to the others and brings its move when back."""
    rig = Rig(3).run([[quiet()] * 3, *[[quiet(price=NAN), quiet(), quiet()]] * 20])
    assert rig.assets["price"][3] == 1.0
    rig.run([[quiet(price=90.0), quiet(), quiet()]])
    weights = np.array([90.0, 100.0, 100.0])
    assert rig.assets["price"][3] == pytest.approx(math.exp(math.log(0.9) * 90.0 / weights.sum()))


def test_without_any_price_there_is_no_index_and_it_goes_on_after() -> None:
    """A market that nobody prices has no price; the next one is chained to the last."""
    rig = Rig(3).run([[quiet()] * 3, [quiet(price=110.0)] * 3])
    assert rig.assets["price"][3] == pytest.approx(1.1)
    rig.run([[quiet(price=NAN)] * 3] * 5)
    assert math.isnan(rig.assets["price"][3])
    assert rig.assets["price_second"][3] == START_S + 1
    rig.run([[quiet(price=121.0)] * 3])
    assert rig.assets["price"][3] == pytest.approx(1.21)


def test_open_interest_is_a_chain_of_weighted_changes() -> None:
    """What joins or falls silent changes the level alone; what changes moves the chain."""
    rig = Rig(3).run([[quiet(), quiet(), quiet(interest=NAN, chain=NAN)]])
    rig.run([[quiet(chain=0.9), quiet(), quiet(interest=2000.0)]])
    assert rig.assets["interest_index"][3] == pytest.approx(1.0 - 0.1 * 100_000 / 400_000)
    rig.run([[quiet(chain=0.9), quiet(interest=NAN, chain=NAN), quiet(interest=2000.0)]])
    assert rig.assets["interest_index"][3] == pytest.approx(0.975)
    assert rig.assets["interest"][3] == 300_000.0


def test_the_age_of_open_interest_is_that_of_its_fresher_half() -> None:
    """Half of the dollars are at least as fresh as the age says; unknown ages cover nothing."""
    ages = [quiet(age_s=9.0, interest=3000.0), quiet(age_s=2.0), quiet(age_s=4.0)]
    assert Rig(3).run([ages]).assets["interest_age_s"][3] == 9.0
    ages = [quiet(age_s=9.0, interest=2000.0), quiet(age_s=2.0), quiet(age_s=4.0)]
    assert Rig(3).run([ages]).assets["interest_age_s"][3] == 4.0
    ages = [quiet(age_s=NAN, interest=3000.0), quiet(age_s=2.0), quiet(age_s=4.0)]
    assert math.isnan(Rig(3).run([ages]).assets["interest_age_s"][3])


def test_what_confirms_is_weighted_summed_or_the_median() -> None:
    """Basis is weighted, taker flow summed, depth the median; what is not known is left out."""
    rig = Rig(4).run(
        [
            [
                quiet(basis=-0.002, taker_usd=-5.0, depth_ratio=0.5),
                quiet(basis=0.001, taker_usd=1.0, depth_ratio=0.9, interest=2000.0),
                quiet(depth_ratio=0.1),
                quiet(taker_usd=-1.0, interest=NAN, basis=0.5),
            ]
        ]
    )
    assert rig.assets["basis"][4] == pytest.approx(0.0)
    assert rig.takers[4, START_S % dtypes.CONTEXT_HELD] == -5.0
    assert rig.assets["depth_ratio"][4] == 0.5


def test_fewer_assets_than_make_a_market_make_none() -> None:
    """Two watched assets leave the market's rows as they were, whatever is forced."""
    rig = Rig(2)
    before = rig.everything()
    rig.run([[forced(2.0, bucket=9.0)] * 2])
    after = rig.everything()
    for name in ("prices", "members", "parts"):
        assert after[name] == before[name]
    assert rig.pressure["share_total"][4] == 0.0
    assert math.isnan(rig.assets["interest"][2])
    assert Rig(2, Rules(assets=2)).run([[forced(2.0)] * 2]).level() == pytest.approx(2.0)


def test_what_is_off_the_list_is_no_part_of_the_market() -> None:
    """The row behind the market's is neither read nor written."""
    rig = Rig(3)
    rig.pressure["second"][8] = rig.second
    rig.pressure["share"][8], rig.pressure["usd_total"][8] = 1.0, 10**12
    rig.run([[quiet()] * 3])
    assert rig.pressure["usd_total"][6] == 0
    assert rig.pressure["share_total"][6] == 0.0
    assert rig.second * NS == rig.pressure["bucket_ns"][6]
