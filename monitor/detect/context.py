"""The market around one asset, as it stood when its last second ended."""

import math
from typing import Final

import msgspec

from kernels import trend
from monitor.detect.arrays import Arrays

SLOPE_S: Final = 180  # span of the open-interest slope


class Context(msgspec.Struct, frozen=True, gc=False):
    """The market around one asset at the last whole second; NaN is "not known"."""

    price: float
    spot_price: float
    price_z60: float
    price_z300: float
    basis: float
    basis_z: float
    taker_z: float
    depth_ratio: float
    interest: float
    interest_change_5m: float
    interest_age_s: float
    interest_slope: float
    price_fresh: bool


def context_of(arrays: Arrays, asset: int, last: int) -> Context:
    """The context of an asset, `last` being the last second that has ended.

    A price is fresh if it was seen in that second or in the one before it.
    """
    record = arrays.assets[asset]
    price = float(record["price"])
    return Context(
        price=price,
        spot_price=float(record["spot_price"]),
        price_z60=float(record["price_z60"]),
        price_z300=float(record["price_z300"]),
        basis=float(record["basis"]),
        basis_z=float(record["basis_z"]),
        taker_z=float(record["taker_z"]),
        depth_ratio=float(record["depth_ratio"]),
        interest=float(record["interest"]),
        interest_change_5m=float(record["interest_change_5m"]),
        interest_age_s=float(record["interest_age_s"]),
        interest_slope=trend.changed_slope(arrays.interests, asset, last, SLOPE_S, arrays.slopes),
        price_fresh=last - int(record["price_second"]) <= 1 and not math.isnan(price),
    )
