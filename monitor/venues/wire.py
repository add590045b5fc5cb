"""Checks that every venue makes at its border; what fails them is damaged, not data."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from monitor.events import Event, Malformed

NS_PER_MS = 1_000_000
# 2001-09-09 to 2286-11-20: a stamp outside it is in other units than milliseconds.
_FIRST_MS = 1_000_000_000_000
_LAST_MS = 9_999_999_999_999
# Only these powers of ten are counts of coins; "1INCH", "0G" and "2Z" are names. "1M" counts
# only before three letters or more, since "1MIL" is a name too.
_COUNT_BEFORE = re.compile(r"(1000|10000|100000|1000000|1M(?=\D{3}))(\D.*)")
_COUNT_BEHIND = re.compile(r"(\D{2,})(1000|10000|100000|1000000)")


_State = TypeVar("_State", bound=msgspec.Struct)


class Remembering(Generic[_State]):
    """What every Reader that remembers does with its state."""

    _state: _State

    @property
    def state(self) -> msgspec.Struct:
        """What it remembers; a copy put here goes on exactly where the copy was taken."""
        return self._state

    @state.setter
    def state(self, state: msgspec.Struct) -> None:
        assert isinstance(state, type(self._state))
        self._state = state


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


# No price and no quantity is smaller or larger, in any unit of any venue; within these bounds no
# product or quotient of two of them is infinite.
LEAST = 1e-15
MOST = 1e15


def positive(value: float, name: str) -> float:
    """The value, if it is above zero and of a size that anything can have.

    Raises:
        DamagedValue: It is not.
    """
    if LEAST <= value <= MOST:
        return value
    raise DamagedValue(f"expected a positive {name}, was {value}")


def finite(value: float, name: str) -> float:
    """The value, if it is of a size that anything can have, whatever its sign.

    Raises:
        DamagedValue: It is not.
    """
    if -MOST <= value <= MOST:
        return value
    raise DamagedValue(f"expected a finite {name}, was {value}")


def asset_of(base: str) -> tuple[str, float]:
    """The asset that a venue's base coin means, and how many coins of it one unit is.

    Cheap coins are quoted by the thousand: 1000PEPE, 1000000MOG, 1MBABYDOGE, SHIB1000.
    XBT is an old name of BTC.
    """
    if base == "XBT":
        return "BTC", 1.0
    if before := _COUNT_BEFORE.fullmatch(base):
        count, asset = before.groups()
        return asset, 1e6 if count == "1M" else float(count)
    if behind := _COUNT_BEHIND.fullmatch(base):
        asset, count = behind.groups()
        return asset, float(count)
    return base, 1.0


_MOST_DETAIL = 200
_Row = TypeVar("_Row")


class _Rows(msgspec.Struct):
    data: list[msgspec.Raw]


_ROWS = msgspec.json.Decoder(_Rows)


def malformed(error: Exception) -> Malformed:
    """What a failure to read means: "not json", "wrong shape", or else "bad value"."""
    if isinstance(error, msgspec.ValidationError):
        reason = "wrong shape"
    elif isinstance(error, msgspec.MsgspecError | UnicodeDecodeError | RecursionError):
        reason = "not json"
    else:
        reason = "bad value"
    return Malformed(reason, str(error)[:_MOST_DETAIL])


def row_by_row(
    rows: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[_Row]
) -> Iterator[_Row | Malformed]:
    """Rows decoded one at a time, so that a damaged one does not spoil the others."""
    for row in rows:
        try:
            yield decoder.decode(row)
        except (msgspec.MsgspecError, ValueError) as error:
            yield malformed(error)


def data_row_by_row(
    frame: bytes, decoder: msgspec.json.Decoder[_Row]
) -> Iterator[_Row | Malformed]:
    """The rows under "data" of a frame that does not decode as a whole.

    Raises:
        msgspec.MsgspecError: There is no list of them.
    """
    return row_by_row(_ROWS.decode(frame).data, decoder)


def events_of(
    rows: Iterable[_Row | Malformed], event_of: Callable[[_Row, int], Event], received_ns: int
) -> list[Event]:
    """An event a row; a row whose values cannot be true becomes `Malformed`."""
    events: list[Event] = []
    for row in rows:
        if isinstance(row, Malformed):
            events.append(row)
            continue
        try:
            events.append(event_of(row, received_ns))
        except ValueError as error:
            events.append(malformed(error))
    return events
