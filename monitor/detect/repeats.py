"""Repeats: an order that an overlapping connection of the same venue has already delivered.

Equal orders on one connection are all real: two positions of the same size may be closed in
the same millisecond. So each connection's deliveries of a key are counted, and an order is a
repeat only while its own connection has delivered fewer of the key than another one did.
"""

import msgspec

MEMORY_NS = 120_000_000_000

Key = tuple[str, str, int, float, float]  # symbol, position, event_ns, quantity, price


class Repeats(msgspec.Struct):
    """What one venue's connections have delivered lately.

    Attributes:
        delivered: Key -> most that one connection has delivered.
        counts: Key -> connection -> how many it has delivered.
        order: Keys by time of first delivery, for forgetting.
    """

    delivered: dict[Key, int] = msgspec.field(default_factory=dict)
    counts: dict[Key, dict[int, int]] = msgspec.field(default_factory=dict)
    order: list[tuple[int, Key]] = msgspec.field(default_factory=list)

    def is_repeat(self, key: Key, connection: int, received_ns: int) -> bool:
        """Count a delivery and say whether another connection made it before."""
        seen = self.counts.get(key)
        if seen is None:
            self.forget(received_ns)
            self.counts[key] = {connection: 1}
            self.delivered[key] = 1
            self.order.append((received_ns, key))
            return False
        count = seen.get(connection, 0) + 1
        seen[connection] = count
        if count > self.delivered[key]:
            self.delivered[key] = count
            return False
        return True

    def restart(self) -> None:
        """Connections are numbered anew; what the old ones delivered stays delivered."""
        for seen in self.counts.values():
            seen.clear()

    def forget(self, now_ns: int) -> None:
        """Drop keys older than the memory."""
        old = 0
        for first_ns, key in self.order:
            if now_ns - first_ns <= MEMORY_NS:
                break
            del self.delivered[key], self.counts[key]
            old += 1
        if old:
            del self.order[:old]
