"""Work for the tests of sharing it: functions that other processes import by name."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Tell = Callable[[int], object]
DEADLINE_S = 30


class Meeting(NamedTuple):
    """A named pipe, and whether this end of it reads."""

    pipe: Path
    reads: bool


def square(job: int, tell: Tell) -> int:
    """The square of a number; tells of it and of one more."""
    tell(job)
    tell(1)
    return job * job


def number(job: int, tell: Tell) -> int:
    """The process that does it."""
    tell(job)
    return os.getpid()


def meet(job: Meeting, tell: Tell) -> str:
    """Wait until another job has the other end open: both must be under way at once.

    The one that reads goes on only when the other has told that it is done with its part.
    """
    signal.alarm(DEADLINE_S)  # alone it would wait for ever
    if job.reads:
        found = job.pipe.read_text(encoding="utf-8")
    else:
        found = "wrote"
        job.pipe.write_text("read", encoding="utf-8")
    signal.alarm(0)
    tell(1)
    return found


def leave(job: int, tell: Tell) -> int:
    """End the process with this code, unless it is zero."""
    tell(1)
    if job:
        os._exit(job)
    return job


def fail(job: int, tell: Tell) -> int:
    """Raise what a bug would."""
    tell(1)
    return job // 0


def kill(job: int, tell: Tell) -> int:
    """What the system does to a process when there is no memory left."""
    tell(1)
    os.kill(os.getpid(), signal.SIGKILL)
    return job
