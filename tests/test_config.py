"""The configuration: what is read, what overrides it, and how each mistake is worded."""

import itertools
import os
import string
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.clock import MarketClock
from monitor.config import (
    Clock,
    Config,
    VenueOptions,
    digest,
    examine,
    load,
    venue_options,
    venue_problems,
)
from monitor.errors import ConfigError
from monitor.venues import VENUES
from tests.configuring import problems, written

DOCUMENTED = Path(__file__).resolve().parents[1] / "deploy" / "liqmon.toml"
KNOWN = tuple(venue.name for venue in VENUES)


def leaves(
    kind: Any = Config, keys: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every key that holds a value, with its type; venues by the example of one."""
    if typing.get_origin(kind) is dict and kind != dict[str, str]:
        yield from leaves(typing.get_args(kind)[1], (*keys, "okx_spot"))
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        for field in msgspec.structs.fields(kind):
            yield from leaves(field.type, (*keys, field.name))
    else:
        yield keys, kind


LEAVES = dict(leaves())


def variable(keys: tuple[str, ...]) -> str:
    """The variable that overrides this key."""
    return "LIQMON_" + "__".join(keys).upper()


def value_at(config: Config, keys: tuple[str, ...]) -> Any:
    """The configuration's value under these keys."""
    value: Any = config
    for key in keys:
        value = value[key] if isinstance(value, dict) else getattr(value, key)
    return value


# The documented file


def test_documented_file_holds_the_defaults() -> None:
    """The documented file is the defaults, with each venue's own table spelled out."""
    config = load(DOCUMENTED, {})
    assert msgspec.structs.replace(config, venues={}) == Config()
    assert config.venues == {name: VenueOptions() for name in KNOWN}


def test_documented_file_names_every_key() -> None:
    """No key of any section is missing from the documented file."""
    table = tomllib.loads(DOCUMENTED.read_text(encoding="utf-8"))
    named = {(section, key) for section, keys in table.items() for key in keys}
    assert {keys for keys in LEAVES if len(keys) == 2} - named == set()
    options = {keys[2] for keys in LEAVES if len(keys) == 3}
    assert {name: set(keys) for name, keys in table["venues"].items()} == dict.fromkeys(
        KNOWN, options
    )


def test_documented_file_explains_every_key() -> None:
    """A comment stands right above each key of the documented file."""
    lines = DOCUMENTED.read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for above, line in itertools.pairwise(lines)
        if line[:1].islower() and not above.startswith("# ")
    ]
    assert bare == []


# Reading


def test_nothing_named_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A liqmon.toml that happens to lie in the working directory is not read."""
    written(tmp_path, "[mqtt]\nport = 1")
    monkeypatch.chdir(tmp_path)
    assert load(None, {}) == Config()


def test_variable_names_the_file(tmp_path: Path) -> None:
    """LIQMON_CONFIG names the file where no path is given, and a given path wins over it."""
    path = written(tmp_path, "[mqtt]\nport = 8883")
    other = tmp_path / "other.toml"
    other.write_text("[mqtt]\nport = 1884", encoding="utf-8")
    assert load(None, {"LIQMON_CONFIG": str(path)}).mqtt.port == 8883
    assert load(other, {"LIQMON_CONFIG": str(path)}).mqtt.port == 1884
    assert load(None, {"LIQMON_CONFIG": ""}) == Config()


def test_variable_wins_over_file(tmp_path: Path) -> None:
    """A variable replaces the file's value and leaves the keys beside it alone."""
    path = written(tmp_path, '[mqtt]\nport = 8883\nhost = "a"\n[venues.okx]\nenabled = false\n')
    environ = {"LIQMON_MQTT__PORT": "1884", "LIQMON_VENUES__OKX_SPOT__ENABLED": "False"}
    config = load(path, environ)
    assert (config.mqtt.port, config.mqtt.host) == (1884, "a")
    assert config.venues == {
        "okx": VenueOptions(enabled=False),
        "okx_spot": VenueOptions(enabled=False),
    }


def test_documented_forms_of_variables_are_read() -> None:
    """Each form of a variable that the documented file shows does what it says there."""
    shown = [
        line.removeprefix("#").split()[0]
        for line in DOCUMENTED.read_text(encoding="utf-8").splitlines()
        if line.startswith("#   LIQMON_")
    ]
    config = load(None, dict(line.split("=", 1) for line in shown))
    assert config.mqtt.host == "broker.lan"
    assert config.clock.speed == 20.0
    assert config.watch.assets == ("BTC", "ETH", "SOL")
    assert config.venues == {
        "okx_spot": VenueOptions(enabled=False),
        "okx": VenueOptions(endpoints={"wss://ws.okx.com:8443": "ws://127.0.0.1:9001"}),
    }
    assert len(shown) == 5


def test_byte_order_mark_and_other_line_ends_are_no_mistake(tmp_path: Path) -> None:
    """A file saved by a plain Windows editor reads like any other."""
    path = tmp_path / "liqmon.toml"
    path.write_bytes(b"\xef\xbb\xbf[mqtt]\r\nport = 1884\r\n")
    assert load(path, {}).mqtt.port == 1884


# Properties of the variables

