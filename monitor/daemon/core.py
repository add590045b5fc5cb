"""The live core: the engine behind the log, and when what it found is settled.

Frames go straight from a socket into the engine, on one thread. The kernel runs as soon as the
loop has nothing else at hand, so a burst makes one batch and a single frame is judged at once.
"""

import asyncio
import time
from collections.abc import Callable

from monitor.detect.engine import Engine
from monitor.detect.verdict import Verdict
from monitor.events import Answer, Fact, Outcome

Settled = Callable[[list[Verdict], int], None]
"""Told of verdicts, and of the performance counter at what decided them."""


class LiveCore:
    """What the daemon's log is handed to."""

    def __init__(
        self,
        engine: Engine,
        on_verdicts: Settled,
        on_unknown: Callable[[set[str]], None],
        on_batch: Callable[[int, float], None],
    ) -> None:
        self._engine = engine
        self._engine_frame = engine.frame
        self._on_verdicts = on_verdicts
        self._on_unknown = on_unknown
        self._on_batch = on_batch
        self._settling = False
        self._began_ns = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Settle on this loop from now on."""
        self._loop = loop

    def frame(self, connection: int, received_ns: int, data: bytes) -> Outcome:
        """Take one frame of a connection; what it was good for."""
        if not self._settling:
            self._settle_soon()
        return self._engine_frame(connection, received_ns, data)

    def answer(self, answer: Answer) -> None:
        """Take one REST answer, or its absence."""
        self._settle_soon()
        self._engine.answer(answer)

    def fact(self, fact: Fact) -> None:
        """Take one session fact."""
        self._settle_soon()
        self._engine.fact(fact)

    def advance(self, now_ns: int) -> None:
        """End the seconds that are due, where no frame does it."""
        self._settle_soon()
        self._engine.advance(now_ns)

    def settle(self) -> None:
        """Run the kernel over what waits, and tell what was found."""
        self._settling = False
        engine = self._engine
        if waiting := engine.waiting:
            began_s = time.perf_counter()
            engine.flush()
            self._on_batch(waiting, time.perf_counter() - began_s)
        if engine.judge.verdicts:
            self._on_verdicts(engine.drain(), self._began_ns)
        if engine.tally.unknown:
            unknown, engine.tally.unknown = engine.tally.unknown, set()
            self._on_unknown({venue for venue, _ in unknown})

    def _settle_soon(self) -> None:
        if not self._settling:
            self._settling = True
            self._began_ns = time.perf_counter_ns()
            assert self._loop is not None
            self._loop.call_soon(self.settle)
