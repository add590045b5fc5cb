"""The state snapshot on disk: the detector's state and the alerts nobody has acknowledged yet.

Written beside its place and renamed over it, so that a crash leaves the old one or the new
one, never half of one.
"""

import os
from pathlib import Path

import msgspec

from monitor.errors import StateError
from monitor.publish.outbox import AlertEntry

_FORMAT = 1


class _Version(msgspec.Struct, frozen=True):
    """As much of a state file as every format has."""

    format: int


class Saved(msgspec.Struct, frozen=True):
    """What a state file holds; `detector` is for `monitor.detect.snapshot`."""

    format: int
    saved_ns: int
    detector: bytes
    alerts: tuple[AlertEntry, ...]


def encode(saved_ns: int, detector: bytes, alerts: tuple[AlertEntry, ...]) -> bytes:
    """The bytes of a state file."""
    return msgspec.msgpack.encode(Saved(_FORMAT, saved_ns, detector, alerts))


def write(path: Path, data: bytes) -> None:
    """Put the bytes in place of what was there, all or nothing.

    Raises:
        OSError: The disk does not take them; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def read(path: Path) -> Saved | None:
    """What the file holds; None where there is none yet.

    Raises:
        StateError: It cannot be read, or is no state file of this format.
    """
    try:
        data = path.read_bytes()
        # The format first: fields of another one may differ.
        version = msgspec.msgpack.decode(data, type=_Version)
        if version.format == _FORMAT:
            return msgspec.msgpack.decode(data, type=Saved)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: expected a readable state file ({error.strerror})") from error
    except msgspec.MsgspecError as error:
        raise StateError(
            f"{path}: expected a state file, was something else ({error}); "
            "move it away to start without it"
        ) from error
    raise StateError(
        f"{path}: expected a state file of format {_FORMAT}, was {version.format}; "
        "it belongs to another version: run that one, or move the file away"
    )
