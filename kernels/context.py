"""The market around the forced flow, second by second: price, basis, taker flow, depth, interest.

What is compared is always an asset with its own last hour, in sigmas or ratios; a value whose
inputs are stale or whose history is short is NaN. An asset's price is the median over its
fresh perpetuals, so one venue that drops out or prints nonsense does not move it.
"""

import math
from typing import Final

from numba import float64, int64, types
from numba.np.numpy_support import from_dtype

from kernels.dtypes import (
    BANDS_BP,
    CONTEXT_HELD,
    PERPETUAL,
    SPOT,
    Integers,
    Reals,
    Records,
    asset_dtype,
    book_dtype,
    contract_dtype,
)
from kernels.jit import kernel

NS: Final = 1_000_000_000
FRESH_S: Final = 10  # a quote or mark older than this prices nothing
BOOK_FRESH_S: Final = 15
MEMORY_S: Final = 3600  # of all exponentially weighted means
LEAST_SAMPLES: Final = 600  # below it a sigma or a mean is not known
WINSOR: Final = 3.0  # returns count at no more than so many sigmas in the variance

_contracts = from_dtype(contract_dtype)[::1]
_assets = from_dtype(asset_dtype)[::1]
_books = from_dtype(book_dtype)[:, ::1]


@kernel(float64(float64[::1], int64))
def median(values: Reals, n: int) -> float:
    """Median of the first `n` values, which are put in order; NaN for none."""
    if n == 0:
        return math.nan
    for i in range(1, n):
        value = values[i]
        k = i - 1
        while k >= 0 and values[k] > value:
            values[k + 1] = values[k]
            k -= 1
        values[k + 1] = value
    if n % 2 == 1:
        return float(values[n // 2])
    return float(0.5 * (values[n // 2 - 1] + values[n // 2]))


@kernel(types.void(int64, int64, float64, _assets, float64[:, ::1]))
def renew_price(second: int, asset: int, price: float, assets: Records, prices: Reals) -> None:
    """Take an asset's price of a second, NaN for none: its variance, and its moves in sigmas.

    Changes `assets` and `prices` (assets x CONTEXT_HELD) in place.
    """
    assets["price"][asset] = price
    prices[asset, second % CONTEXT_HELD] = price
    if not math.isnan(price):
        assets["price_second"][asset] = second
    before = prices[asset, (second - 1) % CONTEXT_HELD]
    n = assets["return_n"][asset]
    variance = assets["return_var"][asset]
    if price > 0.0 and before > 0.0:
        step = math.log(price / before)
        if n >= 60:
            most = WINSOR * math.sqrt(variance)
            step = min(most, max(-most, step))
        weight = max(1.0 / MEMORY_S, 1.0 / (n + 1.0))
        # A floor of a hundredth of a basis point keeps a market that stood still from
        # winsorising everything that follows to nothing.
        variance = max(1e-12, variance + weight * (step * step - variance))
        assets["return_var"][asset] = variance
        assets["return_n"][asset] = n + 1
    z60 = math.nan
    z300 = math.nan
    if n >= LEAST_SAMPLES and price > 0.0 and variance > 0.0:
        past = prices[asset, (second - 60) % CONTEXT_HELD]
        if past > 0.0:
            z60 = math.log(price / past) / math.sqrt(variance * 60.0)
        past = prices[asset, (second - 300) % CONTEXT_HELD]
        if past > 0.0:
            z300 = math.log(price / past) / math.sqrt(variance * 300.0)
    assets["price_z60"][asset] = z60
    assets["price_z300"][asset] = z300


@kernel(types.void(int64, float64, _assets))
def renew_basis(asset: int, basis: float, assets: Records) -> None:
    """Take an asset's perp against spot, NaN for not known: it and its distance in sigmas."""
    basis_z = math.nan
    if not math.isnan(basis):
        n = assets["basis_n"][asset]
        mean, variance = assets["basis_mean"][asset], assets["basis_var"][asset]
        if n >= LEAST_SAMPLES and variance > 0.0:
            basis_z = (basis - mean) / math.sqrt(variance)
        weight = max(1.0 / MEMORY_S, 1.0 / (n + 1.0))
        off = basis - mean
        assets["basis_mean"][asset] = mean + weight * off
        assets["basis_var"][asset] = (1.0 - weight) * (variance + weight * off * off)
        assets["basis_n"][asset] = n + 1
    assets["basis"][asset] = basis
    assets["basis_z"][asset] = basis_z


@kernel(types.void(int64, int64, float64, _assets, float64[:, ::1]))
def renew_taker(second: int, asset: int, usd: float, assets: Records, takers: Reals) -> None:
    """Take the signed taker flow of a second: that of a minute, summed anew, in sigmas.

    Changes `assets` and `takers` (assets x CONTEXT_HELD) in place.
    """
    takers[asset, second % CONTEXT_HELD] = usd
    flow = 0.0
    for back in range(60):
        flow += takers[asset, (second - back) % CONTEXT_HELD]
    taker_z = math.nan
    n = assets["taker_n"][asset]
    mean, variance = assets["taker_mean"][asset], assets["taker_var"][asset]
    if n >= LEAST_SAMPLES and variance > 0.0:
        taker_z = (flow - mean) / math.sqrt(variance)
    weight = max(1.0 / MEMORY_S, 1.0 / (n + 1.0))
    off = flow - mean
    assets["taker_mean"][asset] = mean + weight * off
    assets["taker_var"][asset] = (1.0 - weight) * (variance + weight * off * off)
    assets["taker_n"][asset] = n + 1
    assets["taker_z"][asset] = taker_z


@kernel(
    types.void(
        int64,
        _contracts,
        _assets,
        _books,
        float64[:, ::1],
        float64[:, ::1],
        float64[:, ::1],
        float64[::1],
        float64[::1],
        float64[::1],
        int64[::1],
    )
)
def close_second(
    second: int,
    contracts: Records,
    assets: Records,
    books: Records,
    prices: Reals,
    interests: Reals,
    takers: Reals,
    perp_values: Reals,
    spot_values: Reals,
    ratios: Reals,
    chain: Integers,
) -> None:
    """End a second: renew every asset's context from its contracts.

    Args:
        second: The second that ends.
        contracts: Quotes, marks and open interest of each contract.
        assets: Changed in place; the last row (off the watch list) is left alone.
        books: Depth of each contract and band (contracts x bands); means changed in place.
        prices: Perp price by second (assets x CONTEXT_HELD), changed in place.
        interests: Chain-linked open interest by second, changed in place.
        takers: Signed taker US dollars by second, changed in place.
        perp_values: Room for one value a contract.
        spot_values: The same.
        ratios: The same.
        chain: Room for one number a contract and one an asset.

    Rows of contracts are given out in order: the first without an asset ends them.
    """
    now_ns = (second + 1) * NS
    here = second % CONTEXT_HELD
    # The contracts of each asset in order of their rows: each names the next, -1 for none.
    room = len(contracts)
    for asset in range(len(assets)):
        chain[room + asset] = -1
    rows = 0
    while rows < room and contracts["asset"][rows] >= 0:
        rows += 1
    for back in range(rows):
        c = rows - 1 - back
        if contracts["live"][c] == 1:
            asset = int64(contracts["asset"][c])
            chain[c] = chain[room + asset]
            chain[room + asset] = c
    for asset in range(len(assets) - 1):
        # One pass over the contracts: prices, interest and depth.
        perps = 0
        spots = 0
        n_ratios = 0
        level = 0.0
        known = 0
        band_used = -1
        following = chain[room + asset]
        while following >= 0:
            c = following
            following = chain[c]
            if not math.isnan(contracts["interest"][c]):
                level += contracts["interest"][c]
                known += 1
            kind = contracts["kind"][c]
            bid, ask = contracts["bid"][c], contracts["ask"][c]
            middle = 0.5 * (bid + ask)
            quoted = (
                bid > 0.0
                and ask > 0.0
                and middle < math.inf
                and now_ns - contracts["quote_ns"][c] <= FRESH_S * NS
            )
            mark = contracts["mark"][c]
            if kind == SPOT:
                if quoted:
                    spot_values[spots] = middle
                    spots += 1
                continue
            if kind != PERPETUAL:
                continue
            if quoted:
                perp_values[perps] = middle
                perps += 1
            elif 0.0 < mark < math.inf and now_ns - contracts["mark_ns"][c] <= FRESH_S * NS:
                perp_values[perps] = mark
                perps += 1
            deepest = -1
            for band in range(len(BANDS_BP)):
                usd = books["usd"][c, band]
                if math.isnan(usd) or now_ns - books["book_ns"][c, band] > BOOK_FRESH_S * NS:
                    continue
                n = books["n"][c, band]
                mean = books["mean"][c, band]
                if n >= LEAST_SAMPLES and mean > 0.0:
                    deepest = band
                    ratios[n_ratios] = usd / mean
                weight = max(1.0 / MEMORY_S, 1.0 / (n + 1.0))
                books["mean"][c, band] = mean + weight * (usd - mean)
                books["n"][c, band] = n + 1
            if deepest >= 0:
                n_ratios += 1
                band_used = max(band_used, deepest)

        # The level is summed anew each second, so it cannot drift.
        assets["interest"][asset] = level if known > 0 else math.nan
        interests[asset, here] = assets["interest_index"][asset] if known > 0 else math.nan
        then = interests[asset, (second - 300) % CONTEXT_HELD]
        assets["interest_change_5m"][asset] = interests[asset, here] / then - 1.0
        # Age: half of the open interest is at least as fresh as this.
        age = math.nan
        covered = 0.0
        newest_left = int64(9_223_372_036_854_775_807)
        while known > 0 and covered < 0.5 * level:
            newest = int64(-1)
            c = chain[room + asset]
            while c >= 0:
                if (
                    not math.isnan(contracts["interest"][c])
                    and newest < contracts["interest_ns"][c] < newest_left
                ):
                    newest = contracts["interest_ns"][c]
                c = chain[c]
            if newest < 0:
                break
            c = chain[room + asset]
            while c >= 0:
                if contracts["interest_ns"][c] == newest and not math.isnan(
                    contracts["interest"][c]
                ):
                    covered += contracts["interest"][c]
                c = chain[c]
            newest_left = newest
            age = max(0.0, (now_ns - newest) * 1e-9)
        assets["interest_age_s"][asset] = age

        price = median(perp_values, perps)
        spot = median(spot_values, spots)
        assets["spot_price"][asset] = spot
        renew_price(second, asset, price, assets, prices)
        renew_basis(asset, price / spot - 1.0 if price > 0.0 and spot > 0.0 else math.nan, assets)
        renew_taker(second, asset, assets["taker_usd"][asset], assets, takers)
        assets["taker_usd"][asset] = 0.0
        assets["spot_taker_usd"][asset] = 0.0

        assets["depth_ratio"][asset] = median(ratios, n_ratios)
        assets["depth_band"][asset] = band_used
