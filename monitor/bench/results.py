"""What is measured, in the words of the report."""

import statistics
from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Part(StrEnum):
    """What can be measured alone."""

    PIPELINE = "pipeline"
    KERNEL = "kernel"
    ALERTS = "alerts"
    REPLAY = "replay"
    MEMORY = "memory"


class PipelineFigures(msgspec.Struct, frozen=True):
    """CPU microseconds a frame: a bare process, and our whole path.

    Attributes:
        pipeline_ratio: Bare over whole; 1 would mean that the detector costs nothing.
        bare_us_per_frame: Median of a bare receive with `orjson.loads`.
        whole_us_per_frame: Median of receive, Reader, kernel and ladder.
        bare_runs_us, whole_runs_us: Each run, in order; the two kinds alternate.
        pipeline_frames: Frames of each run.
    """

    pipeline_ratio: float
    bare_us_per_frame: float
    whole_us_per_frame: float
    bare_runs_us: tuple[float, ...]
    whole_runs_us: tuple[float, ...]
    pipeline_frames: int


class KernelFigures(msgspec.Struct, frozen=True):
    """Nanoseconds an event of the hot door alone, and of its twin in C.

    Attributes:
        kernel_ns_per_event: Median over runs, batches of 256.
        kernel_c_ns_per_event: The same loop in C; NaN where it could not be had.
        kernel_c_ratio: The kernel over its twin; NaN likewise.
        kernel_events: Events of one pass.
        no_twin: Why there is no twin; empty when there is one.
    """

    kernel_ns_per_event: float
    kernel_c_ns_per_event: float
    kernel_c_ratio: float
    kernel_events: int
    no_twin: str


class Spread(msgspec.Struct, frozen=True):
    """Median and 99th percentile of so many values, milliseconds."""

    p50: float
    p99: float
    alerts: int


class AlertFigures(msgspec.Struct, frozen=True):
    """How long alerts take.

    Attributes:
        frame_to_alert_ms: From the frame or timer that decides to the broker's acknowledgement.
        order_to_alert_ms: From receipt of the order that crosses a tier to the same.
        alert_load_per_s: Frames a second that the daemon took meanwhile.
    """

    frame_to_alert_ms: Spread
    order_to_alert_ms: Spread
    alert_load_per_s: float


class MemoryFigures(msgspec.Struct, frozen=True):
    """What the daemon holds.

    Attributes:
        rss_mb: Resident memory at the end, MiB.
        rss_symbols: Linear symbols listed over all venues.
        rss_frames: Frames taken until then.
    """

    rss_mb: float
    rss_symbols: int
    rss_frames: int


class ReplayFigures(msgspec.Struct, frozen=True):
    """How fast a recording is replayed.

    Attributes:
        replay_frames_per_s: Median over runs.
        replay_runs_per_s: Each run.
        replay_frames: Frames of a run.
    """

    replay_frames_per_s: float
    replay_runs_per_s: tuple[float, ...]
    replay_frames: int


Figures = PipelineFigures | KernelFigures | AlertFigures | MemoryFigures | ReplayFigures


def spread(values_ms: Sequence[float]) -> Spread:
    """Median and 99th percentile; at least two values."""
    hundredths = statistics.quantiles(values_ms, n=100, method="inclusive")
    return Spread(statistics.median(values_ms), hundredths[98], len(values_ms))
