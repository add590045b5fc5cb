"""How each mistake in the configuration is worded, exactly."""

from pathlib import Path

import pytest

from monitor.config import load
from monitor.errors import ConfigError
from tests.configuring import SECRET, problems, written


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
            "[detector]\nnotice_tier = 3\nbuilding_tier = 3",
            [
                "detector.building_tier: expected above detector.notice_tier = 3.0, was 3.0",
            ],
        ),
        (
            "[detector]\nbuilding_tier = 4\nonset_tier = 4",
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
                "watch.assets[4]: expected an asset, not the word for all of them, was 'MARKET'",
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
            ["mqtt.tls_ca: expected a readable file, was '/no/ca.pem'"],
        ),
        (
            f"[mqtt]\npassword_file = '{'x' * 300}'\n[state]\npath = '{'x' * 300}'",
            [f"mqtt.password_file: expected a readable file, was '{'x' * 99}..."],
        ),
        (
            "[mqtt]\nusername_file = '/'",
            ["mqtt.username_file: expected a readable file, was '/'"],
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
