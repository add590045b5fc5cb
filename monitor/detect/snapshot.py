"""The detector's state as bytes, and back: a restart in mid-cascade goes on in the same episode.

Every number is stored under the name of its field, so a version that knows more fields reads
an older snapshot (new fields keep their start values), and one that knows fewer refuses with
a reason rather than guess. Rows are found again by asset, contract and venue, so the watch
list may change between two runs.
"""

from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.detect.engine import Engine
from monitor.detect.episodes import Ladder
from monitor.detect.feeds import Feeds
from monitor.detect.repeats import Repeats
from monitor.errors import StateError
from monitor.events import Funding
from monitor.instruments import Instrument

FORMAT: Final = 1
# Arrays by what a row of them is.
_BY_ASSET: Final = ("assets", "prices", "interests", "takers", "members")
_BY_LADDER: Final = ("pressure", "shares", "parts")
_BY_CONTRACT: Final = ("contracts", "books")
_BY_LINE: Final = ("sums", "seconds", "minutes")
_SCALES: Final = ("bins", "mass", "sampled_s", "falls")


class Field(msgspec.Struct, frozen=True):
    """One field of one array: numpy type, shape, and the values at `places` (all when None)."""

    dtype: str
    shape: tuple[int, ...]
    values: bytes
    places: bytes | None = None


class OpenConnection(msgspec.Struct, frozen=True):
    """A connection that was open, with its Reader's state as msgpack."""

    number: int
    venue: str
    session: str
    opened_ns: int
    state: bytes


class _Version(msgspec.Struct, frozen=True):
    """As much of a snapshot as every format has."""

    format: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything later verdicts depend on.

    `market` says whether a row of the market stands behind those of the assets; snapshots from
    before it had one say nothing.
    """

    format: int
    second: int
    missing: tuple[str, ...]
    assets: tuple[str, ...]
    venues: tuple[str, ...]
    contracts: tuple[Instrument, ...]
    arrays: dict[str, dict[str, Field]]
    ladders: tuple[Ladder, ...]
    feeds: Feeds
    repeats: dict[str, Repeats]
    funding: dict[int, Funding]
    listings: dict[str, tuple[Instrument, ...]]
    connections: tuple[OpenConnection, ...]
    market: bool = False


def _store(array: npt.NDArray[Any]) -> dict[str, Field]:
    """Fields of an array by name ("" for an array without); mostly empty ones sparsely."""
    names = array.dtype.names
    if names is None:
        return {"": _field(array, None)}
    places = np.flatnonzero(array["orders"]) if "largest" in names else None
    return {name: _field(array[name], places) for name in names}


def _field(values: npt.NDArray[Any], places: npt.NDArray[np.intp] | None) -> Field:
    flat = np.ascontiguousarray(values).reshape(-1)
    if places is None:
        return Field(values.dtype.str, values.shape, flat.tobytes())
    where = places.astype("<i8")
    return Field(values.dtype.str, values.shape, flat[places].tobytes(), where.tobytes())


def _load(field: Field) -> npt.NDArray[Any]:
    stored = np.frombuffer(field.values, dtype=field.dtype)
    if field.places is None:
        return stored.reshape(field.shape)
    full = np.zeros(field.shape, dtype=field.dtype)
    full.reshape(-1)[np.frombuffer(field.places, dtype="<i8")] = stored
    return full


def take(engine: Engine) -> bytes:
    """The engine's state as bytes. What waits for the kernel is run first."""
    engine.flush()
    arrays = {
        name: _store(getattr(engine.arrays, name))
        for name in (*_BY_ASSET, *_BY_LADDER, *_BY_CONTRACT, *_BY_LINE)
    }
    arrays.update({name: _store(getattr(engine.scales, name)) for name in _SCALES})
    snapshot = Snapshot(
        format=FORMAT,
        second=engine.second,
        missing=engine.missing,
        assets=engine.watch.assets,
        venues=engine.watch.venues,
        contracts=tuple(engine.watch.contracts),
        arrays=arrays,
        ladders=tuple(engine.judge.ladders),
        feeds=engine.feeds,
        repeats=engine.intake.repeats,
        funding=engine.intake.funding,
        listings={name: tuple(table) for name, table in engine.tables.items()},
        connections=tuple(
            OpenConnection(
                number=c.number,
                venue=c.venue,
                session=c.session,
                opened_ns=c.opened_ns,
                state=msgspec.msgpack.encode(c.reader.state),
            )
            for c in engine.connections.values()
        ),
        market=True,
    )
    return msgspec.msgpack.encode(snapshot)


def _decode(data: bytes) -> Snapshot:
    try:
        # The format first: fields of another one may differ.
        version = msgspec.msgpack.decode(data, type=_Version)
        if version.format == FORMAT:
            return msgspec.msgpack.decode(data, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"expected a state snapshot, was {len(data)} bytes that are none ({error}); "
            "move the file away to start without it"
        ) from error
    raise StateError(
        f"expected a state snapshot of format {FORMAT}, was {version.format}; "
        "it belongs to another version: run that one, or move the file away"
    )


