"""The sections of the configuration as frozen values, with their defaults.

`deploy/liqmon.toml` says the same to the operator, key by key; a test keeps the two together.
"""

from typing import Literal

import msgspec

from monitor.clock import MarketClock
from monitor.parameters import Parameters

# fmt: off
DEFAULT_ASSETS = (
    "BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "ADA", "AVAX", "LINK", "SUI", "LTC", "BCH",
    "DOT", "TRX", "NEAR", "APT", "ARB", "OP", "UNI", "PEPE",
)
# fmt: on


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the configuration file."""


class Watch(Section, frozen=True):
    """What is watched closely.

    Attributes:
        assets: Assets with a ladder and full market data; others count as `other`.
    """

    assets: tuple[str, ...] = DEFAULT_ASSETS


class Clock(Section, frozen=True):
    """The market clock (`monitor.clock`): the wall clock unless a demo or a tape sets it.

    Attributes:
        epoch_ns: Market time at `start_ns`, Unix nanoseconds; 0 for the same as `start_ns`.
        start_ns: Wall time at which the clock reads `epoch_ns`; 0 for when the daemon starts.
        speed: Market seconds in one wall second.
    """

    epoch_ns: int = 0
    start_ns: int = 0
    speed: float = 1.0

    def anchored(self, wall_ns: int) -> MarketClock:
        """The market clock of a daemon that starts at this wall time."""
        start_ns = self.start_ns or wall_ns
        return MarketClock(epoch_ns=self.epoch_ns or start_ns, start_ns=start_ns, speed=self.speed)


class VenueOptions(Section, frozen=True):
    """One venue, `[venues.NAME]`.

    Attributes:
        enabled: Whether to collect from it.
        endpoints: Scheme, host and port of its URLs -> what to put in their place, for a relay
            or a simulation: {"wss://ws.okx.com:8443" = "ws://127.0.0.1:9001"}.
    """

    enabled: bool = True
    endpoints: dict[str, str] = {}


class Mqtt(Section, frozen=True):
    """The broker that alerts go to. The password stands in no value; see `mqtt_credentials`.

    Attributes:
        enabled: Whether to publish at all.
        host, port: Where the broker listens.
        protocol: "5" has expiry and reasons; "3.1.1" is for brokers without it.
        client_id: Name of this client at the broker; two daemons may not share one.
        base: First levels of every topic.
        tls: Whether to speak TLS.
        tls_ca: File with the authorities to trust (PEM); empty for the system's.
        tls_cert, tls_key: Files with the client's certificate and key (PEM); empty for none.
        username: User at the broker; empty for none.
        username_file, password_file: Files that hold them instead; empty for none.
        keepalive_s: Seconds of silence after which either side asks, at most.
        publish_timeout_s: Seconds to wait for the broker's acknowledgement.
        alert_expiry_s: Seconds after which the broker drops an undelivered alert (MQTT 5).
        outbox_alerts, outbox_states: Most messages kept while the broker is away.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    client_id: str = "liqmon"
    base: str = "liqmon"
    tls: bool = False
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    username: str = ""
    username_file: str = ""
    password_file: str = ""
    keepalive_s: int = 30
    publish_timeout_s: float = 3.0
    alert_expiry_s: int = 3600
    outbox_alerts: int = 1000
    outbox_states: int = 1000


class Http(Section, frozen=True):
    """Where `/metrics`, `/live` and `/ready` are served.

    Attributes:
        enabled: Whether to serve them.
        host: Address to listen on; "0.0.0.0" or "::" for every one.
        port: Port to listen on; 0 for any free one.
    """

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = 9108


class StateFile(Section, frozen=True):
    """The snapshot that lets a restart continue its episodes, `[state]`.

    Attributes:
        path: Its file; empty to keep none.
        every_s: Wall seconds between two snapshots.
    """

    path: str = "liqmon.state"
    every_s: float = 60.0


class Record(Section, frozen=True):
    """The recording of everything received.

    Attributes:
        directory: Where its hourly files go; empty for no recording.
    """

    directory: str = ""


class Log(Section, frozen=True):
    """What is logged, and how.

    Attributes:
        level: The least important level that is written.
        format: "json" lines, "console" for people, or "auto": console on a terminal.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Config(Section, frozen=True):
    """Everything the operator may set; a venue without an entry has the default options."""

    watch: Watch = Watch()
    clock: Clock = Clock()
    venues: dict[str, VenueOptions] = {}
    detector: Parameters = Parameters()
    mqtt: Mqtt = Mqtt()
    http: Http = Http()
    state: StateFile = StateFile()
    record: Record = Record()
    log: Log = Log()
