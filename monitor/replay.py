"""Replay: a recorded log through the same core, to the same alerts, byte for byte."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from monitor.collect.recording import Frame, Header, read
from monitor.config import Config, digest
from monitor.detect import snapshot
from monitor.detect.arrays import BATCH
from monitor.detect.engine import Engine
from monitor.detect.verdict import Verdict
from monitor.errors import StateError
from monitor.events import Answer, Fact
from monitor.parameters import Parameters
from monitor.venues import VENUES


class Recorded(msgspec.Struct, frozen=True):
    """What each file of a recording begins with.

    Attributes:
        version: Version of the program that recorded it.
        run_ns: When the daemon that wrote it came up (market time); files of one run go on
            from each other, a file of another run starts from its own state.
        config_digest: Digest of its configuration.
        assets: Its watch list.
        venues: Names of the venues it collected from.
        detector: Its parameters.
        snapshot: The detector's state just before the file's first entry, base64.
    """

    version: str
    run_ns: int
    config_digest: str
    assets: tuple[str, ...]
    venues: tuple[str, ...]
    detector: Parameters
    snapshot: str


def header(version: str, run_ns: int, config: Config, engine: Engine) -> Recorded:
    """What a file that begins now begins with."""
    return Recorded(
        version=version,
        run_ns=run_ns,
        config_digest=digest(config),
        assets=engine.watch.assets,
        venues=tuple(engine.venues),
        detector=config.detector,
        snapshot=base64.b64encode(snapshot.take(engine)).decode(),
    )


def recorded(start: Header) -> Recorded:
    """What a file says of itself.

    Raises:
        StateError: Its header is of another make.
    """
    try:
        return msgspec.convert(start.fields, Recorded)
    except msgspec.ValidationError as error:
        raise StateError(f"{start.path}: expected a recording's header ({error})") from error


def engine_of(
    about: Recorded, *, batch: int = BATCH, parameters: Parameters | None = None
) -> Engine:
    """An engine as it was when a file began.

    Raises:
        StateError: The state cannot be used.
    """
    known = {venue.name: venue for venue in VENUES}
    missing = [name for name in about.venues if name not in known]
    if missing:
        raise StateError(f"expected a recording of known venues, was one of {', '.join(missing)}")
    engine = Engine(
        [known[name] for name in about.venues],
        about.assets,
        parameters or about.detector,
        batch=batch,
    )
    try:
        state = base64.b64decode(about.snapshot, validate=True)
    except binascii.Error as error:
        raise StateError(f"expected a state in base64 ({error})") from error
    snapshot.restore(engine, state)
    return engine


class Replay:
    """One pass over recorded files.

    Attributes:
        frames: Frames read so far.
        cuts: Files that break off, as far as read.
    """

    def __init__(
        self, paths: Iterable[Path], *, batch: int = BATCH, parameters: Parameters | None = None
    ) -> None:
        self.frames = 0
        self.cuts: list[Path] = []
        self._paths = paths
        self._batch = batch
        self._parameters = parameters
        self._run_ns = -1

    def verdicts(self) -> Iterator[Verdict]:
        """The verdicts of the recording, as they come.

        Raises:
            StateError: A file cannot be used.
        """
        engine: Engine | None = None
        for entry in read(self._paths):
            if isinstance(entry, Header):
                engine = self._begin(entry, engine)
                continue
            # A recording begins with a header; `read` sees to it.
            assert engine is not None
            if isinstance(entry, Frame):
                self.frames += 1
                engine.frame(entry.connection, entry.received_ns, entry.data)
            elif isinstance(entry, Fact):
                engine.fact(entry)
            elif isinstance(entry, Answer):
                engine.answer(entry)
            else:
                self.cuts.append(entry.path)
            if engine.judge.verdicts:
                yield from engine.drain()
        if engine is not None:
            engine.flush()
            yield from engine.drain()

    def _begin(self, start: Header, engine: Engine | None) -> Engine:
        """Go on with the engine of the same run; begin anew with another's."""
        about = recorded(start)
        if engine is not None and about.run_ns == self._run_ns:
            return engine
        self._run_ns = about.run_ns
        return engine_of(about, batch=self._batch, parameters=self._parameters)


def files_of(places: Iterable[Path]) -> list[Path]:
    """Recorded files in the order of their log; a directory stands for all in it.

    Raises:
        StateError: There are none.
    """
    found: list[Path] = []
    for place in places:
        found += sorted(place.glob("*.jsonl.zst")) if place.is_dir() else [place]
    if not found:
        raise StateError("expected recorded files (*.jsonl.zst), found none")
    return found
