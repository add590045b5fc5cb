import itertools
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given

from kernels import dtypes
from tests.naive import Happening
from tests.streams import (
    NS,
    START_S,
    Rig,
    Twin,
    examples,
    long_stream,
    part,
    streams,
)

ASSET_FIELDS = (
    "interest",
    "interest_index",
    "interest_change_5m",
    "interest_age_s",
    "taker_usd",
    "spot_taker_usd",
    "price",
    "spot_price",
    "price_second",
    "return_var",
    "return_n",
    "price_z60",
    "price_z300",
    "basis",
    "basis_z",
    "taker_z",
    "depth_ratio",
    "depth_band",
)
EVERY = itertools.repeat(256)
AGED_S = START_S + 630


def seen_by_kernel(rig: Rig) -> list[dict[str, float]]:
    """What the kernel holds of each watched asset; NaN as None, so that equal is equal."""
    return [
        {name: _known(rig.assets[name][row].item()) for name in ASSET_FIELDS} for row in range(2)
    ]


def seen_by_twin(twin: Twin) -> list[dict[str, float]]:
    """The same of the twin."""
    return [
        {name: _known(getattr(asset, name)) for name in ASSET_FIELDS}
        for asset in twin.flow.assets[:2]
    ]


def _known(value: float) -> float:
    return -12345.0 if math.isnan(value) else value


def shake(rng: Random, contracts: int) -> list[tuple[int, int, float]]:
    """Books of a second: (contract, band, dollars) of those that spoke; NaN is not reached."""
    found = []
    for row in range(contracts):
        for band in range(len(dtypes.BANDS_BP)):
            reached = band < 3 or rng.random() < 0.5
            usd = 1e5 * (band + 1) * rng.uniform(0.5, 1.5) if reached else math.nan
            if rng.random() < 0.9:
                found.append((row, band, usd))
    return found


@given(events=streams(most=40))
@examples(30)
def test_kernel_and_twin_agree_on_any_stream(events: list[Happening]) -> None:
    """Damaged quotes, marks, trades and interests leave both with the same context."""
    rig, twin = Rig(), Twin()
    kernel: list[list[dict[str, float]]] = []
    naively: list[list[dict[str, float]]] = []
    rig.run(events, EVERY, lambda: kernel.append(seen_by_kernel(rig)))
    twin.run(events, lambda: naively.append(seen_by_twin(twin)))
    assert kernel == naively


def shake_kernel(rig: Rig, dice: Random) -> None:
    """Renew the kernel's books; at one second let its means be as after hours."""
    for row, band, usd in shake(dice, len(rig.contracts)):
        rig.books["usd"][row, band] = usd
        rig.books["book_ns"][row, band] = rig.second * NS
    if rig.second == AGED_S:
        for name in ("return_n", "basis_n", "taker_n"):
            rig.assets[name] = 10_000
        rig.books["n"] = 10_000


def shake_twin(twin: Twin, dice: Random) -> None:
    """The same for the twin."""
    for row, band, usd in shake(dice, len(twin.flow.contracts)):
        depth = twin.context.books[row][band]
        depth.usd, depth.book_ns = usd, twin.second * NS
    if twin.second == AGED_S:
        for asset in twin.flow.assets:
            asset.return_n = asset.basis_history.n = asset.taker_history.n = 10_000
        for depth in itertools.chain.from_iterable(twin.context.books):
            depth.n = 10_000


@pytest.mark.parametrize("seed", [3, 4])
def test_kernel_and_twin_agree_through_a_long_market(seed: int) -> None:
    """Twenty minutes with gaps, stale quotes and books give both the same second by second."""
    events = long_stream(Random(seed), 620 + part(600))
    rig, twin = Rig(), Twin()
    kernel: list[list[dict[str, float]]] = []
    naively: list[list[dict[str, float]]] = []
    one, other = Random(seed), Random(seed)

    def after_kernel() -> None:
        kernel.append(seen_by_kernel(rig))
        shake_kernel(rig, one)

    def after_twin() -> None:
        naively.append(seen_by_twin(twin))
        shake_twin(twin, other)

    rig.run(events, EVERY, after_kernel)
    twin.run(events, after_twin)
    assert kernel == naively
    known = {name for second in kernel for name, value in second[0].items() if value != -12345.0}
    assert known == set(ASSET_FIELDS), "every field was known at some second"


def quote(second: float, price: float, row: int = 0, kind: int = dtypes.BOOK_TOP) -> Happening:
    """A quote, or a mark, so many seconds after the start."""
    at_ns = START_S * NS + round(second * NS)
    return Happening(kind, row, price, price, at_ns, at_ns)


