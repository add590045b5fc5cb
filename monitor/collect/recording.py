"""What a recording is: the log as files, and how they are read back.

A recording is a directory of hourly files `liqmon-YYYYMMDDTHHMMSSZ.jsonl.zst` (market time).
Each begins with a header line, so that any file replays alone; then one line an entry:

    {"liqmon":1,"t":ns,"header":{...}}
    {"t":ns,"c":connection,"f":"text frame"}      or "b": base64, where it is not UTF-8
    {"t":ns,"c":connection,"fact":{"venue":..,"session":..,"kind":..,"detail":..}}
    {"t":ns,"answer":{"venue":..,"poll":..,"key":..,"status":..,"f":"body"}}

Files are made of independent zstd frames, each of whole lines: a process killed in mid-write
loses one of them at most.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import zstandard

from monitor.errors import StateError
from monitor.events import Answer, Fact, FactKind

_FORMAT = 1
_LEVEL = 3
_READ_BYTES = 256 * 1024


class Header(msgspec.Struct, frozen=True):
    """The first entry of a file: what a replay of it starts from."""

    received_ns: int
    path: Path
    fields: dict[str, Any]


class Frame(msgspec.Struct, frozen=True, gc=False):
    """A recorded frame of a connection."""

    received_ns: int
    connection: int
    data: bytes


class Cut(msgspec.Struct, frozen=True):
    """A file that breaks off: the process was killed, and up to a second of log is missing."""

    received_ns: int
    path: Path


Entry = Header | Frame | Fact | Answer | Cut


class _FactLine(msgspec.Struct):
    venue: str
    session: str
    kind: FactKind
    detail: str


class _AnswerLine(msgspec.Struct):
    venue: str
    poll: str
    key: str
    status: int
    f: str | None = None
    b: bytes | None = None  # msgspec's bytes are base64


class _Line(msgspec.Struct):
    t: int
    c: int = 0
    f: str | None = None
    b: bytes | None = None
    fact: _FactLine | None = None
    answer: _AnswerLine | None = None
    liqmon: int = 0
    header: dict[str, Any] | None = None


_DECODER = msgspec.json.Decoder(_Line)


def _exact(data: bytes) -> bytes:
    """The JSON member that keeps these bytes exactly."""
    try:
        return b'"f":' + orjson.dumps(data.decode())
    except UnicodeDecodeError:
        return b'"b":' + msgspec.json.encode(data)


def line(entry: Frame | Fact | Answer) -> bytes:
    """The line of an entry."""
    match entry:
        case Frame():
            return b'{"t":%d,"c":%d,%b}\n' % (
                entry.received_ns,
                entry.connection,
                _exact(entry.data),
            )
        case Fact(received_ns, connection, venue, session, kind, detail):
            about = msgspec.json.encode(_FactLine(venue, session, kind, detail))
            return b'{"t":%d,"c":%d,"fact":%b}\n' % (received_ns, connection, about)
        case Answer(received_ns, venue, poll, key, status, body):
            about = orjson.dumps({"venue": venue, "poll": poll, "key": key, "status": status})
            return b'{"t":%d,"answer":%b,%b}}\n' % (received_ns, about[:-1], _exact(body))


def header_line(received_ns: int, fields: dict[str, Any]) -> bytes:
    """The line that a file begins with."""
    return b'{"liqmon":%d,"t":%d,"header":%b}\n' % (_FORMAT, received_ns, orjson.dumps(fields))


def pack(lines: Iterable[bytes]) -> bytes:
    """Whole lines as one independent zstd frame."""
    return zstandard.ZstdCompressor(level=_LEVEL).compress(b"".join(lines))


def read(paths: Iterable[Path]) -> Iterator[Entry]:
    """The entries of recorded files, in order, as a stream.

    A file that breaks off gives all that is whole, then a `Cut`.

    Raises:
        StateError: A file cannot be read, is no recording, is damaged before its end, or
            begins before the one ahead of it ends.
    """
    last_ns = 0
    for path in paths:
        begun = False
        for whole in _unpacked(path):
            if whole is None:
                yield Cut(last_ns, path)
                break
            lines = _lines(whole, path)
            if not begun:
                _check_first(lines[0], path, last_ns)
                begun = True
            for each in lines:
                if each.f is not None:
                    yield Frame(each.t, each.c, each.f.encode())
                else:
                    yield _entry(each, path)
            last_ns = lines[-1].t


def _unpacked(path: Path) -> Iterator[bytes | None]:
    """What each zstd frame of a file holds; None where the file breaks off."""
    unpacker = zstandard.ZstdDecompressor()
    current = unpacker.decompressobj()
    parts: list[bytes] = []
    broken_off = True  # as long as no frame has come to its end
    try:
        with path.open("rb") as file:
            while data := file.read(_READ_BYTES):
                while data:
                    broken_off = True
                    parts.append(current.decompress(data))
                    if not current.eof:
                        break
                    yield b"".join(parts)
                    data = current.unused_data
                    current = unpacker.decompressobj()
                    parts = []
                    broken_off = False
    except OSError as error:
        raise StateError(f"cannot read {path}: {error.strerror}") from error
    except zstandard.ZstdError as error:
        raise StateError(f"{path} is no recording of liqmon, or is damaged: {error}") from error
    if broken_off:
        yield None


def _lines(whole: bytes, path: Path) -> list[_Line]:
    try:
        lines = _DECODER.decode_lines(whole)
    except msgspec.DecodeError as error:
        raise StateError(f"{path}: expected lines of a liqmon recording: {error}") from error
    if not lines:
        raise StateError(f"{path}: expected lines of a liqmon recording, was empty")
    return lines


def _check_first(first: _Line, path: Path, last_ns: int) -> None:
    if first.header is None:
        raise StateError(f"{path}: expected a header of liqmon first; give whole files")
    if first.liqmon != _FORMAT:
        raise StateError(f"{path}: expected recording format {_FORMAT}, was {first.liqmon}")
    if first.t < last_ns:
        raise StateError(f"{path} begins before the file ahead of it ends: give them in order")


def _entry(each: _Line, path: Path) -> Entry:
    if each.b is not None:
        return Frame(each.t, each.c, each.b)
    if each.fact is not None:
        about = each.fact
        return Fact(each.t, each.c, about.venue, about.session, about.kind, about.detail)
    if each.answer is not None:
        told = each.answer
        body = told.f.encode() if told.f is not None else told.b or b""
        return Answer(each.t, told.venue, told.poll, told.key, told.status, body)
    if each.header is not None:
        return Header(each.t, path, each.header)
    raise StateError(f"{path}: expected an entry of a liqmon recording at {each.t}, was none")
