import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.confirmers import CONFIRMERS, REWAVE, confirm, rewave_probability
from monitor.detect.context import Context
from monitor.events import Position
from monitor.parameters import Parameters
from tests.streams import examples

P = Parameters()
NAN = math.nan
LONG, SHORT = Position.LONG, Position.SHORT
CALM = Context(
    price=100.0,
    spot_price=100.0,
    price_z60=0.0,
    price_z300=0.0,
    basis=0.0,
    basis_z=0.0,
    taker_z=0.0,
    depth_ratio=1.0,
    interest=1000.0,
    interest_change_5m=0.0,
    interest_age_s=1.0,
    interest_slope=0.0,
    price_fresh=True,
)
REALS = tuple(name for name, kind in Context.__annotations__.items() if kind is float)


def names(position: Position, **values: Any) -> tuple[str, ...]:
    """Which confirmers hold when only this is unlike a calm market."""
    return confirm(msgspec.structs.replace(CALM, **values), position, P).names


@pytest.mark.parametrize(
    ("position", "values", "expected"),
    [
        (LONG, {"price_z60": -2.5}, ("price",)),
        (LONG, {"price_z60": -2.49}, ()),
        (LONG, {"price_z300": -2.5}, ("price",)),
        (LONG, {"price_z60": 9.0, "price_z300": -2.5}, ("price",)),
        (LONG, {"price_z60": 9.0}, ()),
        (SHORT, {"price_z60": 2.5}, ("price",)),
        (SHORT, {"price_z300": -9.0}, ()),
        (LONG, {"interest_change_5m": -0.0015}, ("open_interest",)),
        (SHORT, {"interest_change_5m": -0.0015}, ("open_interest",)),
        (LONG, {"interest_change_5m": -0.00149}, ()),
        (LONG, {"interest_change_5m": -0.5, "interest_age_s": 45.1}, ()),
        (LONG, {"interest_change_5m": -0.5, "interest_age_s": NAN}, ()),
        (LONG, {"depth_ratio": 0.70}, ("depth",)),
        (SHORT, {"depth_ratio": 0.71}, ()),
        (LONG, {"basis_z": -2.0}, ("basis",)),
        (SHORT, {"basis_z": 2.0}, ("basis",)),
        (SHORT, {"basis_z": 1.99}, ()),
        (LONG, {"taker_z": -2.0}, ("taker_flow",)),
        (SHORT, {"taker_z": 2.0}, ("taker_flow",)),
        (LONG, {"taker_z": 2.0}, ()),
    ],
)
def test_a_confirmer_holds_from_its_bound_on_in_forced_direction(
    position: Position, values: dict[str, float], expected: tuple[str, ...]
) -> None:
    """Down for closed longs, up for closed shorts, and only from its own bound on."""
    assert names(position, **values) == expected


@given(
    values=st.dictionaries(
        st.sampled_from(REALS), st.sampled_from((-99.0, -2.0, 0.0, 0.5, 3.0, 99.0))
    ),
    unknown=st.sets(st.sampled_from(REALS)),
    position=st.sampled_from((LONG, SHORT)),
)
@examples(200)
def test_what_is_not_known_never_confirms(
    values: dict[str, float], unknown: set[str], position: Position
) -> None:
    """Making values NaN takes confirmers away and evaluable ones with them, and adds none."""
    known = confirm(msgspec.structs.replace(CALM, **values), position, P)
    blind = dict.fromkeys(unknown, NAN)
    found = confirm(msgspec.structs.replace(CALM, **{**values, **blind}), position, P)
    assert set(found.names) <= set(known.names)
    assert len(found.names) <= found.evaluable <= known.evaluable


def test_nothing_known_is_nothing_evaluable() -> None:
    """With every input unknown, no confirmer is evaluated and none holds."""
    found = confirm(msgspec.structs.replace(CALM, **dict.fromkeys(REALS, NAN)), LONG, P)
    assert (found.names, found.evaluable) == ((), 0)
    assert math.isnan(found.price_z)


def test_all_confirmers_can_hold_at_once() -> None:
    """A full-blown cascade of longs is confirmed five times, in the order of the list."""
    found = confirm(
        msgspec.structs.replace(
            CALM,
            price_z60=-9.0,
            interest_change_5m=-0.02,
            depth_ratio=0.1,
            basis_z=-5.0,
            taker_z=-5.0,
        ),
        LONG,
        P,
    )
    assert found.names == CONFIRMERS
    assert (found.evaluable, found.price_z, found.basis_z, found.taker_z) == (
        5,
        0.0 + 9.0,
        5.0,
        5.0,
    )


@pytest.mark.parametrize(("seconds", "chance"), [*REWAVE, (0, 0.33), (270, 0.32), (9999, 0.15)])
def test_the_chance_of_another_wave_is_read_off_its_table(seconds: float, chance: float) -> None:
    """On the points as measured, between them on the line, outside at the ends."""
    assert rewave_probability(seconds) == pytest.approx(chance)


def test_the_chance_of_another_wave_only_falls() -> None:
    """The longer the extreme is past, the less likely is another wave."""
    chances = [rewave_probability(second) for second in range(0, 2000, 7)]
    assert chances == sorted(chances, reverse=True)
