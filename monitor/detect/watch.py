"""Who has which row: the watch list, the venues, and their contracts as they come and go."""

from collections.abc import Iterable
from typing import Final

import numpy as np

from kernels.dtypes import DATED, PERPETUAL, SPOT
from monitor.detect.arrays import Arrays
from monitor.instruments import Instrument, InstrumentTable

OFF_LIST: Final = -1
# Unknown instruments are made anew for each event; they must not be held without bound.
_MOST_SEEN: Final = 10_000


class Watch:
    """Rows of assets, venues and contracts.

    A contract keeps its row for good: one that is delisted is marked and its row is not used
    again until a restart. When the rows run out, further contracts count as off the list.
    """

    def __init__(self, assets: tuple[str, ...], venues: tuple[str, ...], arrays: Arrays) -> None:
        self.assets = assets
        self.venues = venues
        self.contracts: list[Instrument] = []
        self.refused = 0
        self._arrays = arrays
        self._asset_row = {asset: row for row, asset in enumerate(assets)}
        self._venue_row = {venue: row for row, venue in enumerate(venues)}
        self._row: dict[tuple[str, str], int] = {}
        # By identity, because hashing an instrument's fields would cost more than the rest of
        # an event; the instruments are held as well, so that an identity cannot be reused.
        self._seen: dict[int, int] = {}
        self._held: list[Instrument] = []

    def venue_row(self, venue: str) -> int:
        """Row of a venue."""
        return self._venue_row[venue]

    def row(self, instrument: Instrument) -> int:
        """Row of an instrument's contract, OFF_LIST when it has none."""
        seen = self._seen.get(id(instrument))
        if seen is not None:
            return seen
        row = self._row.get((instrument.venue, instrument.symbol), OFF_LIST)
        if row != OFF_LIST and not self._arrays.contracts["live"][row]:
            row = OFF_LIST
        if len(self._held) >= _MOST_SEEN:
            self._forget_seen()
        self._seen[id(instrument)] = row
        self._held.append(instrument)
        return row

    def renew(self, table: InstrumentTable) -> None:
        """Take a venue's new listing: rows for new contracts, marks on delisted ones."""
        self._forget_seen()
        listed = {i.symbol: i for i in table if self._wanted(i)}
        contracts = self._arrays.contracts
        for instrument in listed.values():
            key = (instrument.venue, instrument.symbol)
            if key not in self._row:
                self._add(instrument)
            else:
                self.contracts[self._row[key]] = instrument
                contracts["live"][self._row[key]] = 1
        for (venue, symbol), row in self._row.items():
            if venue == table.venue and symbol not in listed:
                contracts["live"][row] = 0
                contracts["interest"][row] = np.nan

    def restore(self, instruments: Iterable[Instrument]) -> None:
        """Give rows, in order, to contracts of a snapshot."""
        for instrument in instruments:
            self._add(instrument)

    def _forget_seen(self) -> None:
        self._seen.clear()
        self._held.clear()

    def _wanted(self, instrument: Instrument) -> bool:
        return (
            instrument.asset in self._asset_row
            and not instrument.tradfi
            and instrument.unknown_reason == ""
        )

    def _add(self, instrument: Instrument) -> None:
        row = len(self.contracts)
        if row == len(self._arrays.contracts):
            self.refused += 1
            return
        self.contracts.append(instrument)
        self._row[instrument.venue, instrument.symbol] = row
        record = self._arrays.contracts[row]
        record["asset"] = self._asset_row[instrument.asset]
        record["live"] = 1
        record["interest"] = np.nan
        if instrument.product == "spot":
            record["kind"] = SPOT
        else:
            record["kind"] = PERPETUAL if instrument.perpetual else DATED
