"""`liqmon decode`: a venue's own frames as JSON lines, for whoever wants to look or to check."""

import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import msgspec
import orjson
import typer

from monitor.errors import ConfigError, LiqmonError
from monitor.events import Event, Listing, Malformed, NotUsed
from monitor.instruments import Instrument, InstrumentTable
from monitor.venues import VENUES, by_name
from monitor.venues.contract import Venue
from monitor.venues.lines import record

# A receive stamp before a frame. No venue sends a frame that begins with a number and a blank.
_STAMPED = re.compile(rb"\s*(\d{9,19}(?:\.\d{1,9})?):?\s+(?=\S)")
# Whole digits of a stamp of our century, and nanoseconds in one of its units.
_UNITS_NS = ((11, 1_000_000_000), (14, 1_000_000), (17, 1_000), (20, 1))
_GZIP_MAGIC = b"\x1f\x8b"


def _venue_names(incomplete: str) -> list[str]:
    return [venue.name for venue in VENUES if venue.name.startswith(incomplete)]


def decode(
    venue: Annotated[
        str,
        typer.Argument(
            help="Whose frames they are; `liqmon venues` lists the names.",
            autocompletion=_venue_names,
        ),
    ],
    file: Annotated[
        str, typer.Argument(help="Where to read lines from: a file, a .gz file, or - (stdin).")
    ] = "-",
    instruments: Annotated[
        list[Path] | None,
        typer.Option(
            help="What the symbols are: the body of the venue's REST listing, or a JSON list of "
            "instruments; may be repeated. Without it coins and dollars are null.",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Print frames without use too, each with its reason."),
    ] = False,
) -> None:
    """Turn a venue's frames into events, one JSON object a line.

    Each line of input is a frame, or "STAMP FRAME" or "STAMP: FRAME", where STAMP is when it was
    received: seconds since 1970, or milli-, micro- or nanoseconds. Damaged input becomes a line
    of type "malformed" and does not disturb the frames around it; the exit code is then 1.
    """
    chosen = by_name(venue)
    table = InstrumentTable(chosen.name)
    for path in instruments or ():
        load_instruments(chosen, path, table)
    damaged = 0
    write = sys.stdout.buffer.write
    for event in read_lines(chosen, table, _lines(file)):
        damaged += isinstance(event, Malformed)
        if every or not isinstance(event, NotUsed):
            write(orjson.dumps(record(event), option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
    if damaged:
        raise typer.Exit(1)


def read_lines(venue: Venue, table: InstrumentTable, lines: Iterator[bytes]) -> Iterator[Event]:
    """Events of these lines, all read as frames of one connection."""
    sessions = venue.plan(table, frozenset())
    reader = None
    for line in lines:
        received_ns, frame = split(line)
        if not frame:
            continue
        if reader is None:
            reader = venue.reader(sessions[0].name if sessions else "", table, received_ns)
        yield from reader.read(frame, received_ns)


def split(line: bytes) -> tuple[int, bytes]:
    """The receive stamp of a line in nanoseconds, 0 without one, and its frame."""
    found = _STAMPED.match(line)
    if found is None:
        return 0, line.strip()
    digits = found[1].decode()
    whole = len(digits.partition(".")[0])
    unit_ns = next(unit_ns for most, unit_ns in _UNITS_NS if whole <= most)
    return int(Decimal(digits) * unit_ns), line[found.end() :].strip()


def load_instruments(venue: Venue, path: Path, table: InstrumentTable) -> None:
    """Put the instruments of a file into the table.

    Raises:
        ConfigError: The file cannot be read, or holds no instruments of this venue.
    """
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"--instruments {path}: {error.strerror}") from error
    listed = _instruments(venue, body) or _listed(venue, body, table)
    if not listed:
        raise ConfigError(
            f"--instruments {path}: expected {venue.name}'s REST listing, or a JSON list of its "
            "instruments; was neither"
        )
    for product in sorted({instrument.product for instrument in listed}):
        table.replace(product, (i for i in listed if i.product == product))


def _instruments(venue: Venue, body: bytes) -> tuple[Instrument, ...]:
    """Instruments written in this program's own words; empty if the body is something else."""
    try:
        listed = msgspec.json.decode(body, type=tuple[Instrument, ...])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()
    return tuple(i for i in listed if i.venue == venue.name)


def _listed(venue: Venue, body: bytes, table: InstrumentTable) -> tuple[Instrument, ...]:
    """Instruments of a REST body, read as the listing that it fits best."""
    best: tuple[Instrument, ...] = ()
    for poll in venue.listings:
        events = venue.answer(poll.name, poll.key, body, 0, table)
        for event in events:
            if isinstance(event, Listing) and len(event.instruments) > len(best):
                best = event.instruments
    return best


def _lines(file: str) -> Iterator[bytes]:
    """Lines of a file, unpacked if it is a .gz file, or of stdin.

    Raises:
        ConfigError: The file cannot be opened.
        LiqmonError: It ends in the middle, or is damaged.
    """
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as stream:
            if stream.peek(len(_GZIP_MAGIC))[: len(_GZIP_MAGIC)] == _GZIP_MAGIC:
                with gzip.open(stream) as unpacked:
                    yield from unpacked
            else:
                yield from stream
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise LiqmonError(f"{file}: cannot be read to its end: {error}") from error
