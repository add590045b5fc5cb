"""`liqmon tail`: alerts as they come, for a person or, with `--json`, for a program.

It listens to the broker like any other subscriber, so it shows what the outside gets. A repeat
(the same id again, after a lost acknowledgement) is shown once.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import orjson
import typer
from rich.console import Console
from rich.text import Text

from monitor.config import Config, load, mqtt_credentials
from monitor.detect.verdict import Severity
from monitor.publish.alert import topic_level
from monitor.publish.broker import Delivery, subscribe
from monitor.publish.state import Status, status_topic

MOST_REMEMBERED = 10_000  # ids by which repeats are known

_COLOURS = {"notice": "cyan", "warning": "yellow", "critical": "bold red"}
_RANKS = {severity.value: rank for rank, severity in enumerate(Severity)}


class ShownEvidence(msgspec.Struct, frozen=True):
    """The one number of an alert's evidence that a line has room for."""

    forced_usd: float | None = None


class Shown(msgspec.Struct, frozen=True):
    """What a line shows of an alert; newer versions may add words to any of these fields."""

    id: str
    severity: str
    asset: str
    position: str
    state: str
    reason: str
    event_time_ms: int
    evidence: ShownEvidence


class Repeats:
    """Knows the ids of the last alerts, as many as it may remember."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._ids: dict[str, None] = {}

    def is_new(self, alert_id: str) -> bool:
        """Whether this id is seen for the first time."""
        if alert_id in self._ids:
            return False
        if len(self._ids) >= self._most:
            del self._ids[next(iter(self._ids))]
        self._ids[alert_id] = None
        return True


class Lines:
    """Turns what the broker delivers into lines, and writes them.

    Attributes:
        damaged: Deliveries that were no alert.
    """

    def __init__(
        self,
        write: Callable[[bytes, Shown], None],
        tell: Callable[[str], None],
        status: str,
        severity: Severity,
    ) -> None:
        self.damaged = 0
        self._write = write
        self._tell = tell
        self._status = status
        self._least = _RANKS[severity]
        self._repeats = Repeats()

    def take(self, delivery: Delivery) -> None:
        """Show one delivery, if it is an alert that is wanted and new."""
        topic, payload, _retained = delivery
        try:
            if topic == self._status:
                self._tell(f"the monitor is {msgspec.json.decode(payload, type=Status).state}")
                return
            alert = msgspec.json.decode(payload, type=Shown)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.damaged += 1
            self._tell(f"expected an alert on {topic}, was damaged: {error}")
            return
        # A severity of a newer version is shown rather than hidden.
        wanted = _RANKS.get(alert.severity, self._least) >= self._least
        if wanted and self._repeats.is_new(alert.id):
            self._write(payload, alert)


def tail(
    host: Annotated[str, typer.Option(help="Where the broker is; else mqtt.host.")] = "",
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Its port; else mqtt.port.")
    ] = None,
    base: Annotated[str, typer.Option(help="First levels of the topics; else mqtt.base.")] = "",
    asset: Annotated[str, typer.Option(help="Only this asset, e.g. BTC.")] = "",
    severity: Annotated[
        Severity, typer.Option(help="The least severity to show.")
    ] = Severity.NOTICE,
    as_json: Annotated[
        bool, typer.Option("--json", help="The alerts as published, one JSON line each.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The daemon's TOML file; else LIQMON_CONFIG."),
    ] = None,
) -> None:
    """Show alerts as they come, until interrupted; a lost broker is waited for."""
    loaded = load(config, os.environ)
    given = {"host": host, "port": port, "base": base}
    mqtt = msgspec.structs.replace(loaded.mqtt, **{k: v for k, v in given.items() if v})
    try:
        asyncio.run(
            _follow(msgspec.structs.replace(loaded, mqtt=mqtt), asset, severity, as_json=as_json)
        )
    except KeyboardInterrupt:
        return
    except BrokenPipeError:
        # The reader has left (`liqmon tail | head`); Python must not flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line(alert: Shown) -> Text:
    """An alert in one line: when, how severe, what, where it stands, why, and how much."""
    forced_usd = alert.evidence.forced_usd
    text = Text()
    text.append(f"{_utc(alert.event_time_ms)}  ", "dim")
    text.append(f"{_plain(alert.severity):<9}", _COLOURS.get(alert.severity, ""))
    text.append(f"{_plain(alert.asset):<7}", "bold")
    text.append(f"{_plain(alert.position):<6}")
    text.append(f"{_plain(alert.state):<12}", _COLOURS.get(alert.severity, ""))
    text.append(f"{_usd(forced_usd) if forced_usd is not None else '-':>9}  ")
    text.append(_plain(alert.reason))
    return text


async def _follow(config: Config, asset: str, severity: Severity, *, as_json: bool) -> None:
    mqtt = config.mqtt
    level = topic_level(asset.upper()) if asset else "+"
    alerts = f"{mqtt.base}/alerts/{level}/+"
    status = status_topic(mqtt.base)
    tell = _teller()
    lines = Lines(_json_writer if as_json else _line_writer(), tell, status, severity)
    tell(f"listening to {alerts} at {mqtt.host}:{mqtt.port}; Ctrl-C ends")
    deliveries = subscribe(
        mqtt, lambda: mqtt_credentials(config, os.environ), (status, alerts), tell
    )
    async with aclosing(deliveries):
        async for delivery in deliveries:
            lines.take(delivery)


def _teller() -> Callable[[str], None]:
    """Says something on stderr, unless it was the last thing said."""
    said = ""

    def tell(text: str) -> None:
        nonlocal said
        if text != said:
            said = text
            typer.echo(f"liqmon: {text}", err=True)

    return tell


def _json_writer(payload: bytes, _alert: Shown) -> None:
    sys.stdout.buffer.write(orjson.dumps(orjson.loads(payload), option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _line_writer() -> Callable[[bytes, Shown], None]:
    console = Console(highlight=False, soft_wrap=True)

    def write(_payload: bytes, alert: Shown) -> None:
        console.print(line(alert))
        console.file.flush()

    return write


def _utc(time_ms: int) -> str:
    """A time for people; one outside of all calendars as it stands."""
    try:
        return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def _usd(value: float) -> str:
    """US dollars in three to four digits."""
    for divisor, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= divisor:
            return f"${value / divisor:.1f}{letter}"
    return f"${value:.0f}"


def _plain(text: str) -> str:
    """Text that cannot steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
