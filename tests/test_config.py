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
    mqtt_credentials,
    venue_options,
    venue_problems,
)
from monitor.errors import ConfigError
from monitor.venues import VENUES

DOCUMENTED = Path(__file__).resolve().parents[1] / "deploy" / "liqmon.toml"
SECRET = "correct horse battery staple"  # the passphrase of a well-known comic
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


def written(tmp_path: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = tmp_path / "liqmon.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path | None, **environ: str) -> list[str]:
    """Every complaint about this file and these variables."""
    return list(examine(path, environ).problems)


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


# Messages


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[mqtt]\nport = 'x'", ["mqtt.port: expected int, was 'x'"]),
        ("[mqtt]\nport = 1.5", ["mqtt.port: expected int, was 1.5"]),
        ("[mqtt]\nport = true", ["mqtt.port: expected int, was true"]),
        ("[mqtt]\nport = {}", ["mqtt.port: expected int, was a table"]),
        ("[mqtt]\nport = 1979-05-27", ["mqtt.port: expected int, was 1979-05-27"]),
        (
            f"[mqtt]\nport = 0x{'f' * 9000}",
            ["mqtt.port: expected int, was an integer beyond 64 bits"],
        ),
        ("[mqtt]\nprotocol = 5", ["mqtt.protocol: expected '5' or '3.1.1', was 5"]),
        ('[mqtt]\nhost = "a\\nb"', [r"mqtt.host: expected printable text, was 'a\nb'"]),
        ("[mqtt]\nprot = 1", ["mqtt.prot: unknown key; did you mean mqtt.port?"]),
        ("[http]\nzzz = 1", ["http.zzz: unknown key; known: enabled host port"]),
        (
            "[watcher]\n",
            ["watcher: unknown key; did you mean watch?"],
        ),
        ("mqtt = 5", ["mqtt: expected a table, was 5"]),
        ("venues = []", ["venues: expected a table, was a list"]),
        ("[watch]\nassets = 'BTC'", ["watch.assets: expected a list of str, was 'BTC'"]),
        ("[watch]\nassets = ['BTC', 5]", ["watch.assets[1]: expected str, was 5"]),
        ("[clock]\nspeed = nan", ["clock.speed: expected a finite float, was nan"]),
        (
            "[venues.okx]\nendpoints = { 'wss://a.b' = 1 }",
            ['venues.okx.endpoints."wss://a.b": expected str, was 1'],
        ),
        (
            "[mqtt]\nport = 'x'\nhost = 5\n[log]\nlevel = 'loud'",
            [
                "mqtt.host: expected str, was 5",
                "mqtt.port: expected int, was 'x'",
                "log.level: expected 'debug' or 'info' or 'warning' or 'error', was 'loud'",
            ],
        ),
    ],
)
def test_misfits_are_named_by_path(tmp_path: Path, text: str, messages: list[str]) -> None:
    """A value of the wrong type and an unknown key get one line each, path first."""
    assert problems(written(tmp_path, text)) == messages


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[mqtt]\nport = 0", ["mqtt.port: expected 1 to 65535, was 0"]),
        ("[mqtt]\nport = 65536", ["mqtt.port: expected 1 to 65535, was 65536"]),
        ("[http]\nport = -1", ["http.port: expected 0 to 65535, was -1"]),
        ("[http]\nhost = ''", ["http.host: expected an address to listen on, was ''"]),
        ("[clock]\nspeed = 0", ["clock.speed: expected above 0, was 0.0"]),
        (
            "[detector]\nbuilding_tier = 3",
            [
                "detector.building_tier: expected above detector.notice_tier = 3.0, was 3.0",
            ],
        ),
        (
            "[detector]\nonset_tier = 4",
            ["detector.onset_tier: expected above detector.building_tier = 4.0, was 4.0"],
        ),
        ("[detector]\ncontract_cap = 0", ["detector.contract_cap: expected above 0, was 0.0"]),
        (
            "[detector]\nasset_cap = 0.25",
            ["detector.asset_cap: expected detector.contract_cap = 0.5 or more, was 0.25"],
        ),
        ("[detector]\nquiet_hold_s = -1", ["detector.quiet_hold_s: expected 0 or more, was -1"]),
        (
            "[detector]\ncascading_interest_ratio = 0.005",
            ["detector.cascading_interest_ratio: expected below 0, was 0.005"],
        ),
        (
            "[detector]\nscale_quantile = 1",
            ["detector.scale_quantile: expected between 0 and 1, was 1.0"],
        ),
        ("[watch]\nassets = []", ["watch.assets: expected one asset or more, was a list"]),
        (
            "[watch]\nassets = ['btc', 'ETH', '', 'ETH', 'MARKET', 'A/B']",
            [
                "watch.assets[0]: expected an asset in upper case, such as BTC, was 'btc'",
                "watch.assets[2]: expected an asset in upper case, such as BTC, was ''",
                "watch.assets[3]: expected each asset once, was 'ETH'",
                "watch.assets[4]: expected an asset in upper case, such as BTC, was 'MARKET'",
                "watch.assets[5]: expected an asset in upper case, such as BTC, was 'A/B'",
            ],
        ),
        (
            "[mqtt]\nhost = 'mqtt://a'\nbase = 'a/#'\nclient_id = ''",
            [
                "mqtt.host: expected a host without scheme or port, was 'mqtt://a'",
                "mqtt.client_id: expected a name, was ''",
                "mqtt.base: expected topic levels such as liqmon or house/liqmon, was 'a/#'",
            ],
        ),
        (
            "[mqtt]\ntls_ca = '/ca.pem'",
            ["mqtt.tls_ca: expected nothing without mqtt.tls = true, was '/ca.pem'"],
        ),
        (
            "[mqtt]\ntls = true\ntls_ca = '/no/ca.pem'",
            ["mqtt.tls_ca: expected a file that exists, was '/no/ca.pem'"],
        ),
        (
            "[mqtt]\ntls = true\ntls_cert = 'some.pem'",
            ["mqtt.tls_key: expected a file beside mqtt.tls_cert, was ''"],
        ),
        (
            "[mqtt]\ntls = true\ntls_key = 'some.pem'",
            ["mqtt.tls_cert: expected a file beside mqtt.tls_key, was ''"],
        ),
        (
            "[mqtt]\nusername = 'a'\nusername_file = 'some.pem'",
            ["mqtt.username_file: expected nothing beside mqtt.username, was 'some.pem'"],
        ),
        ("[state]\npath = '/'", ["state.path: expected a file, not a directory, was '/'"]),
        (
            "[record]\ndirectory = 'some.pem'",
            ["record.directory: expected a directory, not a file, was 'some.pem'"],
        ),
        (
            "[venues.okx.endpoints]\n'okx.com' = 'ws://a'",
            [
                (
                    'venues.okx.endpoints."okx.com": expected a key such as '
                    "wss://fstream.binance.com, was 'okx.com'"
                )
            ],
        ),
        (
            "[venues.okx.endpoints]\n'wss://a' = 'ws://b:x'",
            [
                (
                    'venues.okx.endpoints."wss://a": expected a value such as '
                    "wss://127.0.0.1:9001, was 'ws://b:x'"
                )
            ],
        ),
        (
            "[venues.okx.endpoints]\n'https://a' = 'ws://b'",
            [
                (
                    'venues.okx.endpoints."https://a": expected a value with the scheme https, '
                    "was 'ws://b'"
                )
            ],
        ),
        (
            f"[venues.okx.endpoints]\n'wss://a' = 'ws://me:{SECRET.replace(' ', '')}@b'",
            [
                (
                    'venues.okx.endpoints."wss://a": expected a value without user and password, '
                    "was '***'"
                )
            ],
        ),
    ],
)
def test_broken_rules_are_named_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, messages: list[str]
) -> None:
    """Each value that no daemon could run with gets one line that says what is expected."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.pem").touch()
    assert problems(written(tmp_path, text)) == messages


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


@pytest.mark.parametrize(
    ("environ", "messages"),
    [
        ({"LIQMON_MQTT__PORT": "x"}, ["mqtt.port: expected int, was 'x' (LIQMON_MQTT__PORT)"]),
        ({"LIQMON_MQTT__PORT": ""}, ["mqtt.port: expected int, was '' (LIQMON_MQTT__PORT)"]),
        (
            {"LIQMON_MQTT__PORT": "0"},
            ["mqtt.port: expected 1 to 65535, was 0 (LIQMON_MQTT__PORT)"],
        ),
        ({"LIQMON_MQTT__TLS": "1"}, ["mqtt.tls: expected bool, was '1' (LIQMON_MQTT__TLS)"]),
        (
            {"LIQMON_WATCH__ASSETS": "BTC,eth"},
            [
                (
                    "watch.assets[1]: expected an asset in upper case, such as BTC, was 'eth' "
                    "(LIQMON_WATCH__ASSETS)"
                )
            ],
        ),
        (
            {"LIQMON_VENUES__OKX__ENDPOINTS": "ws"},
            ["venues.okx.endpoints: expected a table, was 'ws' (LIQMON_VENUES__OKX__ENDPOINTS)"],
        ),
        (
            {"LIQMON_MQTT__PROT": "1"},
            ["mqtt.prot: unknown key; did you mean mqtt.port? (LIQMON_MQTT__PROT)"],
        ),
        (
            {"LIQMON_MQTT_PORT": "1"},
            [
                (
                    "LIQMON_MQTT_PORT: unknown variable; "
                    "expected LIQMON_<SECTION>__<KEY>, such as LIQMON_MQTT__PORT"
                )
            ],
        ),
        (
            {"LIQMON_mqtt__port": "1"},
            [
                (
                    "LIQMON_mqtt__port: unknown variable; "
                    "expected LIQMON_<SECTION>__<KEY>, such as LIQMON_MQTT__PORT"
                )
            ],
        ),
        (
            {"LIQMON_MQTT__PORT__X": "1"},
            ["LIQMON_MQTT__PORT__X: unknown variable; mqtt.port has no keys below it"],
        ),
        (
            {"LIQMON_VENUES__OKX": "1"},
            ["LIQMON_VENUES__OKX: unknown variable; expected one key of venues.okx"],
        ),
    ],
)
def test_variables_are_named_in_complaints(environ: dict[str, str], messages: list[str]) -> None:
    """A complaint about a value from the environment ends with the variable's name."""
    assert problems(None, **environ) == messages


