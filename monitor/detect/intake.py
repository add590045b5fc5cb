"""Intake: events become rows of the batch that the kernel takes, and tallies for people.

Here an event's instrument turns into a row, its prices into US dollars per coin, and repeats
are left out. Nothing is decided here.
"""

import math
from collections.abc import Callable
from struct import Struct
from typing import Final

import numpy as np

from kernels import dtypes
from monitor.detect.arrays import Arrays
from monitor.detect.depth import band_depth
from monitor.detect.feeds import Stream
from monitor.detect.repeats import Repeats
from monitor.detect.tally import Tally
from monitor.detect.watch import OFF_LIST, Watch
from monitor.events import (
    Book,
    BookTop,
    Event,
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
from monitor.venues.contract import Reader

NS: Final = 1_000_000_000
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


class Intake:
    """Takes events one by one; `flush` is called when the batch is full.

    Attributes:
        waiting: Rows of the batch that the kernel has not taken yet.
        take: How to take an event, by its type; says what it was good for.
        funding: Last funding by contract row.
        repeats: What each venue's connections have delivered lately.
    """

    def __init__(
        self,
        arrays: Arrays,
        watch: Watch,
        tally: Tally,
        tables: dict[str, InstrumentTable],
        flush: Callable[[], None],
        limit: int,
    ) -> None:
        self.waiting = 0
        self.funding: dict[int, Funding] = {}
        self.repeats: dict[str, Repeats] = {venue: Repeats() for venue in tables}
        self.take: dict[type[Event], Callable[..., Outcome]] = {
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
        self._arrays = arrays
        self._watch = watch
        self._tally = tally
        self._tables = tables
        self._flush = flush
        self._limit = limit
        self._buffer = arrays.batch.view(np.uint8).data
        self._row = watch.row

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
            self.waiting * _SIZE,
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
        self.waiting += 1
        if self.waiting >= self._limit:
            self._flush()

    # Book tops and trades are nine in ten of all events: what `_append` does stands in place.

    def _book_top(self, event: BookTop, source: Source) -> Outcome:
        source.stream.book_tops += 1
        instrument = event.instrument
        row = self._row(instrument)
        if row >= 0:
            scale = instrument.multiplier
            waiting = self.waiting
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
            self.waiting = waiting + 1
            if waiting + 1 >= self._limit:
                self._flush()
        return _USEFUL

    def _trade(self, event: Trade, source: Source) -> Outcome:
        source.stream.trades += 1
        instrument = event.instrument
        row = self._row(instrument)
        if row >= 0:
            waiting = self.waiting
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
            self.waiting = waiting + 1
            if waiting + 1 >= self._limit:
                self._flush()
        return _USEFUL

    def _mark(self, event: Mark, source: Source) -> Outcome:
        self._tally.count(source.venue, "mark")
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
        self._tally.count(source.venue, "open_interest")
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
            self._tally.drop("repeat")
            return _USEFUL
        row = self._row(instrument)
        asset = instrument.asset if row != OFF_LIST else "other"
        self._tally.liquidation(source.venue, asset, event.notional_usd)
        if not instrument.known:
            self._tally.unknown.add((source.venue, instrument.symbol))
        self._append(
            event.received_ns,
            event.event_ns,
            event.quantity_base,
            event.notional_usd,
            row,
            dtypes.LIQUIDATION,
            dtypes.LONG if event.position is Position.LONG else dtypes.SHORT,
            self._watch.venue_row(source.venue),
            int(event.event_ns >= source.opened_ns - BEFORE_NS),
        )
        return _USEFUL

    def _book(self, event: Book, source: Source) -> Outcome:
        self._tally.count(source.venue, "book")
        row = self._row(event.instrument)
        if row != OFF_LIST:
            depths = band_depth(event)
            self._tally.depth[row] = depths
            books = self._arrays.books[row]
            for band, (bid_usd, ask_usd) in enumerate(depths):
                books["usd"][band] = bid_usd + ask_usd
                books["book_ns"][band] = event.received_ns
        return _USEFUL

    def _funding(self, event: Funding, source: Source) -> Outcome:
        self._tally.count(source.venue, "funding")
        row = self._row(event.instrument)
        if row != OFF_LIST:
            self.funding[row] = event
        return _USEFUL

    def _listing(self, event: Listing, source: Source) -> Outcome:
        self._tally.count(source.venue, "listing")
        table = self._tables[event.venue]
        table.replace(event.product, event.instruments)
        # Rows change between batches only, so that a batch never speaks of two contracts.
        self._flush()
        self._watch.renew(table)
        return _USEFUL

    def _not_used(self, event: NotUsed, source: Source) -> Outcome:
        self._tally.unused(source.venue, event.reason)
        return _OUTCOMES.get(event.reason, _NOTHING)

    def _malformed(self, event: Malformed, source: Source) -> Outcome:
        self._tally.damaged(source.venue, event.reason)
        source.stream.malformed += 1
        return _DAMAGED
