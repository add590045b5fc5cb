"""Which simulated forced orders are new: the detector's own rule, where anything can repeat.

An order can only be a repeat while two connections of its venue are, or have lately been,
active. Those times are rare, so only they go through `monitor.detect.repeats`, order by order.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from kernels.dtypes import LIQUIDATION, Records, event_dtype
from monitor.detect.repeats import MEMORY_NS, Repeats

Numbers = npt.NDArray[np.int32]

# The rule forgets an order when a new one comes later than its memory, not before. So long
# without any new one is longer than what is looked back on here.
_BACK_NS: Final = 10 * MEMORY_NS


class Deliveries:
    """What each venue's connections have delivered lately, from chunk to chunk."""

    def __init__(self) -> None:
        self._tails: dict[int, tuple[Records, Numbers]] = {}

    def new(self, events: Records, connections: Numbers) -> Records:
        """Leave out forced orders that another connection of their venue delivered before.

        Args:
            events: Rows of `event_dtype`, by received time.
            connections: By row, the connection that delivered it.
        """
        forced = np.flatnonzero(events["kind"] == LIQUIDATION)
        venues = events["venue"][forced]
        kept = np.ones(len(events), np.bool_)
        for venue in np.unique(venues).tolist():
            places = forced[venues == venue]
            kept[places] = self._are_new(venue, events[places], connections[places])
        return events if kept.all() else events[kept]

    def _are_new(self, venue: int, rows: Records, connections: Numbers) -> npt.NDArray[np.bool_]:
        tail, tail_connections = self._tails.get(
            venue, (np.empty(0, event_dtype), np.empty(0, np.int32))
        )
        rows = np.concatenate((tail, rows))
        connections = np.concatenate((tail_connections, connections))
        new = np.ones(len(rows), np.bool_)
        changes = np.flatnonzero(connections[1:] != connections[:-1])
        received = rows["received_ns"]
        if len(changes):
            _mark(rows, connections, new, changes)
        recent = received > received[-1] - _BACK_NS
        self._tails[venue] = (rows[recent], connections[recent])
        return new[len(tail) :]


def _mark(
    rows: Records,
    connections: Numbers,
    new: npt.NDArray[np.bool_],
    changes: npt.NDArray[np.int64],
) -> None:
    """Mark the repeats around the changes from one connection to another, in place."""
    received = rows["received_ns"]
    start = int(np.searchsorted(received, received[changes[0]] - _BACK_NS))
    end = int(np.searchsorted(received, received[changes[-1] + 1] + _BACK_NS))
    repeats = Repeats()
    for place in range(start, end):
        received_ns, event_ns, coins, usd, row, _, position, _, _ = rows[place].item()
        key = (str(row), str(position), event_ns, coins, usd)
        new[place] = not repeats.is_repeat(key, int(connections[place]), received_ns)