def interest(second: float, coins: float, row: int, age_s: float = 0.0) -> Happening:
    """Open interest of a contract, as old on arrival as said."""
    at_ns = START_S * NS + round(second * NS)
    event_ns = at_ns - round(age_s * NS)
    return Happening(dtypes.OPEN_INTEREST, row, coins, 0.0, event_ns, at_ns)


def closed(*events: Happening, seconds: int = 1) -> Rig:
    """A rig after these events and so many whole seconds."""
    rig = Rig()
    rig.run(events, EVERY)
    while rig.second < START_S + seconds:
        rig.close_second()
    return rig


def test_the_price_is_the_median_over_fresh_perpetuals() -> None:
    """One venue that prints nonsense does not move an asset's price."""
    rig = closed(quote(0.1, 100.0, 0), quote(0.1, 101.0, 1), quote(0.1, 9_999.0, 5))
    assert rig.assets["price"][0] == 101.0


def test_a_mark_stands_in_for_a_quote_that_is_not_fresh() -> None:
    """A quote prices nothing after ten seconds; a fresh mark then takes its place."""
    rig = closed(quote(0.0, 100.0), quote(9.5, 105.0, kind=dtypes.MARK), seconds=10)
    assert rig.assets["price"][0] == 100.0
    rig.close_second()
    assert rig.assets["price"][0] == 105.0
    for _ in range(10):
        rig.close_second()
    assert math.isnan(rig.assets["price"][0])


def test_a_dated_contract_and_a_delisted_one_price_nothing() -> None:
    """Neither expiring contracts nor those no longer listed have a say in the price."""
    rig = closed(quote(0.1, 100.0, 0), quote(0.1, 120.0, 1), quote(0.1, 90.0, 4))
    assert rig.assets["price"][0] == 110.0
    assert math.isnan(rig.assets["price"][1])
    rig.contracts["live"][1] = 0
    rig.close_second()
    assert rig.assets["price"][0] == 100.0


def test_the_age_of_open_interest_is_that_of_its_fresher_half() -> None:
    """Half of the coins are at least as fresh as the age says."""
    told = [interest(20.0, 40.0, 0), interest(20.0, 35.0, 1, 5.0), interest(20.0, 25.0, 5, 19.0)]
    rig = closed(*told, seconds=21)
    assert rig.assets["interest_age_s"][0] == pytest.approx(6.0)


def test_an_impossible_stamp_gives_open_interest_no_age() -> None:
    """Coins whose stamp lies before 1970 are counted, and how fresh they are is not known."""
    rig = closed(interest(0.1, 40.0, 0, age_s=2.0 * START_S))
    assert rig.assets["interest"][0] == 40.0
    assert math.isnan(rig.assets["interest_age_s"][0])


def test_a_delisted_contract_leaves_the_level_and_not_the_index() -> None:
    """Coins of a contract that is gone are no deleveraging: the chain does not move."""
    rig = closed(interest(0.1, 600.0, 0), interest(0.1, 400.0, 1))
    rig.contracts["live"][1], rig.contracts["interest"][1] = 0, np.nan
    rig.close_second()
    assert (rig.assets["interest"][0], rig.assets["interest_index"][0]) == (600.0, 1.0)


def test_a_change_of_five_minutes_needs_five_minutes() -> None:
    """Until a value of 300 seconds ago exists, the change is not known."""
    rig = closed(interest(0.1, 1000.0, 0), interest(299.5, 990.0, 0), seconds=300)
    assert math.isnan(rig.assets["interest_change_5m"][0])
    rig.close_second()
    assert rig.assets["interest_change_5m"][0] == pytest.approx(-0.01)


def test_no_sigma_before_ten_minutes_of_prices() -> None:
    """A move is compared with a sigma only once there are six hundred returns behind it."""
    dice = Random(1)
    prices = [100.0 * math.exp(dice.gauss(0.0, 1e-4)) for _ in range(700)]
    rig = Rig()
    known_from = 0
    for second, price in enumerate(prices):
        rig.run([quote(second + 0.5, price)], itertools.repeat(1))
        rig.close_second()
        if not known_from and not math.isnan(rig.assets["price_z60"][0]):
            known_from = second
    assert known_from == 601  # 600 returns lie behind 601 prices, and the last is compared


def test_a_market_that_stood_still_does_not_winsorise_for_good() -> None:
    """After a time without a move, the sigma of a market that moves again grows back."""
    rig = Rig()
    rig.run((quote(second, 100.0) for second in range(1000)), itertools.repeat(1))
    dice = Random(2)
    moving = [quote(1000 + k, 100.0 * math.exp(dice.gauss(0.0, 1e-3))) for k in range(3000)]
    rig.run(moving, itertools.repeat(1))
    # The floor is a millionth; three sigmas a second lead out of it within the hour.
    assert math.sqrt(rig.assets["return_var"][0]) > 1e-4
