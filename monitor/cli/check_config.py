"""`liqmon check-config`: is this file good, before a daemon is started with it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from monitor.config import Config, digest, examine, venue_options, venue_problems
from monitor.venues import VENUES


def check_config(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The TOML file; deploy/liqmon.toml documents every key."
        ),
    ],
) -> None:
    """Check a configuration file without starting anything.

    Prints "ok" and a short summary, or one line for each problem, beginning with the key's path;
    then the exit code is 2. LIQMON_ variables of this shell count, as they would for the daemon.
    """
    known = tuple(venue.name for venue in VENUES)
    outcome = examine(file, os.environ)
    config, problems = outcome.config, outcome.problems
    if config is not None:
        problems = venue_problems(config, known)
    for problem in problems:
        typer.echo(problem, err=True)
    if config is None or problems:
        raise typer.Exit(2)
    typer.echo("ok")
    for name, value in _summary(config, tuple(venue_options(config, known))):
        typer.echo(f"{name:9} {value}")


def _summary(config: Config, venues: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    clock, mqtt, http, state = config.clock, config.mqtt, config.http, config.state
    market = f"market time at speed {clock.speed:g}"
    broker = (
        f"{mqtt.host}:{mqtt.port}, MQTT {mqtt.protocol}{', TLS' if mqtt.tls else ''}, "
        f"topics below {mqtt.base}"
    )
    return (
        ("watch", f"{len(config.watch.assets)} assets: {' '.join(config.watch.assets)}"),
        ("venues", " ".join(venues)),
        ("clock", market if clock != Config().clock else "the wall clock"),
        ("mqtt", broker if mqtt.enabled else "off"),
        ("http", f"{http.host}:{http.port}" if http.enabled else "off"),
        ("state", f"{state.path}, every {state.every_s:g} s" if state.path else "off"),
        ("record", config.record.directory or "off"),
        ("log", f"{config.log.level}, {config.log.format}"),
        ("digest", digest(config)),
    )
