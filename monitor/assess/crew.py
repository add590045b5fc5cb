"""Work that several processes share: jobs out, results in, and word of progress in between.

Each process holds one end of a pipe; the other end is held here alone, so that no process
outlives the one that started it, and one that dies is noticed at once.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Generic, TypeVar

from monitor.errors import MeasureError

J = TypeVar("J")
R = TypeVar("R")
Work = Callable[[J, Callable[[int], object]], R]
"""What is done with a job: it tells how much it has got on, and returns the job's result."""

_GOT_ON: Final = "got on"
_DONE: Final = "done"


def share(
    work: Work[J, R], jobs: Sequence[J], processes: int, progress: Callable[[int], object]
) -> list[R]:
    """Do all jobs, the first first; results come in the order of jobs.

    Args:
        work: A function of a module, which other processes can import.
        jobs: What to do.
        processes: How many at once; one does without any process but this.
        progress: Called with every step that any job tells of.

    Raises:
        MeasureError: A process died.
    """
    if processes <= 1 or len(jobs) <= 1:
        return [work(job, progress) for job in jobs]
    return _Crew(work, jobs, min(processes, len(jobs)), progress).run()


class _Crew(Generic[J, R]):
    """Processes, and which job each of them does."""

    def __init__(
        self,
        work: Work[J, R],
        jobs: Sequence[J],
        processes: int,
        progress: Callable[[int], object],
    ) -> None:
        self.jobs = jobs
        self.progress = progress
        self.waiting = list(range(len(jobs) - 1, -1, -1))
        self.results: dict[int, R] = {}
        context = multiprocessing.get_context("spawn")
        self.lines: dict[Connection, tuple[Any, int]] = {}
        for _ in range(processes):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, work), daemon=True)
            process.start()
            theirs.close()
            self.lines[mine] = (process, -1)

    def run(self) -> list[R]:
        """Hand out jobs until all are done; no process is left, however this ends."""
        processes = [process for process, _ in self.lines.values()]
        try:
            for line in list(self.lines):
                self._hand_out(line)
            while self.lines:
                ready = wait(list(self.lines))
                for line in [line for line in self.lines if line in ready]:
                    self._hear(line)
        finally:
            for process in processes:
                process.terminate()
                process.join()
        return [self.results[number] for number in range(len(self.jobs))]

    def _hand_out(self, line: Connection) -> None:
        process, _ = self.lines.pop(line)
        if self.waiting:
            number = self.waiting.pop()
            self.lines[line] = (process, number)
            with contextlib.suppress(OSError):  # one that died meanwhile is heard of next
                line.send(self.jobs[number])
        else:
            line.close()

    def _hear(self, line: Connection) -> None:
        process, number = self.lines[line]
        try:
            word, said = line.recv()
        except (EOFError, OSError):
            process.join()
            killed = (process.exitcode or 0) < 0
            why = "too little memory for so many at once?" if killed else "its error stands above"
            raise MeasureError(
                f"a process died at job {number + 1} of {len(self.jobs)}, exit code "
                f"{process.exitcode}: {why}"
            ) from None
        if word == _DONE:
            self.results[number] = said
            self._hand_out(line)
        else:
            self.progress(said)


def _serve(line: Connection, work: Work[Any, Any]) -> None:
    """Do what comes down the line until it is closed."""
    # An interrupt is meant for the process that started this one, and ends both.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            job = line.recv()
        except (EOFError, OSError):
            return
        line.send((_DONE, work(job, lambda step: line.send((_GOT_ON, step)))))
