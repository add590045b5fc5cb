"""`liqmon simulate`, told and served."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Sequence

import aiohttp
import pytest
from typer.testing import CliRunner

from monitor.cli import app
from monitor.errors import ConfigError
from monitor.simulate.scenarios import SCENARIOS
from tests.simulating import (
    DEADLINE_S,
)


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and stdout of a command run in this process."""
    result = CliRunner().invoke(app, ["simulate", *arguments])
    if isinstance(result.exception, ConfigError):
        return 2, str(result.exception)
    return result.exit_code, result.stdout


def test_told_without_serving() -> None:
    """Without --serve the command tells events, forced orders and truth as JSON, repeatably."""
    code, first = run("cascade", "--duration", "200", "--seed", "3", "--asset", "ETH")
    assert code == 0
    told = json.loads(first)
    assert told["truth"][0]["asset"] == "ETH"
    assert told["truth"][0]["forced_usd"] > 0.0
    assert told["forced"]["bybit"] == told["printed"]["bybit"]
    assert run("cascade", "--duration", "200", "--seed", "3", "--asset", "ETH")[1] == first


def test_usage_errors() -> None:
    """An unknown scenario or fault is a usage error that names what there is."""
    code, message = run("quake")
    assert code == 2
    assert "expected one of calm, cascade, two-waves, silent-venue, muted-venue" in message
    assert run("calm", "--fault", "nap@okx")[0] == 2


def test_help_names_every_scenario() -> None:
    """The command's help tells what each scenario is."""
    text = " ".join(run("--help")[1].split())
    assert [known.name for known in SCENARIOS if f"{known.name}:" not in text] == []


@pytest.mark.parametrize("ending", ["stdin", "sigterm", "duration"])
async def test_served_by_the_command(ending: str) -> None:
    """`--serve` prints one line with port and clock, serves, and ends cleanly when told to."""
    options: Sequence[str] = ("--serve", "--speed", "50", "--seed", "9", "--until-stdin-closes")
    if ending == "duration":
        options = (*options, "--duration", "0.5")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "simulate", "calm", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(3 * DEADLINE_S):
        line = json.loads(await process.stdout.readline())
        assert set(line) == {"port", "endpoints", "epoch_ns", "start_ns", "speed", "seed"}
        assert (line["speed"], line["seed"]) == (50.0, 9)
        assert line["epoch_ns"] == line["start_ns"]
        if ending != "duration":
            truth = f"http://127.0.0.1:{line['port']}/truth"
            async with aiohttp.ClientSession() as session, session.get(truth) as answer:
                assert await answer.json() == []
        if ending == "stdin":
            process.stdin.close()
        elif ending == "sigterm":
            process.send_signal(signal.SIGTERM)
        assert await process.stdout.read() == b""
        assert await process.wait() == 0


async def test_a_start_told_on_stdin() -> None:
    """With --start-on-stdin the past is there at once, and time begins when it is told to."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "simulate", "calm", "--serve", "--speed", "100",
        "--past", "30", "--start-on-stdin",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(3 * DEADLINE_S), aiohttp.ClientSession() as session:
        line = json.loads(await process.stdout.readline())
        counts = f"http://127.0.0.1:{line['port']}/counts"

        async def seconds() -> int:
            async with session.get(counts) as answer:
                made: int = (await answer.json())["seconds"]
                return made

        assert line["start_ns"] == 0
        assert [await seconds(), await seconds()] == [31, 31]
        process.stdin.write(b"%d\n" % time.time_ns())
        while await seconds() < 50:
            pass  # the deadline ends it
        process.stdin.close()
        assert await process.wait() == 0


@pytest.mark.parametrize("said", [b"noon\n", b""])
async def test_no_start_on_stdin(said: bytes) -> None:
    """A start that is no time is refused in one line; none at all ends the waiting cleanly."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "monitor", "simulate", "calm", "--serve", "--start-on-stdin",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(3 * DEADLINE_S):
        _, errors = await process.communicate(said)
    told = b"liqmon: --start-on-stdin: expected Unix nanoseconds, was 'noon'\n" if said else b""
    assert (process.returncode, errors) == (2 if said else 0, told)
