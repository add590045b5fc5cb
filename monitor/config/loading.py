"""From a file and an environment to one checked configuration, or to every problem it has."""

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from monitor.config.credentials import mqtt_credentials
from monitor.config.environment import CONFIG_FILE, Override, overrides, place
from monitor.config.problems import expected
from monitor.config.reading import fill
from monitor.config.rules import breaches
from monitor.config.sections import Config
from monitor.errors import ConfigError

_MOST_SHOWN = 3


class Outcome(msgspec.Struct, frozen=True):
    """What came of reading: a configuration, or else the problems, one line each."""

    config: Config | None
    problems: tuple[str, ...]


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration in this file, or in the one LIQMON_CONFIG names, or the defaults.

    Raises:
        ConfigError: Something is wrong with it; the message names the keys' paths.
    """
    outcome = examine(path, environ)
    if outcome.config is None:
        shown = outcome.problems[:_MOST_SHOWN]
        rest = len(outcome.problems) - len(shown)
        more = (f"{rest} more, see `liqmon check-config`",) if rest else ()
        raise ConfigError("; ".join(shown + more))
    return outcome.config


def examine(path: Path | None, environ: Mapping[str, str]) -> Outcome:
    """As `load`, but with every problem and without raising."""
    if path is None and environ.get(CONFIG_FILE):
        path = Path(environ[CONFIG_FILE])
    try:
        table = _table(path) if path is not None else {}
    except ConfigError as error:
        return Outcome(None, (str(error),))

    problems: list[str] = []
    sources: dict[str, str] = {}
    for change in overrides(Config, environ):
        if isinstance(change, Override):
            place(table, change)
            sources[change.path] = change.variable
        else:
            problems.append(change.complaint)

    def complain(where: str, complaint: str) -> None:
        variable = _source(where, sources)
        problems.append(f"{complaint} ({variable})" if variable else complaint)

    config: Config = fill(Config, table, "", complain)
    if not problems:
        for breach in breaches(config):
            complain(breach.path, expected(breach.path, breach.what, breach.value))
    if not problems and config.mqtt.enabled:
        try:
            mqtt_credentials(config, environ)
        except ConfigError as error:
            problems.append(str(error))
    return Outcome(None if problems else config, tuple(problems))


def digest(config: Config) -> str:
    """Sixteen hexadecimal digits that are equal for equal configurations, in any process."""
    plain = orjson.dumps(msgspec.to_builtins(config), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(plain).hexdigest()[:16]


def _table(path: Path) -> dict[str, Any]:
    try:
        # an editor's byte order mark is no part of the text
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is no TOML: nested too deeply") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no TOML: not UTF-8 at byte {error.start}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: is no TOML: {error}") from error


def _source(path: str, sources: Mapping[str, str]) -> str:
    """The variable that set this key, or the list or table it stands in; empty for the file."""
    for key, variable in sources.items():
        if path == key or path.startswith((f"{key}[", f"{key}.")):
            return variable
    return ""
