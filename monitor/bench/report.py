"""The whole of it: which parts there are, what they gave, and what is asked of them."""

import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from monitor.bench import alerts, kernel, machine, memory, pipeline, replaying
from monitor.bench.machine import Machine
from monitor.bench.results import Figures, KernelFigures, Part

# How many steps each part tells of.
STEPS: Final = {
    Part.PIPELINE: 2 * pipeline.REPEATS,
    Part.KERNEL: kernel.REPEATS,
    Part.ALERTS: 1,
    Part.REPLAY: replaying.REPEATS,
    Part.MEMORY: 1,
}


class Row(msgspec.Struct, frozen=True):
    """One figure beside what is asked of it."""

    name: str
    measured: float
    asked: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether it is as asked."""
        return self.measured >= self.asked if self.at_least else self.measured <= self.asked


class Report(msgspec.Struct, frozen=True):
    """Everything that was measured in one run.

    Attributes:
        machine: Where.
        mix: Whether the frames were recorded or made up.
        figures: What each part gave.
        omitted: Why a part, or a piece of one, is missing.
        duration_s: How long it took.
    """

    machine: Machine
    mix: str
    figures: dict[Part, Figures]
    omitted: dict[str, str]
    duration_s: float

    def flat(self) -> dict[str, Any]:
        """The report as one JSON object: the figures by their own names, NaN as null."""
        flat: dict[str, Any] = {}
        for figures in self.figures.values():
            flat |= msgspec.to_builtins(figures)
        flat.pop("no_twin", None)
        flat = {name: None if _is_nan(value) else value for name, value in flat.items()}
        return flat | {
            "omitted": self.omitted,
            "mix": self.mix,
            "machine": msgspec.to_builtins(self.machine),
            "duration_s": self.duration_s,
        }

    def rows(self) -> list[Row]:
        """The figures that something is asked of, as far as they were measured."""
        flat = self.flat()
        rows = []
        for name, (asked, at_least) in ASKED.items():
            first, _, second = name.partition(" ")
            value = flat.get(first)
            if second and value is not None:
                value = value[second]
            if value is not None:
                rows.append(Row(name, value, asked, at_least))
        return rows


# Name -> what is asked, and whether that is a least.
ASKED: Final = {
    "pipeline_ratio": (0.6, True),
    "kernel_ns_per_event": (150.0, False),
    "frame_to_alert_ms p99": (50.0, False),
    "order_to_alert_ms p99": (200.0, False),
    "rss_mb": (400.0, False),
    "replay_frames_per_s": (60_000.0, True),
}


def measure(parts: Iterable[Part], tape: Path | None, step: Callable[[str], None]) -> Report:
    """Measure these parts, one after another; `step` is called whenever one gets on.

    Raises:
        MeasureError: A part could not be measured.
    """
    began_s = time.monotonic()
    here = machine.look()
    figures: dict[Part, Figures] = {}
    omitted: dict[str, str] = {}
    for part in parts:
        found = _one(part, tape, step)
        if isinstance(found, str):
            omitted[part.value] = found
            continue
        figures[part] = found
        if isinstance(found, KernelFigures) and found.no_twin:
            omitted["kernel_c_ratio"] = found.no_twin
    return Report(
        machine=here,
        mix="made up" if tape is None else "recorded",
        figures=figures,
        omitted=omitted,
        duration_s=round(time.monotonic() - began_s, 1),
    )


def _one(part: Part, tape: Path | None, step: Callable[[str], None]) -> Figures | str:
    match part:
        case Part.PIPELINE:
            return pipeline.measure(tape, step)
        case Part.KERNEL:
            return kernel.measure(tape, step)
        case Part.ALERTS:
            return alerts.measure(step)
        case Part.REPLAY:
            return replaying.measure(tape, step)
        case Part.MEMORY:
            return memory.measure(step)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
