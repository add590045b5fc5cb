"""The composition of a demo: broker and venues as children, the daemon between, and an ending.

Everything is real but the market: the daemon is that of `liqmon run`, configured from a file
and restored from a state file as any other, and its alerts are counted by a subscriber that
knows nothing of it.
"""

import asyncio
import contextlib
import gc
import importlib.metadata
import tempfile
import time
from pathlib import Path
from typing import Final

from monitor import statefile
from monitor.clock import NS
from monitor.config import Config, load
from monitor.daemon import Daemon
from monitor.demo import settings, warmth
from monitor.demo.broker import embedded_broker
from monitor.demo.listener import Listener
from monitor.demo.outcome import Episodes, Outcome, why_not
from monitor.demo.plan import ASSET, EPOCH_NS, ONSET_S, PAST_S, SCENARIO, Plan
from monitor.demo.show import Show
from monitor.demo.sight import Camera
from monitor.demo.venues import SimulatedVenues, Truth
from monitor.detect.engine import Engine
from monitor.detect.verdict import Kind, Phase, Verdict
from monitor.events import Position
from monitor.simulate.scenarios import scenario
from monitor.venues import VENUES, by_name

LEAD_S: Final = 1.0  # wall seconds for the daemon to connect before the market goes on
PREPARE_S: Final = 12.0  # preparing for longer than this is taken off the duration
AFTER_S: Final = 12.0  # wall seconds that a run goes on after its cascade has ended
RECEIVE_S: Final = 5.0  # wall seconds for the last alerts to arrive
LONGEST_S: Final = 3600  # market seconds of a run in which no cascade ends


class Result:
    """What a run leaves behind.

    Attributes:
        outcome: The figures.
        why: Why it failed, in one line; empty when it did not.
        ended: Whether the cascade's episode has ended.
    """

    def __init__(self, outcome: Outcome, why: str, *, ended: bool) -> None:
        self.outcome = outcome
        self.why = why
        self.ended = ended


async def play(plan: Plan, show: Show, stop: asyncio.Event, began_s: float) -> Result | None:
    """Run a demo to its end, or until `stop` is set; None when that was before its start.

    Args:
        plan: What to play.
        show: Who looks on.
        stop: Set by whoever wants it to end.
        began_s: The monotonic clock when the command began.

    Raises:
        BrokerError: The broker is not installed or did not start.
        VenueError: The simulated venues did not start, or ended too early.
        StateError, ListenError: As the daemon raises them.
    """
    with tempfile.TemporaryDirectory(prefix="liqmon-") as name:
        directory = Path(name)
        async with (
            embedded_broker(directory) as mqtt_port,
            SimulatedVenues(plan, directory) as venues,
        ):
            if not await _prepare(plan, directory, show, stop):
                return None
            listening = await venues.listening()
            start_ns = time.time_ns() + int(LEAD_S * NS)
            path = directory / "demo.toml"
            settings.write(path, plan.clock(start_ns), listening.endpoints, mqtt_port, plan.record)
            run = _Run(plan, load(path, {}), venues)
            # What exists now lives as long as the run: collections need not look at it again.
            gc.collect()
            gc.freeze()
            venues.start(start_ns)
            late_s = max(0.0, time.monotonic() - began_s - PREPARE_S)
            duration_s = plan.duration_s and max(1.0, plan.duration_s - late_s)
            return await run.play(path, show, stop, duration_s)


async def _prepare(plan: Plan, directory: Path, show: Show, stop: asyncio.Event) -> bool:
    """Leave the state of a warm daemon in the directory; False when asked to stop meanwhile."""
    config = Config()
    engine = Engine(
        [by_name(name) for name in settings.simulated()], config.watch.assets, config.detector
    )
    market = scenario(SCENARIO).market(
        plan.seed, EPOCH_NS - PAST_S * NS, asset=ASSET, onset_s=PAST_S + ONSET_S
    )
    show.prepare(0.0)
    for second in warmth.warm(engine, market, PAST_S):
        if stop.is_set():
            return False
        show.prepare(second / PAST_S)
        await asyncio.sleep(0)
    data = statefile.encode(EPOCH_NS, warmth.state(engine), ())
    await asyncio.to_thread(statefile.write, directory / "demo.state", data)
    return True


class _Run:
    """One run, from a warm state to its outcome."""

    def __init__(self, plan: Plan, config: Config, venues: SimulatedVenues) -> None:
        version = importlib.metadata.version("liquidation-monitor")
        self._plan = plan
        self._config = config
        self._venues = venues
        self._daemon = Daemon(config, VENUES, {}, version)
        self._episodes = Episodes(EPOCH_NS)
        self._listener = Listener(config)
        self._decided: set[str] = set()
        self._published: set[str] = set()
        self._ended = False

    async def play(
        self, configured: Path, show: Show, stop: asyncio.Event, duration_s: float
    ) -> Result:
        """Run until the duration is over, the cascade is, or `stop` is set."""
        daemon = self._daemon
        camera = Camera(self._plan, daemon, self._config, configured)
        loop = asyncio.get_running_loop()

        def hear(verdict: Verdict) -> None:
            self._decided.add(verdict.id)
            self._episodes.take(verdict)
            camera.alerts.appendleft(verdict)
            mine = (verdict.asset, verdict.position) == (ASSET, Position.LONG)
            if mine and verdict.kind is Kind.CASCADE and verdict.phase is Phase.END:
                self._ended = True
                if not duration_s:
                    loop.call_later(AFTER_S, stop.set)

        daemon.listeners.append(hear)
        daemon.on_published.append(lambda entry, _seconds: self._published.add(entry.id))
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._venues.watch(), name="demo:venues"),
                tasks.create_task(self._listener.run(), name="demo:listener"),
                tasks.create_task(
                    show.run(lambda: camera.look(len(self._published), len(self._listener.ids))),
                    name="demo:show",
                ),
            ]
            running = tasks.create_task(daemon.run(), name="demo:daemon")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(
                    LEAD_S + (duration_s or LONGEST_S / daemon.clock.speed)
                ):
                    await stop.wait()
            truths = await self._venues.truth()
            virtual_s = max(0, (daemon.clock.now_ns() - EPOCH_NS) // NS)
            daemon.stop()
            await running
            await self._listener.has(self._published, RECEIVE_S)
            for task in beside:
                task.cancel()
        return self._result(virtual_s, truths)

    def _result(self, virtual_s: int, truths: list[Truth]) -> Result:
        view = self._daemon.report.view()
        outcome = Outcome(
            seed=self._plan.seed,
            virtual_seconds=virtual_s,
            frames=sum(stream.frames for stream in view.streams),
            liquidations=sum(
                count for (_, kind), count in view.events.items() if kind == "liquidation"
            ),
            malformed=sum(view.malformed.values()),
            episodes=self._episodes.told(truths),
            alerts_published=len(self._published),
            alerts_received=len(self._listener.ids),
        )
        why = why_not(
            outcome, self._published - self._listener.ids, self._decided - self._published
        )
        return Result(outcome, why, ended=self._ended)
