"""The daemon's life as the outside sees it: killed, stopped and started in mid-cascade."""

import itertools
from collections import Counter
from typing import Any

import orjson
import pytest

from tests.brokers import NEEDS_MOSQUITTO
from tests.cascades import Broken, Whole, lived

pytestmark = [pytest.mark.xdist_group("sockets"), NEEDS_MOSQUITTO]


@pytest.fixture(scope="module")
def whole() -> Whole:
    """A daemon that was never interrupted, and whose broker was."""
    return lived().whole


@pytest.fixture(scope="module")
def broken() -> Broken:
    """A daemon in four runs."""
    return lived().broken


def of_cascade(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The alerts of the episode; pressure has alerts of its own."""
    return [alert for alert in alerts if alert["kind"] == "cascade"]


def test_a_stop_in_mid_cascade_drains_and_ends_well(broken: Broken) -> None:
    """SIGTERM ends every run with 0 within 5 s, and "stopped" is retained."""
    assert broken.exits == {1: 0, 3: 0, 4: 0}
    assert max(broken.took_s.values()) < 5.0
    assert broken.retained[3]["liqmon/status"] == {"state": "stopped"}


def test_a_kill_is_told_by_the_broker(broken: Broken) -> None:
    """After kill -9 "offline" is retained; the next run says "online" again."""
    assert broken.retained[2]["liqmon/status"] == {"state": "offline"}
    assert broken.retained[4]["liqmon/status"] == {"state": "online"}
    changes = [word for word, _ in itertools.groupby(broken.presence)]
    assert changes == ["online", "offline", "online", "stopped", "online", "stopped"]


def test_alerts_of_a_run_without_a_broker_are_delivered_by_the_next(broken: Broken) -> None:
    """What nobody took is in the state file, and goes out before anything new."""
    decided = [orjson.loads(line)["id"] for line in broken.logs[0].splitlines()]
    assert decided
    assert broken.unsent == decided
    assert [alert["id"] for alert in broken.alerts][: len(decided)] == decided


def test_restarts_go_on_in_the_same_episode(broken: Broken) -> None:
    """Stopped or killed in mid-cascade, the next run updates the episode: id, wave, money."""
    cascade = of_cascade(broken.alerts)
    first = cascade[0]
    episode, number = first["id"].rsplit("-", 1)
    assert {alert["episode_id"] for alert in cascade} == {first["episode_id"]}
    assert [alert["id"] for alert in cascade] == [
        f"{episode}-{int(number) + place}" for place in range(len(cascade))
    ]
    phases = ["start", *["update"] * (len(cascade) - 2), "end"]
    assert [alert["phase"] for alert in cascade] == phases
    assert (cascade[0]["state"], cascade[-1]["state"]) == ("ONSET", "EXHAUSTED")
    for before, after in itertools.pairwise(cascade):
        assert after["previous_state"] == before["state"]
        assert after["evidence"]["wave"] >= before["evidence"]["wave"] >= 1
        assert after["evidence"]["forced_usd"] >= before["evidence"]["forced_usd"] > 0.0


def test_a_broker_killed_in_mid_cascade_loses_no_alert(whole: Whole) -> None:
    """Everything decided before, during and after ten seconds without a broker arrives."""
    decided = [orjson.loads(line)["id"] for line in whole.log.splitlines()]
    got = [orjson.loads(m.payload)["id"] for m in whole.messages if "/alerts/" in m.topic]
    assert list(dict.fromkeys(got)) == decided


def test_a_repeat_carries_the_same_id_and_the_same_bytes(whole: Whole) -> None:
    """An alert whose acknowledgement was lost comes again, exactly as it was."""
    alerts = [message for message in whole.messages if "/alerts/" in message.topic]
    times = Counter(orjson.loads(message.payload)["id"] for message in alerts)
    cascading = next(m for m in alerts if orjson.loads(m.payload)["state"] == "CASCADING")
    assert times[orjson.loads(cascading.payload)["id"]] >= 2
    assert len({message.payload for message in alerts}) == len(times)


def test_everything_retained_is_back_after_the_broker(whole: Whole) -> None:
    """A broker that comes back is told presence and every state again."""
    assert whole.retained["liqmon/status"] == {"state": "online"}
    assert {"liqmon/info", "liqmon/health", "liqmon/market/state"} <= whole.retained.keys()
    assert whole.retained["liqmon/assets/BTC/state"]["long"]["state"] == "EXHAUSTED"
    assert not [topic for topic in whole.retained if "/alerts/" in topic]
