"""The outbox against a slow, obvious model of it, in any order of its operations."""

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.publish.outbox import AlertEntry, Outbox, StateEntry

MOST_ALERTS = 4
MOST_STATES = 3
MOST_BYTES = 60


class OutboxMachine(RuleBasedStateMachine):
    """Every operation on the outbox and on plain lists, compared after each."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(MOST_ALERTS, MOST_STATES, MOST_BYTES)
        self.now_ns = 1
        self.alerts: list[AlertEntry] = []
        self.out: list[str] = []
        self.states: list[tuple[str, bytes]] = []
        self.due: list[str] = []
        self.dropped = {"alert": 0, "expired": 0, "state": 0}

    def room(self) -> int:
        """Bytes left."""
        held = [entry.payload for entry in self.alerts] + [payload for _t, payload in self.states]
        return MOST_BYTES - sum(map(len, held))

    def forget_state(self, topic: str) -> None:
        """Take a state out of the model."""
        self.states = [(t, p) for t, p in self.states if t != topic]
        self.due = [t for t in self.due if t != topic]

    def remove_alert(self, entry_id: str) -> None:
        """Take an alert out of the model."""
        self.alerts = [entry for entry in self.alerts if entry.id != entry_id]
        self.out = [i for i in self.out if i != entry_id]

    @rule(number=st.integers(0, 30), size=st.integers(0, 70), lives=st.integers(0, 3))
    def put_alert(self, number: int, size: int, lives: int) -> None:
        """An alert: room is made of states first, then of the oldest alert that waits."""
        expires_ns = self.now_ns + lives if lives else 0
        entry = AlertEntry(str(number), "t", b"a" * size, expires_ns)
        accepted = self.outbox.put_alert(entry)
        if any(e.id == entry.id for e in self.alerts):
            assert not accepted
            return
        if size <= MOST_BYTES:
            while self.states and self.room() < size:
                self.forget_state(self.states[-1][0])
                self.dropped["state"] += 1
            while self.room() < size or len(self.alerts) >= MOST_ALERTS:
                waiting = [e.id for e in self.alerts if e.id not in self.out]
                if not waiting:
                    break
                self.remove_alert(waiting[0])
                self.dropped["alert"] += 1
        fits = self.room() >= size and len(self.alerts) < MOST_ALERTS
        assert accepted == fits
        if fits:
            self.alerts.append(entry)
        else:
            self.dropped["alert"] += 1

    @rule(number=st.integers(0, 4), size=st.integers(0, 70))
    def put_state(self, number: int, size: int) -> None:
        """A state: the newest of its topic, or nothing of its topic if there is no room."""
        topic, payload = f"s{number}", b"s" * size
        accepted = self.outbox.put_state(topic, payload)
        place = next((n for n, (t, _p) in enumerate(self.states) if t == topic), None)
        own = len(self.states[place][1]) if place is not None else 0
        if self.room() + own < size or (place is None and len(self.states) >= MOST_STATES):
            assert not accepted
            self.forget_state(topic)
            self.dropped["state"] += 1
            return
        assert accepted
        if place is None:
            self.states.append((topic, payload))
        else:
            self.states[place] = (topic, payload)
        if topic not in self.due:
            self.due.append(topic)

    @rule(most=st.integers(0, 5))
    def take_alerts(self, most: int) -> None:
        """Alerts come oldest first, none twice, none that has expired."""
        expected: list[AlertEntry] = []
        for entry in list(self.alerts):
            if len(expected) == most:
                break
            if entry.id in self.out:
                continue
            if entry.expires_ns and entry.expires_ns <= self.now_ns:
                self.remove_alert(entry.id)
                self.dropped["expired"] += 1
            else:
                expected.append(entry)
        self.out += [entry.id for entry in expected]
        assert self.outbox.take_alerts(most, self.now_ns) == expected

    @rule(most=st.integers(0, 5))
    def take_states(self, most: int) -> None:
        """States come in the order in which they became due, with their newest payload."""
        newest = dict(self.states)
        expected = [StateEntry(topic, newest[topic]) for topic in self.due[:most]]
        self.due = self.due[most:]
        assert self.outbox.take_states(most) == expected

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def ack(self, data: st.DataObject) -> None:
        """An acknowledged alert is gone."""
        entry_id = data.draw(st.sampled_from(self.out))
        self.outbox.ack_alert(entry_id)
        self.remove_alert(entry_id)

    @rule()
    def ack_of_nothing(self) -> None:
        """An acknowledgement of what is not here changes nothing."""
        self.outbox.ack_alert("never queued")

    @rule()
    def requeue(self) -> None:
        """After a loss everything waits again, alerts in their old order."""
        self.outbox.requeue()
        self.out = []
        self.due = [topic for topic, _payload in self.states]

    @rule(passed=st.integers(1, 2))
    def time_passes(self, passed: int) -> None:
        """Time goes on."""
        self.now_ns += passed

    @rule()
    def restart(self) -> None:
        """A new outbox from the snapshot's bytes has the same alerts, and no states."""
        saved = msgspec.json.encode(self.outbox.pending())
        self.outbox = Outbox(MOST_ALERTS, MOST_STATES, MOST_BYTES)
        self.outbox.restore(msgspec.json.decode(saved, type=list[AlertEntry]))
        self.out, self.states, self.due = [], [], []
        self.dropped = dict.fromkeys(self.dropped, 0)

    @invariant()
    def agrees(self) -> None:
        """Contents, counts and bounds are those of the model."""
        assert self.outbox.pending() == self.alerts
        assert self.outbox.alerts == len(self.alerts) <= MOST_ALERTS
        assert self.outbox.states == len(self.due) <= MOST_STATES
        assert self.outbox.size_bytes == MOST_BYTES - self.room() <= MOST_BYTES
        assert self.outbox.dropped == self.dropped


OutboxMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestOutbox = OutboxMachine.TestCase


def test_a_restored_alert_has_no_time_of_decision() -> None:
    """The performance counter of another process means nothing here."""
    outbox = Outbox(2, 2)
    outbox.restore([AlertEntry("a", "t", b"{}", 5, 12345)])
    assert outbox.pending() == [AlertEntry("a", "t", b"{}", 5, 0)]


def test_alerts_outlast_states_in_a_full_outbox() -> None:
    """Room for an alert is made of state updates before any alert is dropped."""
    outbox = Outbox(10, 10, most_bytes=100)
    for n in range(4):
        outbox.put_alert(AlertEntry(str(n), "t", b"x" * 20))
    outbox.put_state("s", b"x" * 20)
    assert outbox.put_alert(AlertEntry("4", "t", b"x" * 20))
    assert [entry.id for entry in outbox.pending()] == ["0", "1", "2", "3", "4"]
    assert outbox.take_states(5) == []
    assert outbox.dropped == {"alert": 0, "expired": 0, "state": 1}
    assert outbox.put_alert(AlertEntry("5", "t", b"x" * 20))
    assert [entry.id for entry in outbox.pending()] == ["1", "2", "3", "4", "5"]
    assert outbox.dropped == {"alert": 1, "expired": 0, "state": 1}
