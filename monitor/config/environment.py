"""Variables that override keys: `LIQMON_MQTT__PORT=8883` is `port = 8883` in `[mqtt]`.

Text becomes the plain value that a TOML file would have held, as the key's type wants it; text
that does not look like that type stays text, so that the reading complains of it in one form.
"""

import typing
from collections.abc import Iterator, Mapping

import msgspec

from monitor.config.problems import join
from monitor.config.reading import fields_of, unknown_key

PREFIX = "LIQMON_"
CONFIG_FILE = "LIQMON_CONFIG"
MQTT_PASSWORD = "LIQMON_MQTT_PASSWORD"  # noqa: S105 - the name of a variable, not a password
RESERVED = frozenset({CONFIG_FILE, MQTT_PASSWORD})
_FORM = "expected LIQMON_<SECTION>__<KEY>, such as LIQMON_MQTT__PORT"


class Override(msgspec.Struct, frozen=True):
    """A variable, the key's path it goes by, and the plain value it sets there."""

    variable: str
    keys: tuple[str, ...]
    value: object

    @property
    def path(self) -> str:
        """The path as messages write it."""
        path = ""
        for key in self.keys:
            path = join(path, key)
        return path


class Refusal(msgspec.Struct, frozen=True):
    """A variable of ours that names no key, and what to say of it."""

    variable: str
    complaint: str


def overrides(
    root: type[msgspec.Struct], environ: Mapping[str, str]
) -> Iterator[Override | Refusal]:
    """What this environment sets, in order of the variables' names."""
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or variable in RESERVED:
            continue
        keys = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if variable != variable.upper() or len(keys) == 1 or "" in keys:
            yield Refusal(variable, f"{variable}: unknown variable; {_FORM}")
        else:
            yield _override(root, variable, keys, environ[variable])


def _override(
    root: type[msgspec.Struct], variable: str, keys: tuple[str, ...], text: str
) -> Override | Refusal:
    kind: typing.Any = root
    path = ""
    for key in keys:
        fields = fields_of(kind)
        if fields is not None and key not in fields:
            return Refusal(variable, f"{unknown_key(path, key, fields)} ({variable})")
        if fields is not None:
            kind = fields[key]
        elif typing.get_origin(kind) is dict and kind != dict[str, str]:
            kind = typing.get_args(kind)[1]
        else:
            return Refusal(variable, f"{variable}: unknown variable; {path} has no keys below it")
        path = join(path, key)
    if fields_of(kind) is not None:
        return Refusal(variable, f"{variable}: unknown variable; expected one key of {path}")
    return Override(variable, keys, _plain(kind, text))


def _plain(kind: typing.Any, text: str) -> object:
    """The text as a plain value of that type, or the text itself."""
    origin = typing.get_origin(kind)
    if origin in {tuple, dict}:
        items = [item.strip() for item in text.split(",")] if text.strip() else []
        return items if origin is tuple else _pairs(items, text)
    if kind is bool:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    if kind in {int, float}:
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _pairs(items: list[str], text: str) -> object:
    pairs = [item.partition("=") for item in items]
    if not all(mark for _, mark, _ in pairs):
        return text
    return {key.strip(): value.strip() for key, _, value in pairs}


def place(table: dict[str, typing.Any], override: Override) -> None:
    """Set the key in a table of tables; what is no table on the way is complained of later."""
    *way, last = override.keys
    for key in way:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            return
    table[last] = override.value
