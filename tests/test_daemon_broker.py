"""The daemon and its broker: none at first, another's certificate, another's password."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import brokers, listening, running
from tests.brokers import NEEDS_MOSQUITTO

pytestmark = [pytest.mark.xdist_group("sockets"), NEEDS_MOSQUITTO]


def openssl(*arguments: object) -> None:
    """Run openssl."""
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def authority(directory: Path, name: str) -> tuple[Path, Path]:
    """The key and the certificate of an authority of one's own."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate)
    openssl("req", "-x509", *made, "-days", 2, "-subj", f"/CN={name}")
    return key, certificate


def signed(directory: Path, by: tuple[Path, Path]) -> tuple[Path, Path]:
    """The key and the certificate of a broker on this machine, signed by an authority."""
    key, request = directory / "broker.key", directory / "broker.csr"
    certificate, names = directory / "broker.pem", directory / "names"
    made = ("-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request)
    openssl("req", *made, "-subj", "/CN=broker")
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    signing = ("-CA", by[1], "-CAkey", by[0], "-CAcreateserial", "-extfile", names)
    openssl("x509", "-req", "-in", request, *signing, "-days", 2, "-out", certificate)
    return key, certificate


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path, Path]]:
    """A broker with TLS and a password: its port, its authority, and another authority.

    The user is "watch", the password "right".
    """
    if shutil.which("openssl") is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("openssl or mosquitto_passwd is not installed")
    directory = tmp_path_factory.mktemp("guarded")
    ours, others = authority(directory, "ours"), authority(directory, "others")
    key, certificate = signed(directory, ours)
    passwords = directory / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "watch", "right"], check=True)
    for file in (key, passwords):
        file.chmod(0o644)
    lines = (f"certfile {certificate}", f"keyfile {key}", f"password_file {passwords}")
    with brokers.mosquitto(directory, *lines, anonymous=False) as broker:
        yield broker.port, ours[1], others[1]


def table(directory: Path, port: int, **mqtt: Any) -> dict[str, Any]:
    """A configuration for a broker that is guarded; the venues are away."""
    tls = {"tls": True, "username": "watch", "publish_timeout_s": 2.0, **mqtt}
    return running.settings(running.nowhere(), directory, port, mqtt=tls)


def test_a_password_may_come_from_the_environment(
    guarded: tuple[int, Path, Path], tmp_path: Path
) -> None:
    """With the right authority and LIQMON_MQTT_PASSWORD the daemon is connected."""
    port, ours, _ = guarded
    right = {"LIQMON_MQTT_PASSWORD": "right"}
    config = table(tmp_path, port, tls_ca=str(ours))
    with running.monitor(tmp_path, config, environ=right) as daemon:
        daemon.until_told("broker connected")
        assert daemon.metric("liqmon_broker_connected") == 1.0
        assert "broker" not in daemon.ready()[1]
        assert daemon.stop()[0] == 0
        assert "right" not in daemon.log.read_text()


def test_a_wrong_password_is_named_and_tried_again(
    guarded: tuple[int, Path, Path], tmp_path: Path
) -> None:
    """Degraded, it goes on trying, and is connected once the password file is right."""
    port, ours, _ = guarded
    secret = tmp_path / "secret"
    secret.write_text("wrong-one\n")
    config = table(tmp_path, port, tls_ca=str(ours), password_file=str(secret))
    with running.monitor(tmp_path, config) as daemon:
        told = daemon.until_told("broker not reached")
        assert told["reason"].startswith(f"127.0.0.1:{port}: ")
        assert "Not authorized" in told["reason"]
        status, degraded = daemon.ready()
        assert (status, degraded[0]) == (503, "broker")
        assert "wrong-one" not in daemon.log.read_text()
        secret.write_text("right\n")
        daemon.until_told("broker connected")
        assert len(daemon.told("broker not reached")) == 1


def test_a_certificate_of_another_authority_is_refused(
    guarded: tuple[int, Path, Path], tmp_path: Path
) -> None:
    """No password is told to a broker that cannot prove who it is."""
    port, _, others = guarded
    right = {"LIQMON_MQTT_PASSWORD": "right"}
    config = table(tmp_path, port, tls_ca=str(others))
    with running.monitor(tmp_path, config, environ=right) as daemon:
        told = daemon.until_told("broker not reached")
        assert "certificate verify failed" in told["reason"]
        assert daemon.metric("liqmon_broker_connects_total") == 0.0
        assert daemon.ready()[0] == 503
        assert daemon.stop()[0] == 0


def test_without_a_broker_the_daemon_watches_on(tmp_path: Path) -> None:
    """Away from the start: not ready, alerts held up to the bound and counted, then delivered."""
    with (
        brokers.mosquitto(tmp_path, durable=True) as broker,
        listening.Witness(broker.port) as witness,
        running.market() as market,
    ):
        broker.stop()  # in order, so that it keeps the witness's session
        bound = {"outbox_alerts": 1, "outbox_states": 3}
        config = running.settings(market, tmp_path, broker.port, mqtt=bound)
        with running.monitor(tmp_path, config) as daemon:
            daemon.until_told("state changed", state="CASCADING")
            decided = [line["id"] for line in daemon.told("state changed")]
            status, degraded = daemon.ready()
            assert (status, degraded) == (503, ["broker"])
            assert daemon.metric("liqmon_outbox_messages", **{"class": "alert"}) == 1.0
            dropped = daemon.metric("liqmon_outbox_dropped_total", **{"class": "alert"})
            assert dropped == len(decided) - 1
            states = daemon.metric("liqmon_outbox_messages", **{"class": "state"})
            assert states is not None
            assert states <= 3.0
            broker.start()
            daemon.until_told("broker connected")
            daemon.until(witness.alerts, what="for the alert that was kept")
            # Only the newest was kept; more may have been decided meanwhile.
            received = [alert["id"] for alert in witness.alerts()]
            told = [line["id"] for line in daemon.told("state changed")]
            assert received == told[-len(received) :]
            assert told.index(received[0]) >= len(decided) - 1
            assert daemon.ready() == (200, [])
            assert listening.retained(broker.port)["liqmon/status"] == {"state": "online"}
