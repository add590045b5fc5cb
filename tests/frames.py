"""What the tests of venues share: their fixtures, events in plain form, damage, recorded data."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.events import Event, Listing
from monitor.instruments import Instrument, InstrumentTable
from monitor.venues.contract import Reader, Venue

FIXTURES = Path(__file__).parent / "fixtures"
RECORDED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
needs_recorded = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="recorded data is not here: expected ../shared/data"
)
RECEIVED_NS = 1_791_000_000_700_000_000


def frames(name: str) -> list[bytes]:
    """The frames of a fixture, in order."""
    lines = (FIXTURES / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["frame"].encode() for line in lines]


def notes(name: str) -> list[str]:
    """What each frame of a fixture shows."""
    lines = (FIXTURES / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line)["note"] for line in lines]


def expected(name: str) -> list[list[dict[str, Any]]]:
    """The plain events that each frame of a fixture must give."""
    lines = (FIXTURES / f"{name}.expected.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def plain(event: Event) -> dict[str, Any]:
    """An event as JSON: its type, its instrument by symbol, NaN as null."""
    fields = {
        name: value.symbol if isinstance(value, Instrument) else _plain(value)
        for name, value in msgspec.structs.asdict(event).items()
    }
    return {"type": type(event).__name__, **fields}


def _plain(value: object) -> object:
    built = msgspec.to_builtins(value)
    if isinstance(built, float) and math.isnan(built):
        return None
    if isinstance(built, list | tuple):
        return [_plain(part) for part in built]
    return built


def read_all(reader: Reader, fixture: Sequence[bytes]) -> list[list[dict[str, Any]]]:
    """The plain events of each frame, received a second after another."""
    return [
        [plain(event) for event in reader.read(frame, RECEIVED_NS + number * 1_000_000_000)]
        for number, frame in enumerate(fixture)
    ]


def fill(table: InstrumentTable, venue: Venue, product: str, body: bytes) -> None:
    """Take a product's listing into the table, as the daemon does with a REST answer."""
    (listing,) = venue.answer("instruments", product, body, RECEIVED_NS, table)
    assert isinstance(listing, Listing)
    table.replace(listing.product, listing.instruments)


def golden_pairs(*tests: str) -> list[tuple[bytes, list[dict[str, Any]]]]:
    """Recorded messages of these tests, each with the records a well-kept normaliser expects."""
    lines = (RECORDED / "wire" / "golden_pairs.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [
        (json.dumps(row["raw"], separators=(",", ":")).encode(), row["expected"])
        for row in rows
        if row["test"] in tests
    ]


def live_frames(*venues: str) -> list[bytes]:
    """Verbatim frames of 2026 of these venues."""
    lines = (RECORDED / "wire" / "live_2026.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["raw"].encode() for row in rows if row["venue"] in venues]
