"""`liqmon healthcheck`: is the daemon ready; what a container's health check runs.

It asks `/ready` and nothing else, with the standard library alone, so that it is quick and needs
no more than the daemon itself.
"""

import http.client
import os
import threading
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from monitor.config import Config, load
from monitor.errors import ConfigError, LiqmonError

_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
_LONGEST = 4096


def healthcheck(
    url: Annotated[
        str,
        typer.Option(help="What to GET; by default /ready at the address of the configuration."),
    ] = "",
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="The daemon's TOML file; else LIQMON_CONFIG."),
    ] = None,
    deadline: Annotated[
        float, typer.Option(min=0.1, help="Seconds to wait for the whole answer.")
    ] = 5.0,
) -> None:
    """Ask a running daemon whether it is ready: exit code 0 if it is, 1 if not.

    The answer is printed; a ready daemon names there what is degraded.
    """
    target = url or ready_url(load(config, os.environ))
    typer.echo(fetch(target, deadline))


def ready_url(config: Config) -> str:
    """Where the daemon of this configuration answers, seen from its own machine."""
    if not config.http.enabled or config.http.port == 0:
        raise ConfigError("http: expected enabled = true and a fixed port for a health check")
    host = _LOOPBACK.get(config.http.host, config.http.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{config.http.port}/ready"


def fetch(url: str, deadline_s: float) -> str:
    """The answer's text.

    Raises:
        LiqmonError: No answer within the deadline, or another status than 200.
    """
    answers: list[tuple[int, str] | Exception] = []

    def ask() -> None:
        try:
            answers.append(_get(url, deadline_s))
        except (OSError, http.client.HTTPException, ValueError) as error:
            answers.append(error)

    # A socket's timeout begins again with each byte; only leaving the request behind, in a
    # thread that does not keep the process, makes the deadline hold for the whole.
    thread = threading.Thread(target=ask, name="healthcheck", daemon=True)
    thread.start()
    thread.join(deadline_s)
    match answers:
        case [(200, text)]:
            return text
        case [(status, text)]:
            raise LiqmonError(f"{url}: expected status 200, was {status} {text}".rstrip())
        case [error]:
            raise LiqmonError(f"{url}: expected an answer, was {error}")
        case _:
            raise LiqmonError(f"{url}: expected an answer within {deadline_s:g} s, was none")


def _get(url: str, timeout_s: float) -> tuple[int, str]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("no http:// address")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST).decode(errors="replace").strip()
    finally:
        connection.close()
