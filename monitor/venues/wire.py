"""Checks that every venue makes at its border; what fails them is damaged, not data."""

import math

NS_PER_MS = 1_000_000
# 2001-09-09 to 2286-11-20: a stamp outside it is in other units than milliseconds.
_FIRST_MS = 1_000_000_000_000
_LAST_MS = 9_999_999_999_999


class DamagedValue(ValueError):
    """A value of a well-formed message that cannot be true; the message says which."""


def ms_to_ns(stamp_ms: int) -> int:
    """Nanoseconds of a stamp in milliseconds since 1970 UTC.

    Raises:
        DamagedValue: The stamp is in other units, or nonsense.
    """
    if _FIRST_MS <= stamp_ms <= _LAST_MS:
        return stamp_ms * NS_PER_MS
    raise DamagedValue(f"expected a stamp in milliseconds, was {stamp_ms}")


def positive(value: float, name: str) -> float:
    """The value, if it is finite and above zero.

    Raises:
        DamagedValue: It is not.
    """
    if 0.0 < value < math.inf:
        return value
    raise DamagedValue(f"expected a positive {name}, was {value}")


def finite(value: float, name: str) -> float:
    """The value, if it is finite.

    Raises:
        DamagedValue: It is not.
    """
    if -math.inf < value < math.inf:
        return value
    raise DamagedValue(f"expected a finite {name}, was {value}")
