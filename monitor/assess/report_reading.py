"""Evaluations read back from their JSON, for the report."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from monitor.assess.evaluation import SCHEMA_VERSION, Evaluation, Simulated
from monitor.assess.scope import Scope
from monitor.errors import ConfigError


class Evaluated(msgspec.Struct, frozen=True):
    """What the report is made of.

    Attributes:
        lived: The evaluation that lived through simulated months.
        scope: What it covered.
        simulated: What it found.
        recorded: The evaluation that went through recorded data; that may be the same, and
            None where no file has such figures.
    """

    lived: Evaluation
    scope: Scope
    simulated: Simulated
    recorded: Evaluation | None


def read(files: Sequence[Path]) -> Evaluated:
    """The evaluations of some files: one with simulated months, at most one with recorded data.

    Raises:
        ConfigError: A file cannot be read or lacks figures, or two have the same ones.
    """
    found = {file: _read(file) for file in files}
    lived = {file: one for file, one in found.items() if one.simulator is not None}
    recorded = {file: one for file, one in found.items() if one.history is not None}
    for what, of in (("simulated months", lived), ("recorded data", recorded)):
        if len(of) > 1:
            both = " and ".join(str(file) for file in of)
            raise ConfigError(f"expected figures of {what} in one file, found them in {both}")
    if not lived:
        named = ", ".join(str(file) for file in found)
        raise ConfigError(f"expected figures of simulated months, found none in {named}")
    [(file, run)] = lived.items()
    return Evaluated(*_whole(file, run), next(iter(recorded.values()), None))


def _read(file: Path) -> Evaluation:
    try:
        text = file.read_bytes()
        found = msgspec.json.decode(text, type=Evaluation)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigError(
            f"{file}: expected the JSON of this version's `liqmon evaluate --json`: {error}"
        ) from error
    told, known = msgspec.json.decode(text), msgspec.to_builtins(found)
    if other := [*_lacking(known, told), *_lacking(told, known)]:
        raise ConfigError(f"{file}: keys of another version: {', '.join(dict.fromkeys(other))}")
    if found.schema_version != SCHEMA_VERSION:
        raise ConfigError(
            f"{file}: schema_version: expected {SCHEMA_VERSION}, was {found.schema_version}"
        )
    return found


def _lacking(first: object, second: object, path: str = "") -> Iterator[str]:
    """Paths of keys that the first has and the second has not; places in lists are not told."""
    if isinstance(first, dict) and isinstance(second, dict):
        for key, value in first.items():
            if key in second:
                yield from _lacking(value, second[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}".removeprefix(".")
    elif isinstance(first, list | tuple) and isinstance(second, list | tuple):
        for one, other in zip(first, second, strict=False):
            yield from _lacking(one, other, path)


def _whole(file: Path, run: Evaluation) -> tuple[Evaluation, Scope, Simulated]:
    """A run whose figures of simulated months are all there."""
    parts = {name: getattr(run, name) for name in Simulated.__struct_fields__}
    needed = {"scope": run.scope, **parts}
    del needed["calibration"]  # a quick run has none
    if missing := [name for name, part in needed.items() if part is None]:
        raise ConfigError(f"{file}: {', '.join(missing)}: expected figures, was null")
    scope = run.scope
    assert scope is not None
    return run, scope, Simulated(**parts)
