import pytest

from monitor.venues.wire import DamagedValue, asset_of, finite, ms_to_ns, positive


@pytest.mark.parametrize(
    ("base", "asset", "coins"),
    [
        ("BTC", "BTC", 1.0),
        ("XBT", "BTC", 1.0),
        ("1000PEPE", "PEPE", 1e3),
        ("10000SATS", "SATS", 1e4),
        ("100000AIDOGE", "AIDOGE", 1e5),
        ("1000000MOG", "MOG", 1e6),
        ("1MBABYDOGE", "BABYDOGE", 1e6),
        ("SHIB1000", "SHIB", 1e3),
        ("1000X", "X", 1e3),
    ],
)
def test_a_count_of_coins_in_a_name_becomes_the_multiplier(
    base: str, asset: str, coins: float
) -> None:
    """A base quoted by the thousand means its coin, and one unit is that many of them."""
    assert asset_of(base) == (asset, coins)


@pytest.mark.parametrize(
    "base", ["1INCH", "0G", "2Z", "1MIL", "C98", "10SET", "100X", "1000", "1000000", "API3", ""]
)
def test_a_name_that_merely_holds_digits_is_left_alone(base: str) -> None:
    """Digits are a count only where they are one of the four that venues use as such."""
    assert asset_of(base) == (base, 1.0)


def test_a_stamp_in_milliseconds_becomes_nanoseconds() -> None:
    """A venue's stamp in milliseconds is exactly that many millions of nanoseconds."""
    assert ms_to_ns(1_700_000_000_123) == 1_700_000_000_123_000_000


@pytest.mark.parametrize("stamp", [0, -1, 1_700_000_000, 1_700_000_000_123_000])
def test_a_stamp_in_other_units_is_damage(stamp: int) -> None:
    """Seconds, microseconds and nonsense are refused rather than read as milliseconds."""
    with pytest.raises(DamagedValue, match="milliseconds"):
        ms_to_ns(stamp)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_must_be_positive_is_refused_otherwise(value: float) -> None:
    """Zero, negative and non-finite values fail the check, and the message names the field."""
    with pytest.raises(DamagedValue, match="positive price"):
        positive(value, "price")
    assert positive(2.5, "price") == 2.5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_must_be_finite_is_refused_otherwise(value: float) -> None:
    """Only the non-finite fails this check: a rate may be zero or negative."""
    with pytest.raises(DamagedValue, match="finite rate"):
        finite(value, "rate")
    assert finite(-0.5, "rate") == -0.5
