"""Tallies since the start: what came, what was dropped and why. Only for people to look at."""

import math
from collections import deque
from typing import Final

from monitor.events import Unused

# Damaged frames kept of each venue, and bytes of each.
KEPT_FRAMES: Final = 20
KEPT_BYTES: Final = 64 * 1024


class Tally:
    """Counters by venue, and its last damaged frames; nothing a verdict depends on.

    Attributes:
        kept: Venue -> its last damaged frames, each with its receive stamp, oldest first.
    """

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], int] = {}
        self.not_used: dict[tuple[str, str], int] = {}
        self.malformed: dict[tuple[str, str], int] = {}
        self.failed_answers: dict[tuple[str, str], int] = {}
        self.orders: dict[tuple[str, str], int] = {}
        self.usd: dict[tuple[str, str], float] = {}
        self.dropped: dict[str, int] = {}
        self.kept: dict[str, deque[tuple[int, bytes]]] = {}
        self.unknown: set[tuple[str, str]] = set()
        self.depth: dict[int, tuple[tuple[float, float], ...]] = {}

    def count(self, venue: str, kind: str) -> None:
        """Count an event of a kind."""
        self.events[venue, kind] = self.events.get((venue, kind), 0) + 1

    def liquidation(self, venue: str, asset: str, usd: float) -> None:
        """Count a forced order, and its US dollars where they are known."""
        self.count(venue, "liquidation")
        key = (venue, asset)
        self.orders[key] = self.orders.get(key, 0) + 1
        if not math.isnan(usd):
            self.usd[key] = self.usd.get(key, 0.0) + usd

    def unused(self, venue: str, reason: Unused) -> None:
        """Count a message without use."""
        key = (venue, reason.value)
        self.not_used[key] = self.not_used.get(key, 0) + 1

    def damaged(self, venue: str, reason: str) -> None:
        """Count a damaged message."""
        self.malformed[venue, reason] = self.malformed.get((venue, reason), 0) + 1

    def keep(self, venue: str, received_ns: int, frame: bytes) -> None:
        """Keep a damaged frame, once, however many of its rows are damaged."""
        kept = self.kept.setdefault(venue, deque(maxlen=KEPT_FRAMES))
        entry = (received_ns, frame[:KEPT_BYTES])
        if not kept or kept[-1] != entry:
            kept.append(entry)

    def failed_answer(self, venue: str, status: int) -> None:
        """Count a REST answer that brought nothing."""
        key = (venue, str(status))
        self.failed_answers[key] = self.failed_answers.get(key, 0) + 1

    def drop(self, reason: str) -> None:
        """Count a forced order that was left out."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
