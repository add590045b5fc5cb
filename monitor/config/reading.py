"""From a table of plain values to frozen sections, naming every value that does not fit.

msgspec stops at the first misfit and hides the keys of free tables; an operator with three
mistakes wants three lines, each with its full path. So the walk down the tables is ours and
each single value is judged by msgspec.
"""

import difflib
import typing
from collections.abc import Callable, Mapping

import msgspec

from monitor.config.problems import expected, join

Complain = Callable[[str, str], None]
"""Takes the path of a key and a complaint about it."""

_TYPES = {int: "int", float: "float", str: "str", bool: "bool"}
_INT64 = 1 << 63


def fields_of(kind: typing.Any) -> dict[str, typing.Any] | None:
    """The types of a section's keys by name; None where the type is no section."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {field.name: field.type for field in msgspec.structs.fields(kind)}
    return None


def fill(kind: typing.Any, value: object, path: str, complain: Complain) -> typing.Any:
    """This value as that type; what does not fit is complained of and left out."""
    fields = fields_of(kind)
    if fields is not None:
        return _fill_section(kind, fields, value, path, complain)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        if not isinstance(value, dict):
            complain(path, expected(path, "a table", value))
            return {}
        return {
            _fill_leaf(str, key, path, complain): fill(
                arguments[1], item, join(path, key), complain
            )
            for key, item in value.items()
        }
    if origin is tuple:
        if not isinstance(value, list):
            complain(path, expected(path, f"a list of {_TYPES[arguments[0]]}", value))
            return ()
        return tuple(
            fill(arguments[0], item, f"{path}[{place}]", complain)
            for place, item in enumerate(value)
        )
    return _fill_leaf(kind, value, path, complain)


def _fill_section(
    kind: type[msgspec.Struct],
    fields: Mapping[str, typing.Any],
    value: object,
    path: str,
    complain: Complain,
) -> msgspec.Struct:
    if not isinstance(value, dict):
        complain(path, expected(path, "a table", value))
        return kind()
    for key in value:
        if key not in fields:
            complain(join(path, key), unknown_key(path, key, fields))
    return kind(
        **{
            name: fill(field, value[name], join(path, name), complain)
            for name, field in fields.items()
            if name in value
        }
    )


def unknown_key(path: str, key: str, fields: Mapping[str, object]) -> str:
    """The complaint about a key that its table does not have."""
    where = join(path, key)
    if where == "mqtt.password":
        return (
            f"{where}: a password never stands in the configuration; "
            "set LIQMON_MQTT_PASSWORD or mqtt.password_file"
        )
    close = difflib.get_close_matches(key, fields, n=1)
    hint = f"did you mean {join(path, close[0])}?" if close else f"known: {' '.join(fields)}"
    return f"{where}: unknown key; {hint}"


def _fill_leaf(kind: typing.Any, value: object, path: str, complain: Complain) -> typing.Any:
    choices = typing.get_args(kind)
    what = " or ".join(map(repr, choices)) if choices else _TYPES[kind]
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        complain(path, expected(path, what, value))
        return value
    try:
        fitting = msgspec.convert(value, kind)
    except msgspec.ValidationError:
        complain(path, expected(path, what, value))
        return value
    if isinstance(fitting, float) and not -float("inf") < fitting < float("inf"):
        complain(path, expected(path, "a finite float", value))
    if isinstance(fitting, str) and not fitting.isprintable():
        complain(path, expected(path, "printable text", value))
    return fitting