def test_variable_below_a_value_of_the_file_is_refused(tmp_path: Path) -> None:
    """A variable that goes on below a plain value of the file is not silently lost."""
    path = written(tmp_path, "mqtt = 5")
    assert problems(path, LIQMON_MQTT__PORT="1884") == ["mqtt: expected a table, was 5"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"[mqtt\n",
            "is no TOML: Expected ']' at the end of a table declaration (at line 1, column 6)",
        ),
        (b"\xff", "is no TOML: not UTF-8 at byte 0"),
        (b"a = " + b"[" * 100_000, "is no TOML: nested too deeply"),
    ],
)
def test_damaged_file_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    """A file that is no TOML is refused by its name and the place of the damage."""
    path = tmp_path / "liqmon.toml"
    path.write_bytes(content)
    assert problems(path) == [f"{path}: {reason}"]


def test_missing_file_is_named(tmp_path: Path) -> None:
    """A file that cannot be read is refused by its name, with the system's reason."""
    path = tmp_path / "none.toml"
    assert problems(path) == [f"{path}: cannot be read: No such file or directory"]
    assert problems(tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_load_puts_the_first_problems_in_one_line(tmp_path: Path) -> None:
    """The error of a file with many mistakes stays one line and says where the rest is."""
    path = written(tmp_path, "a = 1\nb = 1\nc = 1\nd = 1\n[log]\nlevel = 5\n")
    known = "unknown key; known: watch clock venues detector mqtt http state record log"
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert str(caught.value) == (
        f"a: {known}; b: {known}; c: {known}; 2 more, see `liqmon check-config`"
    )


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


# Secrets


def test_password_comes_from_the_environment_first(tmp_path: Path) -> None:
    """LIQMON_MQTT_PASSWORD wins over the file, whose last line end does not count."""
    secret = tmp_path / "password"
    secret.write_bytes(b" from file \r\n")
    config = load(None, {"LIQMON_MQTT__PASSWORD_FILE": str(secret), "LIQMON_MQTT__USERNAME": "me"})
    assert mqtt_credentials(config, {}) == ("me", " from file ")
    assert mqtt_credentials(config, {"LIQMON_MQTT_PASSWORD": SECRET}) == ("me", SECRET)


def test_user_may_come_from_a_file(tmp_path: Path) -> None:
    """A user that is mounted as a file, as secrets are, is read from it."""
    user = tmp_path / "user"
    user.write_text("me\n", encoding="utf-8")
    config = load(None, {"LIQMON_MQTT__USERNAME_FILE": str(user)})
    assert mqtt_credentials(config, {}) == ("me", "")


def test_no_credentials_are_two_empty_texts() -> None:
    """A broker without users gets neither user nor password."""
    assert mqtt_credentials(Config(), {}) == ("", "")


def test_unusable_secret_files_are_named_without_their_content(tmp_path: Path) -> None:
    """What is wrong with a secret's file is said by path and name, never by content."""
    empty, binary, long = tmp_path / "empty", tmp_path / "binary", tmp_path / "long"
    empty.write_bytes(b"\n")
    binary.write_bytes(SECRET.encode() + b"\xff")
    long.write_bytes(b"x" * 70_000)
    path = "mqtt.password_file"
    assert [
        problems(None, LIQMON_MQTT__PASSWORD_FILE=str(file))
        for file in (empty, binary, long, tmp_path)
    ] == [
        [f"{path}: expected one to 65536 bytes in {str(empty)!r}"],
        [f"{path}: expected UTF-8 text in {str(binary)!r}, was not"],
        [f"{path}: expected one to 65536 bytes in {str(long)!r}"],
        [f"{path}: expected a readable file, was {str(tmp_path)!r} (Is a directory)"],
    ]


def test_older_protocol_wants_a_user_beside_a_password() -> None:
    """MQTT 3.1.1 has no password without a user, so that is refused before any connection."""
    environ = {"LIQMON_MQTT__PROTOCOL": "3.1.1", "LIQMON_MQTT_PASSWORD": SECRET}
    assert problems(None, **environ) == [
        "mqtt.username: expected a user beside the password, was ''"
    ]
    assert problems(None, **environ, LIQMON_MQTT__USERNAME="me") == []
    assert problems(None, **environ, LIQMON_MQTT__ENABLED="false") == []


@pytest.mark.parametrize("place", ["file", "variable"])
def test_password_among_the_keys_is_refused_unseen(tmp_path: Path, place: str) -> None:
    """A password written as a key is refused, and the refusal does not repeat it."""
    path = written(tmp_path, f'[mqtt]\npassword = "{SECRET}"' if place == "file" else "")
    environ = {} if place == "file" else {"LIQMON_MQTT__PASSWORD": SECRET}
    source = "" if place == "file" else " (LIQMON_MQTT__PASSWORD)"
    assert problems(path, **environ) == [
        (
            "mqtt.password: a password never stands in the configuration; "
            f"set LIQMON_MQTT_PASSWORD or mqtt.password_file{source}"
        )
    ]


def test_password_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    """No text of a configuration or of its credentials shows the password."""
    secret = tmp_path / "password"
    secret.write_text(SECRET, encoding="utf-8")
    environ = {"LIQMON_MQTT_PASSWORD": SECRET, "LIQMON_MQTT__PASSWORD_FILE": str(secret)}
    config = load(None, environ)
    credentials = mqtt_credentials(config, environ)
    seen = f"{config} {config!r} {msgspec.json.encode(config)!r} {credentials} {credentials!r}"
    assert SECRET not in seen
    assert repr(credentials) == "Credentials(user='', password='***')"
    without = load(None, {"LIQMON_MQTT__PASSWORD_FILE": str(secret)})
    assert digest(config) == digest(without)
