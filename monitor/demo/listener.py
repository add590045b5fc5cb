"""A subscriber of the demo's own: it counts which alerts really come out of the broker."""

import asyncio
import contextlib
from collections.abc import Set as AbstractSet
from contextlib import aclosing

import msgspec

from monitor.config import Config, mqtt_credentials
from monitor.publish.broker import subscribe
from monitor.publish.state import status_topic


class Identified(msgspec.Struct, frozen=True):
    """An alert, as far as it is needed to count it."""

    id: str


class Listener:
    """Listens like any outsider.

    Attributes:
        ids: Distinct alert ids received so far.
    """

    def __init__(self, config: Config) -> None:
        self.ids: set[str] = set()
        self._config = config
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Listen until cancelled."""
        config = self._config
        status = status_topic(config.mqtt.base)
        filters = (status, f"{config.mqtt.base}/alerts/+/+")
        deliveries = subscribe(config.mqtt, lambda: mqtt_credentials(config, {}), filters)
        async with aclosing(deliveries):
            async for topic, payload, _retained in deliveries:
                if topic != status:
                    self.ids.add(msgspec.json.decode(payload, type=Identified).id)
                    self._changed.set()

    async def has(self, ids: AbstractSet[str], within_s: float) -> bool:
        """Whether all of these have come, or do within some wall seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not ids <= self.ids:
                    self._changed.clear()
                    await self._changed.wait()
        return ids <= self.ids
