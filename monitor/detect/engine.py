"""The engine: takes the log entry by entry and gives verdicts. Pure: same log, same verdicts.

`advance` ends every second that is due before an entry is taken, so slow verdicts fall on
second boundaries of the market clock, whoever calls: a frame, an answer, a fact or the
daemon's timer. Events wait in a batch for the kernel; when the batch runs changes no verdict.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from kernels import context, dtypes, flow, pool
from monitor.detect.arrays import BATCH, Arrays
from monitor.detect.feeds import Feeds, Stream
from monitor.detect.intake import Connection, Intake, Source
from monitor.detect.judge import Judge
from monitor.detect.scale import SAMPLE_S, Scales
from monitor.detect.tally import Tally
from monitor.detect.verdict import Verdict
from monitor.detect.watch import Watch
from monitor.events import (
    OVERSIZED,
    Answer,
    Completeness,
    Fact,
    FactKind,
    Outcome,
)
from monitor.instruments import InstrumentTable
from monitor.parameters import Parameters
from monitor.venues.contract import Venue

NS: Final = 1_000_000_000
# A pause longer than this is not lived through second by second.
CATCH_UP_S: Final = 7200
_USEFUL: Final = Outcome.USEFUL
_NOTHING: Final = Outcome.NOTHING
_DAMAGED: Final = Outcome.DAMAGED


class Engine:
    """The detector as a whole, behind the three doors of the log."""

    def __init__(
        self,
        venues: Sequence[Venue],
        assets: tuple[str, ...],
        parameters: Parameters,
        *,
        batch: int = BATCH,
    ) -> None:
        liquidating = [v for v in venues if v.completeness is not Completeness.NONE]
        self.venues: Mapping[str, Venue] = {venue.name: venue for venue in venues}
        self.parameters = parameters
        self.tables = {venue.name: InstrumentTable(venue.name) for venue in venues}
        self.arrays = Arrays(len(assets), max(1, len(liquidating)), parameters)
        self.watch = Watch(assets, tuple(v.name for v in liquidating), self.arrays)
        self.scales = Scales(len(assets) + 1, parameters)
        self.feeds = Feeds()
        self.tally = Tally()
        self.judge = Judge(
            self.watch,
            self.arrays,
            self.scales,
            parameters,
            {v.name: v.completeness for v in liquidating},
        )
        self.intake = Intake(self.arrays, self.watch, self.tally, self.tables, self.flush, batch)
        self.connections: dict[int, Connection] = {}
        self.second = 0  # the second that runs; 0 before the first entry
        self.missing: tuple[str, ...] = ()  # streams that should flow and do not
        self._boundary_ns = 0
        self._take = self.intake.take

    # The doors of the log.

    def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
        """Take a frame of an open connection; says what it was good for."""
        if received_ns >= self._boundary_ns:
            self.advance(received_ns)
        opened = self.connections[connection]
        stream = opened.stream
        stream.frames += 1
        outcome = _NOTHING
        for event in opened.read(data, received_ns):
            found = self._take[type(event)](event, opened)
            if found > outcome:
                outcome = found
            elif found is _DAMAGED:
                self.tally.keep(opened.venue, received_ns, data)
        if outcome is _USEFUL:
            stream.last_useful_ns = received_ns
        return outcome

    def answer(self, answer: Answer) -> None:
        """Take a REST answer, or its absence."""
        self.advance(answer.received_ns)
        if answer.status != 200:  # noqa: PLR2004 - HTTP's word for fine
            self.tally.failed_answer(answer.venue, answer.status)
            return
        venue, table = self.venues[answer.venue], self.tables[answer.venue]
        source = Source(0, venue.name, Stream(venue.name, "rest"), 0)
        for event in venue.answer(answer.poll, answer.key, answer.body, answer.received_ns, table):
            self._take[type(event)](event, source)

    def fact(self, fact: Fact) -> None:
        """Take a session fact; what waits was received while the old facts held."""
        self.advance(fact.received_ns)
        self.flush()
        self._take_fact(fact)
        self.missing = self.feeds.missing(fact.received_ns)

    def _take_fact(self, fact: Fact) -> None:
        if fact.kind is FactKind.STARTED:
            self.connections.clear()
            for known in self.feeds.streams.values():
                known.open.clear()
            for repeats in self.intake.repeats.values():
                repeats.restart()
            return
        if fact.connection == 0:
            return
        stream = self.feeds.take(fact)
        if fact.kind is FactKind.CONNECTED:
            self.open(fact.connection, fact.venue, fact.session, fact.received_ns, stream)
        elif fact.kind is FactKind.DISCONNECTED:
            self.connections.pop(fact.connection, None)
            if fact.detail.startswith(OVERSIZED):
                self.tally.damaged(fact.venue, OVERSIZED)
                stream.malformed += 1

    def open(
        self, number: int, venue: str, session: str, opened_ns: int, stream: Stream
    ) -> Connection:
        """Give a new connection its Reader."""
        reader = self.venues[venue].reader(session, self.tables[venue], opened_ns)
        connection = Connection(number, venue, stream, opened_ns, reader)
        self.connections[number] = connection
        return connection

    # Time.

    def advance(self, now_ns: int) -> None:
        """End every second that is due at a market time."""
        if self.second == 0:
            self.start(now_ns // NS)
        if now_ns // NS - self.second > CATCH_UP_S:
            self._jump(now_ns // NS)
        while now_ns >= self._boundary_ns:
            self._close_second()

    def start(self, second: int) -> None:
        """Make `second` the one that runs, for the first time."""
        self.second = second
        self._boundary_ns = (second + 1) * NS

    def flush(self) -> None:
        """Run the kernel over the waiting events and judge the crossings it found."""
        waiting, self.intake.waiting = self.intake.waiting, 0
        if waiting == 0:
            return
        a = self.arrays
        taken = 0
        while taken < waiting:
            taken = 1 + flow.ingest(
                a.batch,
                taken,
                waiting,
                self.second,
                a.contracts,
                a.assets,
                a.pressure,
                a.seconds,
                a.minutes,
                a.sums,
                a.limits,
            )
            if taken <= waiting:
                self.cross(a.batch[taken - 1])

    def cross(self, order: np.void) -> int:
        """Judge an order that lifted its bucket through a tier; says whose, the ladder's row."""
        row = int(self.arrays.contracts["asset"][order["row"]])
        ladder = 2 * row + int(order["position"])
        self.judge.crossing(
            ladder,
            int(order["event_ns"]),
            int(order["received_ns"]),
            self.missing,
            self.second,
        )
        return ladder

    def drain(self) -> list[Verdict]:
        """Verdicts since the last call, in order."""
        said, self.judge.verdicts = self.judge.verdicts, []
        return said

    @property
    def waiting(self) -> int:
        """Events that wait for the kernel."""
        return self.intake.waiting

    def _close_second(self) -> None:
        self.flush()
        second, a = self.second, self.arrays
        flow.close_second(second, a.assets, a.pressure, a.shares, a.limits)
        context.close_second(
            second,
            a.contracts,
            a.listed,
            a.books,
            a.prices,
            a.interests,
            a.takers,
            *a.room,
        )
        pool.close_second(
            second,
            a.assets,
            a.pressure,
            a.shares,
            a.prices,
            a.interests,
            a.takers,
            a.members,
            a.parts,
            a.limits,
            a.breadth,
            a.room[0],
        )
        if (second + 1) % SAMPLE_S == 0:
            self._sample_scales()
        if (second + 1) % 3600 == 0:
            self.scales.age_hour()
        self.missing = self.feeds.missing(self._boundary_ns)
        self.judge.close_second(second, self.missing)
        self.second += 1
        self._boundary_ns += NS
        flow.roll(self.second, a.seconds, a.minutes, a.sums)

    def _sample_scales(self) -> None:
        """Sample every asset's 60-s share and renew the scales that no episode holds.

        While no stream of forced orders flows, and for assets whose open interest is not
        known, nothing was observed: no sample, rather than a sample of zero.
        """
        if any(
            stream.venue in self.watch.venues and stream.flowing(self._boundary_ns)
            for stream in self.feeds.streams.values()
        ):
            self.scales.renew(self.arrays.assets, self.arrays.pressure)

    def _jump(self, second: int) -> None:
        """Pass over a long pause: totals are rolled, open episodes end, the moment is lost."""
        self.flush()
        a = self.arrays
        self.judge.interrupt(second * NS, self.feeds.missing(second * NS), self.second)
        if second - self.second > dtypes.WINDOWS_S[-1]:
            for records in (a.seconds, a.minutes, a.sums):
                records.fill(0)
        else:
            for passed in range(self.second + 1, second + 1):
                flow.roll(passed, a.seconds, a.minutes, a.sums)
        a.forget_moment()
        self.start(second)
