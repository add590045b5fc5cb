"""The broker's password: where it may come from, and that it is never seen."""

from pathlib import Path

import msgspec
import pytest

from monitor.config import Config, digest, load, mqtt_credentials
from monitor.errors import ConfigError
from tests.configuring import SECRET, problems, written


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
        problems(None, LIQMON_MQTT__PASSWORD_FILE=str(file)) for file in (empty, binary, long)
    ] == [
        [f"{path}: expected one to 65536 bytes in {str(empty)!r}"],
        [f"{path}: expected UTF-8 text in {str(binary)!r}, was not"],
        [f"{path}: expected one to 65536 bytes in {str(long)!r}"],
    ]


def test_secret_file_that_vanishes_later_is_named(tmp_path: Path) -> None:
    """A file that was there when the daemon started may be gone when it connects again."""
    secret = tmp_path / "password"
    secret.write_text(SECRET, encoding="utf-8")
    config = load(None, {"LIQMON_MQTT__PASSWORD_FILE": str(secret)})
    secret.unlink()
    with pytest.raises(ConfigError) as caught:
        mqtt_credentials(config, {})
    assert str(caught.value) == (
        f"mqtt.password_file: expected a readable file, was {str(secret)!r} "
        "(No such file or directory)"
    )


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
