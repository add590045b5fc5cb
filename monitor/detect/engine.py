"""The engine: takes the log entry by entry and gives verdicts. Pure: same log, same verdicts.

`advance` ends every second that is due before an entry is taken, so slow verdicts fall on
second boundaries of the market clock, whoever calls: a frame, an answer, a fact or the
daemon's timer. Events wait in a batch for the kernel; when the batch runs changes no verdict.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from struct import Struct
from typing import Final

import numpy as np

from kernels import context, dtypes, flow
from monitor.detect.arrays import BATCH, Arrays
from monitor.detect.depth import band_depth
from monitor.detect.feeds import Feeds, Stream
from monitor.detect.judge import Judge
from monitor.detect.repeats import Repeats
from monitor.detect.scale import SAMPLE_S, Scales
from monitor.detect.tally import Tally
from monitor.detect.verdict import Verdict
from monitor.detect.watch import OFF_LIST, Watch
from monitor.events import (
    OVERSIZED,
    Answer,
    Book,
    BookTop,
    Completeness,
    Fact,
    FactKind,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Outcome,
    Position,
    Trade,
    Unused,
)
from monitor.instruments import InstrumentTable, Unit
from monitor.parameters import Parameters
from monitor.venues.contract import Reader, Venue

NS: Final = 1_000_000_000
# A pause longer than this is not lived through second by second.
CATCH_UP_S: Final = 7200
# An order from before its connection, less what clocks may differ by, is history.
BEFORE_NS: Final = 5 * NS
_pack: Final = Struct(dtypes.EVENT_FORMAT).pack_into
_SIZE: Final = dtypes.event_dtype.itemsize
_BOOK_TOP: Final = dtypes.BOOK_TOP
_TRADE: Final = dtypes.TRADE
_OUTCOMES: Final = {
    Unused.ACKNOWLEDGED: Outcome.ACKNOWLEDGED,
    Unused.REFUSED: Outcome.REFUSED,
    Unused.RESTART_NOTICE: Outcome.RESTART,
}


_USEFUL: Final = Outcome.USEFUL
_NOTHING: Final = Outcome.NOTHING
_DAMAGED: Final = Outcome.DAMAGED


class Source:
    """Where an event came from: a connection, or a REST answer (number 0)."""

    __slots__ = ("number", "opened_ns", "stream", "venue")

    def __init__(self, number: int, venue: str, stream: Stream, opened_ns: int) -> None:
        self.number = number
        self.venue = venue
        self.stream = stream
        self.opened_ns = opened_ns


class Connection(Source):
    """One open connection and its Reader."""

    __slots__ = ("read", "reader", "session")

    def __init__(
        self, number: int, venue: str, stream: Stream, opened_ns: int, reader: Reader
    ) -> None:
        super().__init__(number, venue, stream, opened_ns)
        self.session = stream.session
        self.reader = reader
        self.read = reader.read


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
        self.scales = Scales(len(assets), parameters)
        self.feeds = Feeds()
        self.tally = Tally()
        self.repeats: dict[str, Repeats] = {venue.name: Repeats() for venue in venues}
        self.judge = Judge(
            self.watch,
            self.arrays,
            self.scales,
            parameters,
            {v.name: v.completeness for v in liquidating},
        )
        self.connections: dict[int, Connection] = {}
        self.funding: dict[int, Funding] = {}
        self.second = 0  # the second that runs; 0 before the first entry
        self._boundary_ns = 0
        self._limit = batch
        self._waiting = 0
        self._buffer = self.arrays.batch.view(np.uint8).data
        self.missing: tuple[str, ...] = ()  # streams that should flow and do not
        self._row = self.watch.row
        self._take: dict[type, Callable[..., Outcome]] = {
            BookTop: self._book_top,
            Trade: self._trade,
            Mark: self._mark,
            Liquidation: self._liquidation,
            OpenInterest: self._open_interest,
            Book: self._book,
            Funding: self._funding,
            NotUsed: self._not_used,
            Malformed: self._malformed,
            Listing: self._listing,
        }

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
            for repeats in self.repeats.values():
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
        waiting, self._waiting = self._waiting, 0
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
                event = a.batch[taken - 1]
                ladder = 2 * int(a.contracts["asset"][event["row"]]) + int(event["position"])
                self.judge.crossing(
                    ladder,
                    int(event["event_ns"]),
                    int(event["received_ns"]),
                    self.missing,
                    self.second,
                )

    def drain(self) -> list[Verdict]:
        """Verdicts since the last call, in order."""
        said, self.judge.verdicts = self.judge.verdicts, []
        return said

    @property
    def waiting(self) -> int:
        """Events that wait for the kernel."""
        return self._waiting

    def _close_second(self) -> None:
        self.flush()
        second, a = self.second, self.arrays
        flow.close_second(second, a.assets, a.pressure, a.shares, a.limits)
        context.close_second(
            second,
            a.contracts,
            a.assets,
            a.books,
            a.prices,
            a.interests,
            a.takers,
            *a.room,
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
        watched = len(self.watch.assets)
        if not any(
            stream.venue in self.watch.venues and stream.flowing(self._boundary_ns)
            for stream in self.feeds.streams.values()
        ):
            return
        shares = self.arrays.pressure["share_60s"][: 2 * watched].reshape(watched, 2).copy()
        assets = self.arrays.assets
        for asset in range(watched):
            if not assets["interest"][asset] > 0.0:
                shares[asset] = math.nan
        self.scales.sample(shares)
        for asset in range(watched):
            if not assets["frozen"][asset]:
                assets["scale"][asset] = self.scales.scale(asset)

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

    # Events.

    def _append(
        self,
        received_ns: int,
        event_ns: int,
        a: float,
        b: float,
        row: int,
        kind: int,
        position: int = 0,
        venue: int = 0,
        counts: int = 1,
    ) -> None:
        _pack(
            self._buffer,
            self._waiting * _SIZE,
            received_ns,
            event_ns,
            a,
            b,
            row,
            kind,
            position,
            venue,
            counts,
        )
        self._waiting += 1
        if self._waiting >= self._limit:
            self.flush()

    # Book tops and trades are nine in ten of all events: what `_append` does stands in place.

    def _book_top(self, event: BookTop, source: Source) -> Outcome:
        source.stream.book_tops += 1
        instrument = event.instrument
        row = self._row(instrument)
        if row >= 0:
            scale = instrument.multiplier
            waiting = self._waiting
            _pack(
                self._buffer,
                waiting * _SIZE,
                event.received_ns,
                event.event_ns,
                event.bid_price / scale,
                event.ask_price / scale,
                row,
                _BOOK_TOP,
                0,
                0,
                1,
            )
            self._waiting = waiting + 1
            if waiting + 1 >= self._limit:
                self.flush()
        return _USEFUL

    def _trade(self, event: Trade, source: Source) -> Outcome:
        source.stream.trades += 1
        instrument = event.instrument
        row = self._row(instrument)
        if row >= 0:
            waiting = self._waiting
            coins = event.quantity_base
            _pack(
                self._buffer,
                waiting * _SIZE,
                event.received_ns,
                event.event_ns,
                coins if event.taker_bought else -coins,
                event.price / instrument.multiplier,
                row,
                _TRADE,
                0,
                0,
                1,
            )
            self._waiting = waiting + 1
            if waiting + 1 >= self._limit:
                self.flush()
        return _USEFUL

    def _mark(self, event: Mark, source: Source) -> Outcome:
        self.tally.count(source.venue, "mark")
        row = self._row(event.instrument)
        if row != OFF_LIST and event.mark_price > 0.0:
            scale = event.instrument.multiplier
            self._append(
                event.received_ns,
                event.event_ns,
                event.mark_price / scale,
                event.index_price / scale,
                row,
                dtypes.MARK,
            )
        return _USEFUL

    def _open_interest(self, event: OpenInterest, source: Source) -> Outcome:
        self.tally.count(source.venue, "open_interest")
        instrument = event.instrument
        row = self._row(instrument)
        coins, usd = event.open_interest_base, math.nan
        if math.isnan(coins) and instrument.unit is Unit.QUOTE:
            usd = event.open_interest * instrument.contract_size
        if row != OFF_LIST and (coins > 0.0 or usd > 0.0):
            self._append(event.received_ns, event.event_ns, coins, usd, row, dtypes.OPEN_INTEREST)
        return _USEFUL

    def _liquidation(self, event: Liquidation, source: Source) -> Outcome:
        instrument = event.instrument
        key = (
            instrument.symbol,
            event.position.value,
            event.event_ns,
            event.quantity,
            # A price that is not known equals itself here, as NaN does not.
            0.0 if math.isnan(event.price) else event.price,
        )
        if self.repeats[source.venue].is_repeat(key, source.number, event.received_ns):
            self.tally.drop("repeat")
            return _USEFUL
        row = self._row(instrument)
        asset = instrument.asset if row != OFF_LIST else "other"
        self.tally.liquidation(source.venue, asset, event.notional_usd)
        if not instrument.known:
            self.tally.unknown.add((source.venue, instrument.symbol))
        self._append(
            event.received_ns,
            event.event_ns,
            event.quantity_base,
            event.notional_usd,
            row,
            dtypes.LIQUIDATION,
            dtypes.LONG if event.position is Position.LONG else dtypes.SHORT,
            self.watch.venue_row(source.venue),
            int(event.event_ns >= source.opened_ns - BEFORE_NS),
        )
        return _USEFUL

    def _book(self, event: Book, source: Source) -> Outcome:
        self.tally.count(source.venue, "book")
        row = self._row(event.instrument)
        if row != OFF_LIST:
            depths = band_depth(event)
            self.tally.depth[row] = depths
            books = self.arrays.books[row]
            for band, (bid_usd, ask_usd) in enumerate(depths):
                books["usd"][band] = bid_usd + ask_usd
                books["book_ns"][band] = event.received_ns
        return _USEFUL

    def _funding(self, event: Funding, source: Source) -> Outcome:
        self.tally.count(source.venue, "funding")
        row = self._row(event.instrument)
        if row != OFF_LIST:
            self.funding[row] = event
        return _USEFUL

    def _listing(self, event: Listing, source: Source) -> Outcome:
        self.tally.count(source.venue, "listing")
        table = self.tables[event.venue]
        table.replace(event.product, event.instruments)
        # Rows change between batches only, so that a batch never speaks of two contracts.
        self.flush()
        self.watch.renew(table)
        return _USEFUL

    def _not_used(self, event: NotUsed, source: Source) -> Outcome:
        self.tally.unused(source.venue, event.reason)
        return _OUTCOMES.get(event.reason, _NOTHING)

    def _malformed(self, event: Malformed, source: Source) -> Outcome:
        self.tally.damaged(source.venue, event.reason)
        source.stream.malformed += 1
        return _DAMAGED
