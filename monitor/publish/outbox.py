"""What still has to go out: alerts wait here until the broker has acknowledged them.

Alerts keep their order and leave only when they are acknowledged, have expired, or must make
room for a newer one in a full outbox. States are one per topic, the newest; they stay known
after their acknowledgement, because everything retained is published again on a new connection.
The whole is bounded in entries and in bytes: state updates go first, alerts last, and every
drop is counted by its class. A state needs no acknowledgement of its own: if publishing it
fails, the connection is given up and `requeue` makes every state due again. Pure: no socket,
no clock; ONE publisher task takes from it.
"""

from collections.abc import Iterable

import msgspec

MOST_BYTES = 64 * 1024 * 1024

ALERT = "alert"  # an alert went to make room, or found none
EXPIRED = "expired"  # an alert was still here when its time was over
STATE = "state"  # a state update went to make room, or found none


class AlertEntry(msgspec.Struct, frozen=True):
    """An alert on its way.

    Attributes:
        id: The alert's id; an id that is already waiting is not taken twice.
        topic: Where it goes.
        payload: Its bytes.
        expires_ns: Wall time (Unix nanoseconds) after which nobody wants it; 0 for never.
        decided_ns: Reading of the performance counter at the frame or timer that decided it;
            0 where that is not known (an alert restored from a snapshot).
    """

    id: str
    topic: str
    payload: bytes
    expires_ns: int = 0
    decided_ns: int = 0


class StateEntry(msgspec.Struct, frozen=True):
    """The newest state of a topic."""

    topic: str
    payload: bytes


class Outbox:
    """Bounded, ordered, and emptied by acknowledgement only.

    Attributes:
        size_bytes: Bytes of all payloads held.
        dropped: Drops since the start by class: `alert`, `expired`, `state`.
    """

    def __init__(self, alerts: int, states: int, most_bytes: int = MOST_BYTES) -> None:
        self.size_bytes = 0
        self.dropped = {ALERT: 0, EXPIRED: 0, STATE: 0}
        self._most_alerts = alerts
        self._most_states = states
        self._most_bytes = most_bytes
        self._alerts: dict[str, AlertEntry] = {}  # by id, in order of arrival
        self._alerts_out: set[str] = set()  # ids handed to the publisher
        self._states: dict[str, bytes] = {}  # newest payload by topic, first known first
        self._states_due: dict[str, None] = {}  # topics to publish, in order

    @property
    def alerts(self) -> int:
        """Alerts not acknowledged yet."""
        return len(self._alerts)

    @property
    def states(self) -> int:
        """State updates not handed to the publisher yet."""
        return len(self._states_due)

    def put_alert(self, entry: AlertEntry) -> bool:
        """Queue an alert; False if it was here already or found no room."""
        if entry.id in self._alerts:
            return False
        if not self._room_for_alert(len(entry.payload)):
            self.dropped[ALERT] += 1
            return False
        self._alerts[entry.id] = entry
        self.size_bytes += len(entry.payload)
        return True

    def put_state(self, topic: str, payload: bytes) -> bool:
        """Make this the state of a topic; False if it found no room."""
        others_bytes = self.size_bytes - len(self._states.get(topic, b""))
        known = len(self._states) + (topic not in self._states)
        if known > self._most_states or others_bytes + len(payload) > self._most_bytes:
            self._forget_state(topic)
            self.dropped[STATE] += 1
            return False
        self._states[topic] = payload
        self._states_due[topic] = None
        self.size_bytes = others_bytes + len(payload)
        return True

    def take_alerts(self, most: int, now_ns: int) -> list[AlertEntry]:
        """The next alerts to publish, oldest first; those expired by `now_ns` are dropped."""
        taken: list[AlertEntry] = []
        expired: list[str] = []
        for entry in self._alerts.values():
            if len(taken) == most:
                break
            if entry.id in self._alerts_out:
                continue
            if 0 < entry.expires_ns <= now_ns:
                expired.append(entry.id)
            else:
                taken.append(entry)
        for entry_id in expired:
            self._remove_alert(entry_id)
            self.dropped[EXPIRED] += 1
        self._alerts_out.update(entry.id for entry in taken)
        return taken

    def take_states(self, most: int) -> list[StateEntry]:
        """The next state updates to publish."""
        topics = list(self._states_due)[:most]
        for topic in topics:
            del self._states_due[topic]
        return [StateEntry(topic, self._states[topic]) for topic in topics]

    def ack_alert(self, entry_id: str) -> None:
        """The broker has this alert: forget it."""
        if entry_id in self._alerts:
            self._remove_alert(entry_id)

    def requeue(self) -> None:
        """The connection is gone: what was handed out and not acknowledged waits again.

        Alerts keep their place; every known state is due again, since a broker that was
        away may have lost what it retained.
        """
        self._alerts_out.clear()
        self._states_due = dict.fromkeys(self._states)

    def pending(self) -> list[AlertEntry]:
        """Every alert not acknowledged yet, oldest first: this goes into the snapshot."""
        return list(self._alerts.values())

    def restore(self, entries: Iterable[AlertEntry]) -> None:
        """Put back what a snapshot held; to be called before the first alert."""
        for entry in entries:
            self.put_alert(msgspec.structs.replace(entry, decided_ns=0))

    def _room_for_alert(self, size: int) -> bool:
        """Make room: first states, then the oldest alerts not on their way."""
        if size > self._most_bytes or self._most_alerts < 1:
            return False
        while self._states and self.size_bytes + size > self._most_bytes:
            self._forget_state(next(reversed(self._states)))
            self.dropped[STATE] += 1
        while len(self._alerts) >= self._most_alerts or self.size_bytes + size > self._most_bytes:
            oldest = next((i for i in self._alerts if i not in self._alerts_out), None)
            if oldest is None:
                return False
            self._remove_alert(oldest)
            self.dropped[ALERT] += 1
        return True

    def _remove_alert(self, entry_id: str) -> None:
        self.size_bytes -= len(self._alerts.pop(entry_id).payload)
        self._alerts_out.discard(entry_id)

    def _forget_state(self, topic: str) -> None:
        self.size_bytes -= len(self._states.pop(topic, b""))
        self._states_due.pop(topic, None)