def restore(engine: Engine, data: bytes) -> None:
    """Put a snapshot into a fresh engine.

    Raises:
        StateError: The bytes are no snapshot, or a damaged one, or one of another version; the
            engine is of no use then.
    """
    found = _decode(data)
    _restore_tables(engine, found)
    kept = [
        k
        for k, i in enumerate(found.contracts)
        if i.asset in engine.watch.assets and i.venue in engine.venues
    ][: len(engine.arrays.contracts)]
    engine.watch.restore(found.contracts[k] for k in kept)
    places = {old: new for new, old in enumerate(kept)}
    _restore_rows(engine, found, places)
    engine.intake.funding.update(
        {places[row]: funding for row, funding in found.funding.items() if row in places}
    )
    engine.start(found.second)
    engine.missing = found.missing
    by_key = {(ladder.asset, ladder.position): ladder for ladder in found.ladders}
    engine.judge.ladders[:] = [
        by_key.get((ladder.asset, ladder.position), ladder) for ladder in engine.judge.ladders
    ]
    _restore_connections(engine, found)


def _restore_tables(engine: Engine, found: Snapshot) -> None:
    for name, listed in found.listings.items():
        if name in engine.tables:
            for product in {instrument.product for instrument in listed}:
                engine.tables[name].replace(product, [i for i in listed if i.product == product])


def _restore_connections(engine: Engine, found: Snapshot) -> None:
    """What was open then; a daemon that starts says so, and they are closed."""
    engine.feeds.streams.update(
        {key: s for key, s in found.feeds.streams.items() if key[0] in engine.venues}
    )
    engine.intake.repeats.update(
        {n: r for n, r in found.repeats.items() if n in engine.intake.repeats}
    )
    for connection in found.connections:
        if connection.venue not in engine.venues:
            continue
        stream = engine.feeds.stream(connection.venue, connection.session)
        opened = engine.open(
            connection.number, connection.venue, connection.session, connection.opened_ns, stream
        )
        try:
            opened.reader.state = msgspec.msgpack.decode(
                connection.state, type=type(opened.reader.state)
            )
        except msgspec.MsgspecError as error:
            raise StateError(
                f"expected the state of a reader of {connection.venue}/{connection.session}, "
                f"was another ({error}); move the file away to start without it"
            ) from error


def _restore_rows(engine: Engine, found: Snapshot, contracts: dict[int, int]) -> None:
    """Copy every row to where its asset, contract or venue stands now."""
    assets = _places(found.assets, engine.watch.assets)
    behind, market = len(found.assets), len(engine.watch.assets)
    if found.market:
        assets[behind] = market
    # The last row is everything off the watch list.
    rows = {**assets, behind + found.market: market + 1}
    venues = _places(found.venues, engine.watch.venues)
    ladders = {2 * old + k: 2 * new + k for old, new in rows.items() for k in range(2)}
    before, now = max(1, len(found.venues)), max(1, len(engine.watch.venues))
    lines = {
        old * before + v: new * now + w for old, new in ladders.items() for v, w in venues.items()
    }
    kinds = (
        (engine.arrays, _BY_ASSET, rows),
        (engine.arrays, _BY_LADDER, ladders),
        (engine.arrays, _BY_CONTRACT, contracts),
        (engine.arrays, _BY_LINE, lines),
        (engine.scales, _SCALES, assets),
    )
    strange = sorted(set(found.arrays) - {name for _, names, _ in kinds for name in names})
    if strange:
        raise StateError(
            f"expected a state snapshot of known arrays, was one with {', '.join(strange)}; "
            "it belongs to a newer version: run that one, or move the file away"
        )
    for owner, names, places in kinds:
        for name in names:
            _copy(getattr(owner, name), found.arrays.get(name, {}), name, places)
    # Contracts name their asset by row, and rows may have moved.
    for row, instrument in enumerate(engine.watch.contracts):
        engine.arrays.contracts["asset"][row] = engine.watch.assets.index(instrument.asset)


def _places(before: tuple[str, ...], now: tuple[str, ...]) -> dict[int, int]:
    return {before.index(name): row for row, name in enumerate(now) if name in before}


def _copy(
    target: npt.NDArray[Any], fields: dict[str, Field], array: str, places: dict[int, int]
) -> None:
    old, new = list(places), list(places.values())
    for name, field in fields.items():
        if name and name not in (target.dtype.names or ()):
            raise StateError(
                f"expected a state snapshot of known fields, was one with {array}.{name}; "
                "it belongs to a newer version: run that one, or move the file away"
            )
        column = target[name] if name else target
        if field.shape[1:] != column.shape[1:]:
            raise StateError(
                f"expected {array}.{name} of shape {column.shape[1:]} a row, "
                f"was {field.shape[1:]}; move the file away to start without it"
            )
        try:
            column[new] = _load(field)[old]
        except (ValueError, TypeError, IndexError) as error:
            raise StateError(
                f"expected {array}.{name} whole, was damaged ({error}); "
                "move the file away to start without it"
            ) from error
