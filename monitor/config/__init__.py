"""What the operator may set: one TOML file, overridden by the environment, checked whole.

`deploy/liqmon.toml` documents every key with its default. Nothing is read that was not named:
a file comes from `-c FILE` or LIQMON_CONFIG, and without one the defaults hold. Each key can be
overridden by a variable, `LIQMON_<SECTION>__<KEY>`:

    LIQMON_MQTT__HOST=broker.lan                a text, as it stands
    LIQMON_CLOCK__SPEED=20                      a number; `true` or `false` for a switch
    LIQMON_WATCH__ASSETS=BTC,ETH,SOL            a list: items between commas
    LIQMON_VENUES__OKX_SPOT__ENABLED=false      a nested table: its keys between `__`
    LIQMON_VENUES__OKX__ENDPOINTS=wss://ws.okx.com:8443=ws://127.0.0.1:9001
                                                a table of texts: key=value between commas

An unknown key or variable is refused, and every problem names the key's path. The broker's
password is no key at all: it comes from LIQMON_MQTT_PASSWORD or `mqtt.password_file` when it is
needed, so no configuration value, digest or log line can hold it.
"""

from monitor.config.credentials import Credentials, mqtt_credentials
from monitor.config.loading import Outcome, digest, examine, load
from monitor.config.sections import (
    Clock,
    Config,
    Http,
    Log,
    Mqtt,
    Record,
    StateFile,
    VenueOptions,
    Watch,
)
from monitor.config.venues import venue_options, venue_problems

__all__ = [
    "Clock",
    "Config",
    "Credentials",
    "Http",
    "Log",
    "Mqtt",
    "Outcome",
    "Record",
    "StateFile",
    "VenueOptions",
    "Watch",
    "digest",
    "examine",
    "load",
    "mqtt_credentials",
    "venue_options",
    "venue_problems",
]
