"""The market as a whole: the watch list taken together as one more asset, a second behind it.

With w the part of all known open interest (US dollars) that an asset has, its forced share x of
a second enters the market's as w x. Assets are to the market what contracts are to an asset: what
each adds to the bucket is capped by its own scale, their sum by the market's, and drain and full
level of the bucket are in the market's, too. One asset alone is no market: it counts for no more
than all others together did in the last minute.

Breadth is the part of open interest, and the number of assets, whose own buckets were fed at a
given level not long ago. Where enough of the market is pressed at once, the market's tiers stand
that much lower.

Price is an index of open-interest-weighted returns, open interest a chain of weighted changes;
what is not known of an asset leaves the others as they are.
"""

import math
from typing import Final

from numba import float64, int64, types
from numba.np.numpy_support import from_dtype

from kernels.context import median, renew_basis, renew_price, renew_taker
from kernels.dtypes import (
    CONTEXT_HELD,
    Reals,
    Records,
    asset_dtype,
    breadth_dtype,
    limits_dtype,
    member_dtype,
    part_dtype,
    pressure_dtype,
)
from kernels.jit import kernel

SHARES_HELD: Final = 64

_assets = from_dtype(asset_dtype)[::1]
_pressure = from_dtype(pressure_dtype)[::1]
_members = from_dtype(member_dtype)[::1]
_parts = from_dtype(part_dtype)[::1]
_limits = from_dtype(limits_dtype)[::1]
_rules = from_dtype(breadth_dtype)[::1]
_history = float64[:, ::1]


@kernel(types.void(int64, int64, _assets, _members, _history))
def _weigh(second: int, market: int, assets: Records, members: Records, prices: Reals) -> None:
    """Renew every asset's weight, and the market's price from their returns.

    A return spans the time since the asset last had a price, so that none is lost.
    """
    total = 0.0
    priced = 0
    moved = 0.0
    weighed = 0.0
    for asset in range(market):
        price, before = assets["price"][asset], members["price"][asset]
        if price > 0.0:
            members["price"][asset] = price
            priced += 1
        usd = assets["interest"][asset] * members["price"][asset]
        if not 0.0 < usd < math.inf:
            usd = 0.0
        members["interest_usd"][asset] = usd
        total += usd
        if price > 0.0 and before > 0.0:
            moved += usd * math.log(price / before)
            weighed += usd
    members["interest_usd"][market] = total
    if weighed > 0.0:
        index = members["price"][market] * math.exp(moved / weighed)
        if 0.0 < index < math.inf:
            members["price"][market] = index
    index = members["price"][market] if priced > 0 else math.nan
    renew_price(second, market, index, assets, prices)


@kernel(types.void(int64, int64, _assets, _members, _history))
def _join_interest(
    second: int, market: int, assets: Records, members: Records, interests: Reals
) -> None:
    """Renew the market's open interest: its level in US dollars, its chain, and its age."""
    here = second % CONTEXT_HELD
    total = members["interest_usd"][market]
    change = 0.0
    for asset in range(market):
        now, then = interests[asset, here], interests[asset, (second - 1) % CONTEXT_HELD]
        if then > 0.0 and 0.0 < now < math.inf:
            change += members["interest_usd"][asset] * (now / then - 1.0)
    if total > 0.0:
        index = assets["interest_index"][market] * (1.0 + change / total)
        if 0.0 < index < math.inf:
            assets["interest_index"][market] = index
    assets["interest"][market] = total if total > 0.0 else math.nan
    interests[market, here] = assets["interest_index"][market] if total > 0.0 else math.nan
    past = interests[market, (second - 300) % CONTEXT_HELD]
    assets["interest_change_5m"][market] = interests[market, here] / past - 1.0
    # Age: half of the open interest is at least as fresh as this.
    covered = 0.0
    age = -1.0
    while total > 0.0 and covered < 0.5 * total:
        older = math.inf
        for asset in range(market):
            if age < assets["interest_age_s"][asset] < older:
                older = assets["interest_age_s"][asset]
        age = older
        if age == math.inf:
            break
        for asset in range(market):
            if assets["interest_age_s"][asset] == age:
                covered += members["interest_usd"][asset]
    assets["interest_age_s"][market] = age if 0.0 <= age < math.inf else math.nan


@kernel(types.void(int64, int64, _assets, _members, _history, float64[::1]))
def _renew_context(
    second: int, market: int, assets: Records, members: Records, takers: Reals, values: Reals
) -> None:
    """Renew what else confirms: weighted basis, taker flow of all, median of the depth ratios."""
    basis = 0.0
    weighed = 0.0
    usd = 0.0
    known = 0
    for asset in range(market):
        weight = members["interest_usd"][asset]
        if weight > 0.0 and not math.isnan(assets["basis"][asset]):
            basis += weight * assets["basis"][asset]
            weighed += weight
        usd += takers[asset, second % CONTEXT_HELD]
        if not math.isnan(assets["depth_ratio"][asset]):
            values[known] = assets["depth_ratio"][asset]
            known += 1
    renew_basis(market, basis / weighed if weighed > 0.0 else math.nan, assets)
    renew_taker(second, market, usd, assets, takers)
    assets["depth_ratio"][market] = median(values, known)


