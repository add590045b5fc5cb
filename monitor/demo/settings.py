"""The configuration of the demo's daemon: a TOML file, read as `liqmon run` reads its own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.clock import MarketClock
from monitor.simulate.hosts import wire_of
from monitor.venues import VENUES


def write(
    path: Path,
    clock: MarketClock,
    endpoints: Mapping[str, str],
    mqtt_port: int,
    record: str,
) -> None:
    """Write a configuration that points at the simulated venues and the embedded broker."""
    path.write_text("\n".join(_lines(path, clock, endpoints, mqtt_port, record)) + "\n")


def simulated() -> tuple[str, ...]:
    """Names of the venues that the simulation stands in for."""
    return tuple(venue.name for venue in VENUES if wire_of(venue.name))


def _lines(
    path: Path, clock: MarketClock, endpoints: Mapping[str, str], mqtt_port: int, record: str
) -> Iterator[str]:
    yield "[clock]"
    yield f"epoch_ns = {clock.epoch_ns}"
    yield f"start_ns = {clock.start_ns}"
    yield f"speed = {clock.speed}"
    yield "[mqtt]"
    yield 'host = "127.0.0.1"'
    yield f"port = {mqtt_port}"
    yield 'protocol = "3.1.1"'
    yield "[http]"
    yield "port = 0"
    yield "[state]"
    yield f"path = {_text(str(path.with_name('demo.state')))}"
    if record:
        yield "[record]"
        yield f"directory = {_text(record)}"
    names = simulated()
    for venue in VENUES:
        if venue.name not in names:
            yield f"[venues.{venue.name}]"
            yield "enabled = false"
            continue
        yield f"[venues.{venue.name}.endpoints]"
        for origin, address in endpoints.items():
            yield f"{_text(origin)} = {_text(address)}"


def _text(value: str) -> str:
    """A TOML string; JSON's escapes are TOML's, too."""
    return json.dumps(value, ensure_ascii=False)
