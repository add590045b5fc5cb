"""How a problem of the configuration is worded: `mqtt.port: expected int, was 'x'`."""

import json
import re

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 100


def join(path: str, key: str) -> str:
    """The path of a key within a table, quoted where TOML would quote it."""
    name = key if _BARE.fullmatch(key) else json.dumps(key)
    return f"{path}.{name}" if path else name


def shown(value: object) -> str:
    """A value as a message shows it: short, and on one line whatever it holds."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list() | tuple():
            return "a list"
        case int() if value.bit_length() > 64:  # noqa: PLR2004 - no printing of endless digits
            return "an integer beyond 64 bits"
        case str() | int() | float():
            text = repr(value)
        case _:
            text = str(value)  # dates and times of day
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def expected(path: str, what: str, value: object) -> str:
    """The one form of every complaint about a value."""
    return f"{path}: expected {what}, was {shown(value)}"
