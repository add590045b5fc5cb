"""Fixtures that several test files share: the brokers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import brokers


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[brokers.Broker]:
    """A mosquitto of its own for one test."""
    with brokers.mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[brokers.Broker]:
    """A NATS server of its own for one test."""
    with brokers.nats(tmp_path) as broker:
        yield broker
