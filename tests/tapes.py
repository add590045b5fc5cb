"""Fixture lines of a venue, as its tests read them.

A line is a frame, `{"source", "note", "frame"}`, or a REST answer,
`{"source", "note", "poll", "key", "body"}`. `source` is the page that it was typed from.
"""

import gzip
from pathlib import Path

import msgspec

from monitor.events import Event, Listing
from monitor.instruments import InstrumentTable
from monitor.venues.contract import Reader, Venue
from monitor.venues.lines import record

FIXTURES = Path(__file__).parent / "fixtures"
# 2026-09-21T14:13:20Z, when the made-up frames were sent.
STARTED_NS = 1_790_000_000_000_000_000
_SECOND_NS = 1_000_000_000


class Line(msgspec.Struct, frozen=True):
    """One line: a frame, or else the answer to the request `(poll, key)`."""

    source: str
    note: str
    frame: str | None = None
    poll: str = ""
    key: str = ""
    body: str = ""


def lines(name: str) -> list[Line]:
    """A venue's fixture, in order."""
    text = (FIXTURES / f"{name}.jsonl").read_text()
    return [msgspec.json.decode(line, type=Line) for line in text.splitlines()]


def expected(name: str) -> list[object]:
    """The records that each line must give, in order."""
    text = (FIXTURES / f"{name}.expected.jsonl").read_text()
    return [msgspec.json.decode(line) for line in text.splitlines()]


def records(events: list[Event]) -> object:
    """Events in the form that fixtures expect them in."""
    return msgspec.to_builtins([record(event) for event in events])


def received_ns(number: int) -> int:
    """When line `number` was received: a second after the one before."""
    return STARTED_NS + number * _SECOND_NS


def answer(venue: Venue, table: InstrumentTable, line: Line, number: int) -> list[Event]:
    """The events of a REST answer, its listings put into the table as the daemon does."""
    events = venue.answer(line.poll, line.key, line.body.encode(), received_ns(number), table)
    for event in events:
        if isinstance(event, Listing):
            table.replace(event.product, event.instruments)
    return list(events)


def read(
    venue: Venue, reader: Reader, table: InstrumentTable, tape: list[Line]
) -> list[list[Event]]:
    """The events of each line; answers on the way fill the table."""
    return [
        answer(venue, table, line, number)
        if line.frame is None
        else list(reader.read(line.frame.encode(), received_ns(number)))
        for number, line in enumerate(tape)
    ]


def recorded_stream(path: Path) -> list[tuple[int, bytes]]:
    """Receive time and bytes of each frame of a capture: lines `seconds: frame`.

    Lines of the handshake, which hold `<-` or `<->`, are left out.
    """
    found = []
    for line in gzip.decompress(path.read_bytes()).splitlines():
        stamp, colon, frame = line.partition(b": ")
        if colon and b"<-" not in stamp:
            found.append((round(float(stamp) * 1e9), frame))
    return found