@kernel(types.void(int64, int64, int64, _assets, _pressure, _history, _members, _parts, _limits))
def _pour(
    second: int,
    market: int,
    position: int,
    assets: Records,
    pressure: Records,
    shares: Reals,
    members: Records,
    parts: Records,
    limits: Records,
) -> None:
    """Pour a second's forced flow of one position into the market's ladder."""
    ladder = 2 * market + position
    total = members["interest_usd"][market]
    minute = 0.0
    for asset in range(market):
        weight = members["interest_usd"][asset]
        if weight > 0.0:
            # More than all open interest is no share.
            minute += weight / total * min(1.0, pressure["share_60s"][2 * asset + position])
    x = 0.0
    added = 0.0
    usd = int64(0)
    orders = int64(0)
    for asset in range(market):
        part = 2 * asset + position
        usd += pressure["usd_total"][part] - parts["usd_total"][part]
        orders += pressure["orders_total"][part] - parts["orders_total"][part]
        parts["usd_total"][part] = pressure["usd_total"][part]
        parts["orders_total"][part] = pressure["orders_total"][part]
        weight = members["interest_usd"][asset]
        if pressure["second"][part] != second or not weight > 0.0:
            continue
        weight /= total
        x += weight * min(1.0, pressure["share"][part])
        counted = weight * pressure["added"][part]
        own = weight * min(1.0, pressure["share_60s"][part])
        if own > minute - own:
            counted *= max(0.0, minute - own) / own
        added += counted

    bucket = pressure["bucket"][ladder]
    if bucket == 0.0 and x > 0.0:
        pressure["start_share"][ladder] = pressure["share_total"][ladder]
        pressure["start_usd"][ladder] = pressure["usd_total"][ladder]
        pressure["start_orders"][ladder] = pressure["orders_total"][ladder]
    u = assets["scale"][market]
    added = min(added, limits["asset_cap"][0] * u)
    pressure["bucket"][ladder] = min(bucket + added, limits["full_level"][0] * u)
    pressure["second"][ladder] = second
    pressure["added"][ladder] = added
    pressure["share"][ladder] = x
    pressure["share_total"][ladder] += x
    pressure["usd_total"][ladder] += usd
    pressure["orders_total"][ladder] += orders
    shares[ladder, second % SHARES_HELD] = x
    last_60s = 0.0
    for back in range(60):
        last_60s += shares[ladder, (second - back) % SHARES_HELD]
    pressure["share_60s"][ladder] = last_60s


@kernel(types.void(int64, int64, int64, _assets, _pressure, _members, _parts, _limits, _rules))
def _spread(
    second: int,
    market: int,
    position: int,
    assets: Records,
    pressure: Records,
    members: Records,
    parts: Records,
    limits: Records,
    rules: Records,
) -> None:
    """Renew the breadth of one position, and the tier that the market's ladder stands at."""
    ladder = 2 * market + position
    total = members["interest_usd"][market]
    pressed_usd = 0.0
    count = 0
    for asset in range(market):
        part = 2 * asset + position
        if (
            pressure["second"][part] == second
            and pressure["share"][part] > 0.0
            and pressure["bucket"][part] >= rules["level"][0] * assets["scale"][asset]
        ):
            parts["pressed_second"][part] = second
        if (
            second - parts["pressed_second"][part] < rules["within_s"][0]
            and members["interest_usd"][asset] > 0.0
        ):
            pressed_usd += members["interest_usd"][asset]
            count += 1
    ratio = pressed_usd / total if total > 0.0 else math.nan
    lift = 0.0
    if count >= rules["assets"][0] and ratio >= rules["ratio"][0]:
        lift = rules["lift"][0]
    parts["breadth_ratio"][ladder] = ratio
    parts["breadth_assets"][ladder] = count
    parts["lift"][ladder] = lift
    u = assets["scale"][market]
    level = pressure["bucket"][ladder] + lift * u
    tier = 0
    if level >= limits["tier_3"][0] * u:
        tier = 3
    elif level >= limits["tier_2"][0] * u:
        tier = 2
    elif level >= limits["tier_1"][0] * u:
        tier = 1
    pressure["tier"][ladder] = tier


@kernel(
    types.void(
        int64,
        _assets,
        _pressure,
        _history,
        _history,
        _history,
        _history,
        _members,
        _parts,
        _limits,
        _rules,
        float64[::1],
    )
)
def close_second(
    second: int,
    assets: Records,
    pressure: Records,
    shares: Reals,
    prices: Reals,
    interests: Reals,
    takers: Reals,
    members: Records,
    parts: Records,
    limits: Records,
    rules: Records,
    values: Reals,
) -> None:
    """End a second for the market, behind `flow.close_second` and `context.close_second`.

    The last row but one of everything by asset is the market's, the last everything off the
    watch list. Where fewer assets are watched than make a market, nothing changes.

    Args:
        second: The second that ends.
        assets: The market's row is changed in place; its open interest is in US dollars.
        pressure: The market's two ladders are changed in place.
        shares: The same (ladders x 64).
        prices: The same (assets x CONTEXT_HELD).
        interests: The same.
        takers: The same.
        members: Weights and last prices (assets), changed in place.
        parts: What the market's ladders have taken in (ladders), and breadth; changed in place.
        limits: Caps and tiers.
        rules: One record.
        values: Room for one value an asset.
    """
    market = len(assets) - 2
    if market < rules["assets"][0]:
        return
    _weigh(second, market, assets, members, prices)
    _join_interest(second, market, assets, members, interests)
    _renew_context(second, market, assets, members, takers, values)
    for position in range(2):
        _pour(second, market, position, assets, pressure, shares, members, parts, limits)
        _spread(second, market, position, assets, pressure, members, parts, limits, rules)
