"""A bug is never lived with: wherever it strikes, the daemon ends with its traceback."""

import asyncio

import msgspec
import pytest

from monitor.config import Config, Http, Mqtt, StateFile
from monitor.daemon import Daemon
from monitor.detect.verdict import Verdict
from monitor.venues.binance import BINANCE
from tests.samples import verdict

SILENT = msgspec.structs.replace(BINANCE, listings=())
ALONE = Config(mqtt=Mqtt(enabled=False), http=Http(enabled=False), state=StateFile(path=""))


async def test_a_bug_where_verdicts_are_settled_ends_the_daemon() -> None:
    """What is settled runs as a callback of the loop, whose errors nobody awaits."""

    def stumble(told: Verdict) -> None:
        raise LookupError(told.asset)

    daemon = Daemon(ALONE, (SILENT,), {}, "test")
    daemon.listeners.append(stumble)
    daemon.engine.judge.verdicts.append(verdict())
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(5.0):
            await daemon.run()
    assert raised.group_contains(LookupError, match="BTC")
