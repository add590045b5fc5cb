"""The one order: everything that comes in passes here, is stamped, recorded, and handed on.

Frames, REST answers and session facts of all venues form a single log. Its stamps are market
time and never go back, so what is decided from it can be decided again from a recording.
"""

from typing import Protocol

from monitor.clock import MarketClock
from monitor.collect.recorder import Recorder
from monitor.events import Answer, Fact, FactKind, Outcome


class Core(Protocol):
    """What the log is handed to, in its order; the detector's engine."""

    def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
        """Take one frame of a connection; what it was good for."""

    def answer(self, answer: Answer) -> None:
        """Take one REST answer, or its absence."""

    def fact(self, fact: Fact) -> None:
        """Take one session fact."""


class Log:
    """Stamps each entry, records it, hands it to the core: in this order, without waiting.

    Connection 0 is the daemon itself; sockets are numbered from 1.
    """

    def __init__(self, clock: MarketClock, core: Core, recorder: Recorder | None) -> None:
        self._clock_ns = clock.now_ns
        self._core = core
        self._core_frame = core.frame
        self._recorder = recorder
        self._last_ns = 0
        self._connections = 0

    def now_ns(self) -> int:
        """The stamp that an entry would get now; never before one already given."""
        now_ns = self._clock_ns()
        if now_ns > self._last_ns:
            self._last_ns = now_ns
            return now_ns
        return self._last_ns

    def new_connection(self) -> int:
        """The number of the next connection."""
        self._connections += 1
        return self._connections

    def frame(self, connection: int, data: bytes) -> Outcome:
        """Enter one frame; what it was good for.

        This runs for every frame of every venue, so the stamp is taken in place.
        """
        now_ns = self._clock_ns()
        if now_ns > self._last_ns:
            self._last_ns = now_ns
        else:
            now_ns = self._last_ns
        if self._recorder is not None:
            self._recorder.frame(now_ns, connection, data)
        return self._core_frame(connection, now_ns, data)

    def fact(
        self, connection: int, venue: str, session: str, kind: FactKind, detail: str = ""
    ) -> Fact:
        """Enter one session fact."""
        fact = Fact(self.now_ns(), connection, venue, session, kind, detail)
        if self._recorder is not None:
            self._recorder.fact(fact)
        self._core.fact(fact)
        return fact

    def answer(self, venue: str, poll: str, key: str, status: int, body: bytes) -> Answer:
        """Enter one REST answer; status 0 is none, and `body` then says why."""
        answer = Answer(self.now_ns(), venue, poll, key, status, body)
        if self._recorder is not None:
            self._recorder.answer(answer)
        self._core.answer(answer)
        return answer