TEXT = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=12)
ITEM = st.text(string.ascii_letters + string.digits + "-_./:", min_size=1, max_size=8)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_variable_says_what_it_holds(data: st.DataObject) -> None:
    """A value written into a key's variable comes out of that key, or is refused by a rule."""
    keys = data.draw(st.sampled_from(sorted(LEAVES)))
    kind = LEAVES[keys]
    if kind is bool:
        value: Any = data.draw(st.booleans())
        text = str(value).lower()
    elif kind is int:
        value = data.draw(st.integers(-10, 70_000))
        text = str(value)
    elif kind is float:
        value = data.draw(st.floats(-1e6, 1e6))
        text = repr(value)
    elif kind == tuple[str, ...]:
        value = tuple(data.draw(st.lists(ITEM, max_size=4)))
        text = " , ".join(value)
    elif kind == dict[str, str]:
        value = data.draw(st.dictionaries(ITEM, ITEM, max_size=3))
        text = ", ".join(f"{key} = {item}" for key, item in value.items())
    elif kind is str:
        value = text = data.draw(TEXT)
    else:
        value = text = data.draw(st.sampled_from(typing.get_args(kind)))

    outcome = examine(None, {variable(keys): text})

    if outcome.config is None:
        refused = [line for line in outcome.problems if "expected" in line]
        assert refused == list(outcome.problems)
    else:
        assert value_at(outcome.config, keys) == value


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LEAVES)), st.text(max_size=20))
def test_any_text_is_read_or_refused_in_one_line(keys: tuple[str, ...], text: str) -> None:
    """Whatever a key's variable holds, it gives a configuration or lines that say why not."""
    for line in problems(None, **{variable(keys): text}):
        assert line.isprintable()
        assert "expected" in line


@settings(max_examples=100, deadline=None)
@given(st.text(string.ascii_uppercase + "_", max_size=16))
def test_unknown_variable_is_refused(rest: str) -> None:
    """A LIQMON_ variable either is one of ours or is refused by its name."""
    name = f"LIQMON_{rest}"
    ours = {variable(keys) for keys in LEAVES} | {"LIQMON_CONFIG", "LIQMON_MQTT_PASSWORD"}
    found = problems(None, **{name: ""})
    assert name in ours or [line for line in found if name in line] == found != []


def test_every_number_of_the_detector_is_guarded() -> None:
    """No number of the detector is taken whatever its sign."""
    unguarded = [
        keys[1]
        for keys, kind in LEAVES.items()
        if keys[0] == "detector"
        and all(not problems(None, **{variable(keys): text}) for text in ("-2", "2e9"))
        and kind in {int, float}
    ]
    assert unguarded == []


# Venues


def test_unknown_venue_is_refused() -> None:
    """A venue that the registry does not know is refused by its path."""
    config = load(None, {"LIQMON_VENUES__BINANC__ENABLED": "true"})
    message = "venues.binanc: unknown venue; did you mean venues.binance?"
    assert venue_problems(config, ("binance", "okx")) == (message,)
    assert venue_problems(config, ("x", "y")) == ("venues.binanc: unknown venue; known: x y",)
    with pytest.raises(ConfigError, match=r"^venues\.binanc: unknown venue; did you mean"):
        venue_options(config, ("binance", "okx"))


def test_venues_are_enabled_unless_told() -> None:
    """Venues come in the registry's order, without those that are switched off."""
    config = load(None, {"LIQMON_VENUES__B__ENABLED": "false"})
    assert venue_options(config, ("c", "b", "a")) == {"c": VenueOptions(), "a": VenueOptions()}


def test_no_venue_at_all_is_refused() -> None:
    """A daemon without any venue would be ready for nothing."""
    config = load(None, {"LIQMON_VENUES__A__ENABLED": "false"})
    assert venue_problems(config, ("a",)) == ("venues: expected at least one enabled, was none",)


# The market clock


def test_market_clock_is_the_wall_clock_by_default() -> None:
    """Without a word about the clock, market time is wall time."""
    assert Clock().anchored(1_000).at(5_000) == 5_000


def test_market_clock_is_anchored_where_it_is_told() -> None:
    """An epoch of 0 is the start, and a start of 0 is the moment the daemon starts."""
    assert Clock(speed=20.0).anchored(1_000) == MarketClock(1_000, 1_000, 20.0)
    assert Clock(epoch_ns=7).anchored(1_000) == MarketClock(7, 1_000, 1.0)
    assert Clock(epoch_ns=7, start_ns=3).anchored(1_000) == MarketClock(7, 3, 1.0)
    assert Clock(start_ns=3).anchored(1_000) == MarketClock(3, 3, 1.0)


# The digest


def test_digest_is_the_same_in_every_process() -> None:
    """Equal configurations have equal digests, whatever the process's hash seed."""
    program = "from monitor.config import *; print(digest(load(None, {})))"
    other = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert other.stdout.strip() == digest(Config())


def test_digest_tells_configurations_apart() -> None:
    """The order of a table does not change the digest; any value does."""
    one = {"LIQMON_VENUES__A__ENABLED": "true", "LIQMON_VENUES__B__ENABLED": "true"}
    config = load(None, one)
    turned = msgspec.structs.replace(config, venues=dict(reversed(config.venues.items())))
    changed = {
        digest(load(None, {name: text}))
        for name, text in (
            ("LIQMON_MQTT__PORT", "1884"),
            ("LIQMON_CLOCK__SPEED", "2"),
            ("LIQMON_DETECTOR__PRICE_Z", "2.6"),
            ("LIQMON_WATCH__ASSETS", "BTC"),
        )
    }
    assert digest(turned) == digest(config)
    assert len({digest(Config()), digest(config), *changed}) == 6
