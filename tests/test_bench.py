"""Tests of the measured figures: each part at a tiny size. How fast anything is, is not tested."""

import gzip
import math
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from monitor.bench import alerts, broker, kernel, memory, mix, pipeline, replaying, report, sender
from monitor.bench.machine import look
from monitor.bench.results import KernelFigures, Part, Spread, spread
from monitor.cli import app
from monitor.errors import MeasureError
from monitor.instruments import InstrumentTable
from monitor.venues.binance import BINANCE
from tests.brokers import NEEDS_MOSQUITTO

FRAMES = 400


def _quietly(_part: str) -> None:
    """Progress that nobody watches."""


def test_a_made_up_mix_has_a_forced_order_in_a_hundred_and_reads_without_damage() -> None:
    """Made-up frames are read by the real Reader as what they are counted as."""
    frames = mix.load(None, 1000)
    reader = BINANCE.reader("all", InstrumentTable("binance"), frames.stamps[0])
    read = [
        type(event).__name__
        for stamp, frame in zip(frames.stamps, frames.frames, strict=True)
        for event in reader.read(frame, stamp)
    ]
    counts = {name: read.count(name) for name in ("BookTop", "Trade", "Liquidation")}
    assert counts == {
        "BookTop": frames.book_tops,
        "Trade": frames.trades,
        "Liquidation": frames.forced_orders,
    }
    assert frames.forced_orders == 10
    assert len(read) == 1000
    assert list(frames.stamps) == sorted(frames.stamps)


def test_a_recorded_mix_leaves_depth_out_and_keeps_stamps(tmp_path: Path) -> None:
    """A tape's book tops and trades come as they are, its depth frames do not."""
    top = b'{"stream":"btcusdt@bookTicker","data":{}}'
    tape = tmp_path / "tape.gz"
    tape.write_bytes(
        gzip.compress(b'7 {"stream":"btcusdt@depth@0ms","data":{}}\n8 ' + top + b"\n")
    )
    frames = mix.load(tape)
    assert (frames.source, frames.stamps, frames.frames) == ("recorded", (8,), (top,))


def test_a_tape_of_another_make_is_refused(tmp_path: Path) -> None:
    """What is no tape gives one clear error."""
    tape = tmp_path / "tape.gz"
    tape.write_bytes(b"nothing packed")
    with pytest.raises(MeasureError, match="expected lines"):
        mix.load(tape)


def test_both_kinds_of_process_take_every_frame() -> None:
    """The bare receiver and the daemon consume all frames; the ratio is that of the medians."""
    found = pipeline.measure(None, _quietly, repeats=1, most=FRAMES, warm=100)
    assert found.pipeline_frames == FRAMES - 100
    assert found.pipeline_ratio == found.bare_us_per_frame / found.whole_us_per_frame
    assert min(*found.bare_runs_us, *found.whole_runs_us) > 0.0


def test_the_kernel_and_its_twin_agree_on_every_array() -> None:
    """The twin in C leaves the same bytes; without a compiler the reason is given instead."""
    found = kernel.measure(None, _quietly, repeats=1, most=FRAMES, least_run_s=0.0)
    assert found.kernel_events == FRAMES
    assert found.kernel_ns_per_event > 0.0
    assert math.isnan(found.kernel_c_ratio) == bool(found.no_twin)


def test_without_a_compiler_there_is_a_kernel_figure_and_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine without gcc still measures the kernel."""
    monkeypatch.setenv("PATH", "")
    found = kernel.measure(None, _quietly, repeats=1, most=FRAMES, least_run_s=0.0)
    assert found.no_twin == "gcc is not installed"
    assert found.kernel_ns_per_event > 0.0


@NEEDS_MOSQUITTO
def test_alerts_are_timed_to_the_brokers_acknowledgement() -> None:
    """Ladders are really filled: crossings and slow verdicts both reach the broker."""
    found = alerts.measure(_quietly, least=6)
    assert not isinstance(found, str)
    assert found.frame_to_alert_ms.alerts >= 6
    assert found.order_to_alert_ms.alerts >= 3
    assert 0.0 < found.order_to_alert_ms.p50 <= found.order_to_alert_ms.p99
    assert found.alert_load_per_s > 0.5 * sender.LOAD_PER_S


def test_without_a_broker_alerts_are_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine without mosquitto says so."""
    monkeypatch.setattr(broker, "program", lambda: None)
    assert alerts.measure(_quietly) == (
        "mosquitto is not installed (Debian: apt-get install mosquitto)"
    )


def test_every_recorded_frame_is_replayed() -> None:
    """The replay reads back what the recorder wrote, all of it."""
    found = replaying.measure(None, _quietly, repeats=2, most=FRAMES)
    assert found.replay_frames == FRAMES
    assert len(found.replay_runs_per_s) == 2


def test_the_daemon_lists_every_symbol_and_says_its_memory() -> None:
    """Memory is that of a daemon that knows all symbols and takes their frames."""
    found = memory.measure(_quietly, symbols=120, run_s=3.0)
    assert found.rss_symbols >= 120
    assert found.rss_frames > 0
    assert found.rss_mb > 10.0


def test_a_spread_is_median_and_last_hundredth() -> None:
    """Percentiles lie between the values around them."""
    assert spread([float(n) for n in range(101)]) == Spread(50.0, 99.0, 101)


def test_a_report_is_one_flat_object_with_null_for_what_is_not_known() -> None:
    """Figures stand under their own names; what could not be had is null with a reason."""
    figures = KernelFigures(200.0, math.nan, math.nan, 1, "gcc is not installed")
    whole = report.Report(
        machine=look(),
        mix="made up",
        figures={Part.KERNEL: figures},
        omitted={"kernel_c_ratio": figures.no_twin},
        duration_s=1.0,
    )
    flat = orjson.loads(orjson.dumps(whole.flat()))
    assert flat["kernel_ns_per_event"] == 200.0
    assert flat["kernel_c_ratio"] is None
    assert flat["omitted"] == {"kernel_c_ratio": "gcc is not installed"}
    assert set(flat["machine"]) == {
        "cpu", "cores", "load", "python", "system", "packages", "commit",
    }  # fmt: skip
    assert [(row.name, row.met) for row in whole.rows()] == [("kernel_ns_per_event", False)]


def test_the_command_ends_with_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """`liqmon bench --only kernel --json` prints the figures of that part alone."""
    monkeypatch.setattr(mix, "usual_tape", lambda: None)
    done = CliRunner().invoke(app, ["bench", "--only", "kernel", "--json"])
    assert done.exit_code == 0, done.output
    told = orjson.loads(done.stdout.splitlines()[-1])
    assert told["kernel_ns_per_event"] > 0.0
    assert told["mix"] == "made up"
    assert "pipeline_ratio" not in told
