"""Who we are to the broker: read when it is needed, kept in no configuration value."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from monitor.config.environment import MQTT_PASSWORD
from monitor.config.sections import Config
from monitor.errors import ConfigError

_LONGEST = 64 * 1024


class Credentials(NamedTuple):
    """User and password, empty where there is none; the password is never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r}, password={'***' if self.password else ''!r})"


def mqtt_credentials(config: Config, environ: Mapping[str, str]) -> Credentials:
    """The broker's user and password.

    The password is LIQMON_MQTT_PASSWORD if that is set, else the content of
    `mqtt.password_file`; the user is `mqtt.username`, else the content of `mqtt.username_file`.
    One line end at the end of a file does not count.

    Raises:
        ConfigError: A file cannot be used, or MQTT 3.1.1 would get a password without a user.
    """
    mqtt = config.mqtt
    user = mqtt.username
    if mqtt.username_file:
        user = _content("mqtt.username_file", mqtt.username_file)
    password = environ.get(MQTT_PASSWORD, "")
    if not password and mqtt.password_file:
        password = _content("mqtt.password_file", mqtt.password_file)
    if password and not user and mqtt.protocol == "3.1.1":
        raise ConfigError("mqtt.username: expected a user beside the password, was ''")
    return Credentials(user, password)


def _content(path: str, file: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            data = stream.read(_LONGEST + 1)
        text = data.decode()
    except UnicodeDecodeError:
        # "from None": the decoder's error carries the bytes, and they are a secret
        raise ConfigError(f"{path}: expected UTF-8 text in {file!r}, was not") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no usable name"
        raise ConfigError(f"{path}: expected a readable file, was {file!r} ({reason})") from error
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(data) > _LONGEST:
        raise ConfigError(f"{path}: expected one to {_LONGEST} bytes in {file!r}")
    return text
