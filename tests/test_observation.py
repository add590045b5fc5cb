import itertools
import math
import statistics
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import draws
from kernels.arrival import STEP_BITS, arrange
from kernels.dtypes import (
    BOOK_TOP,
    LIQUIDATION,
    LONG,
    MARK,
    ROWS_OF_ASSET,
    SHORT,
    TRADE,
    Records,
    event_dtype,
)
from monitor.simulate import dice
from monitor.simulate.incidents import Rates
from monitor.simulate.observation import VENUES
from tests.showing import (
    CALM,
    NS,
    START,
    by_event,
    changed,
    full,
    observer,
    of,
    orders,
    parts,
    shown,
    tape,
)
from tests.test_jit import uncompiled

MS = 1_000_000
BUSY = Rates(cuts_a_day=40.0, gaps_a_day=40.0, outages_a_day=0.0, overlaps_a_day=60.0)
PROGRAM = """
import sys
import numba
from tests.test_observation import some_bytes
assert numba.config.DISABLE_JIT
sys.stdout.buffer.write(some_bytes())
"""


def some_bytes() -> bytes:
    """Everything that a short, stormy tape gives."""
    made = tape(240, burst=60, stress=0.7)
    config = changed(CALM, rates=BUSY, stall_per_s=0.02)
    found = parts(made, config, (150, 150))
    return b"".join(
        array.tobytes() for array in (found.events, found.connections, found.offsets, found.depths)
    )


# What arrives, and in which order.


def test_rows_come_in_the_order_in_which_they_were_received() -> None:
    """Received times never fall, and the offsets say where each second starts."""
    found = shown(tape(600, burst=200, stress=0.9))
    received = found.events["received_ns"]
    assert (np.diff(received) >= 0).all()
    seconds = received // NS
    for k in range(len(found.offsets) - 1):
        inside = seconds[found.offsets[k] : found.offsets[k + 1]]
        assert (inside == START + k).all()
    assert found.offsets[0] == 0
    assert found.offsets[-1] == len(received)


@pytest.mark.parametrize("lengths", [(600,) * 6, (1, 59, 1000, 2540)])
def test_chunks_of_any_length_give_the_same(lengths: tuple[int, ...]) -> None:
    """How a tape is cut into chunks changes no byte of what is shown of it."""
    made = tape(3600, burst=1180, stress=0.3)
    config = changed(CALM, rates=BUSY, stall_per_s=0.01)
    whole, cut = parts(made, config, (3600,)), parts(made, config, lengths)
    assert cut.events.tobytes() == whole.events.tobytes()
    assert cut.connections.tobytes() == whole.connections.tobytes()
    assert cut.offsets.tobytes() == whole.offsets.tobytes()
    assert cut.depths.tobytes() == whole.depths.tobytes()


def test_compiled_or_not_the_same_is_shown() -> None:
    """What is shown is byte-equal with compilation and without."""
    found = uncompiled("-c", PROGRAM)
    assert found.stderr.decode() == ""
    assert found.stdout == some_bytes()


def test_more_rows_than_there_is_room_for() -> None:
    """A flood of orders is shown as a whole: room is made for it."""
    made = tape(30, assets=1)
    made["forced_long"] = 20_000.0
    found = shown(made, full())
    per_second: dict[int, int] = defaultdict(int)
    for at_ns in orders(found.events)["event_ns"].tolist():
        per_second[at_ns // NS] += 1
    assert min(per_second[START + k] for k in range(30)) > 1000
    assert (np.diff(found.events["received_ns"]) >= 0).all()


@given(
    late_ms=st.lists(st.integers(0, 9000), max_size=60),
    held=st.integers(0, 3),
)
def test_arrange_sorts_and_keeps_the_rest(late_ms: list[int], held: int) -> None:
    """Rows received in the chunk come out as a stable sort puts them, later ones stay in order."""
    rows = np.zeros(len(late_ms), event_dtype)
    rows["received_ns"] = [START * NS + held * NS + late * MS for late in late_ms]
    rows["row"] = np.arange(len(rows))
    numbers = np.arange(len(rows), dtype=np.int32)
    start_ns, end_ns = START * NS, (START + 6) * NS
    expected = sorted((r for r in rows.tolist() if r[0] < end_ns), key=lambda r: r[0])
    later = [r for r in rows.tolist() if r[0] >= end_ns]
    arrived, arrived_numbers = np.zeros_like(rows), np.zeros_like(numbers)
    offsets = np.zeros(7, np.int64)
    received = arrange(
        rows.view(np.int64).reshape(-1, 5),
        numbers,
        len(rows),
        start_ns,
        end_ns,
        np.zeros((end_ns - start_ns >> STEP_BITS) + 2, np.int64),
        np.zeros(len(rows), np.int64),
        arrived.view(np.int64).reshape(-1, 5),
        arrived_numbers,
        offsets,
    )
    assert arrived[:received].tolist() == expected
    assert arrived_numbers[:received].tolist() == [r[4] for r in expected]
    assert rows[: len(later)].tolist() == later
    assert numbers[: len(later)].tolist() == [r[4] for r in later]
    assert offsets.tolist() == [sum(r[0] < start_ns + k * NS for r in expected) for k in range(7)]


# Random numbers.


def test_uniform_follows_its_definition() -> None:
    """A stream is Marsaglia's multiply-with-carry, as whole numbers of any size give it."""
    states = dice.seeds(3, np.random.default_rng(1))
    for row, x in enumerate(states.tolist()):
        value = x
        for _ in range(200):
            value = 698769069 * (value % 2**32) + value // 2**32
            expected = ((value % 2**32) ^ (value // 2**32)) % 2**32 / 2**32
            assert draws.uniform(states, row) == expected


def test_draws_have_the_moments_of_their_distributions() -> None:
    """Uniform, normal and lognormal draws have the mean and spread that they should."""
    states = dice.seeds(1, np.random.default_rng(2))
    table = dice.normal_table()
    flat = [draws.uniform(states, 0) for _ in range(20_000)]
    round_ = [draws.normal(states, 0, table) for _ in range(20_000)]
    sizes = [draws.lognormal(states, 0, table, 1.0, math.inf) for _ in range(20_000)]
    assert 0.0 <= min(flat) <= max(flat) < 1.0
    assert statistics.fmean(flat) == pytest.approx(0.5, abs=0.01)
    assert statistics.fmean(round_) == pytest.approx(0.0, abs=0.03)
    assert statistics.stdev(round_) == pytest.approx(1.0, abs=0.02)
    assert statistics.fmean(sizes) == pytest.approx(1.0, abs=0.05)
    assert max(draws.lognormal(states, 0, table, 1.3, 4.0) for _ in range(2000)) == 4.0


# Forced orders.


def largest(rows: Records) -> list[tuple[Any, ...]]:
    """The twin of the rule: of each contract and second the largest order, the first of equals."""
    best: dict[tuple[int, int], Any] = {}
    for one in sorted(rows.tolist(), key=lambda r: r[1]):
        key = (one[4], one[1] // NS)
        if key not in best or one[2] > best[key][2]:
            best[key] = one
    return sorted((one[1], one[4], one[6], one[2], one[3]) for one in best.values())


def latest_times(rows: Records) -> list[tuple[int, int]]:
    """The twin of the rule: of each contract and second the time of the latest order."""
    last: dict[tuple[int, int], int] = {}
    for one in rows.tolist():
        key = (one[4], one[1] // NS)
        last[key] = max(last.get(key, 0), one[1])
    return sorted((at_ns, row) for (row, _), at_ns in last.items())


def test_the_sampling_rules() -> None:
    """One venue prints the largest order of a second, one all of them, one the latest."""
    made = tape(900, burst=300)
    truth, found = shown(made, full()).events, shown(made).events
    assert len(orders(truth, 0)) > 2 * len(orders(found, 0))
    assert by_event(orders(found, 0)) == largest(orders(truth, 0))
    assert by_event(orders(found, 1)) == by_event(orders(truth, 1))
    printed = by_event(orders(found, 2))
    assert [one[:2] for one in printed] == latest_times(orders(truth, 2))
    assert set(printed) <= set(by_event(orders(truth, 2)))


def test_a_thinned_full_tape() -> None:
    """With `thin_full` the full tape prints the largest of a second; nothing else changes."""
    made = tape(900, burst=300)
    truth, found = shown(made).events, shown(made, changed(CALM, thin_full=True)).events
    assert by_event(orders(found, 1)) == largest(orders(truth, 1))
    for venue in (0, 2):
        assert orders(found, venue).tobytes() == orders(truth, venue).tobytes()
    for kind in (TRADE, BOOK_TOP, MARK):
        assert of(found, kind).tobytes() == of(truth, kind).tobytes()


def test_scaled_prints() -> None:
    """A factor on all prints multiplies their coins and dollars and touches nothing else."""
    made = tape(600, burst=300)
    plain, scaled = shown(made), shown(made, changed(CALM, scale=0.25))
    forced = plain.events["kind"] == LIQUIDATION
    expected = plain.events.copy()
    expected["a"][forced] *= 0.25
    expected["b"][forced] *= 0.25
    assert scaled.events.tobytes() == expected.tobytes()
    assert scaled.connections.tobytes() == plain.connections.tobytes()


def test_no_coin_is_lost() -> None:
    """What full tapes print and what is still due add up to what was forced, by asset."""
    made = tape(1800, burst=600)
    one = observer(full())
    arrived = one.chunk(made, START).events
    events = np.concatenate((arrived, one._made[: one._waiting]))
    for asset, (position, name, left) in itertools.product(
        range(2), ((LONG, "forced_long", "due_long"), (SHORT, "forced_short", "due_short"))
    ):
        chosen = events[
            (events["kind"] == LIQUIDATION)
            & (events["row"] // ROWS_OF_ASSET == asset)
            & (events["position"] == position)
        ]
        rest = one._rows[left][asset * ROWS_OF_ASSET : (asset + 1) * ROWS_OF_ASSET].sum()
        forced = made[name][:, asset].sum()
        assert chosen["a"].sum() + rest == pytest.approx(forced, rel=1e-9)
        assert rest < 0.2 * forced


def test_a_busy_second_holds_many_orders_of_spread_sizes() -> None:
    """A cascade's second holds 5 to 50 orders, and sizes spread over more than a decade."""
    made = tape(600, burst=300)
    found = orders(shown(made, full()).events)
    burst = found[(found["row"] < ROWS_OF_ASSET) & (found["event_ns"] // NS >= START + 300)]
    burst = burst[burst["event_ns"] // NS < START + 360]
    counts = np.bincount(burst["event_ns"] // NS - START - 300, minlength=60)
    assert 5 <= np.quantile(counts, 0.05) <= counts.max() <= 50
    assert np.quantile(burst["a"], 0.95) > 10 * np.quantile(burst["a"], 0.05)
    assert (burst["b"] / burst["a"]).tolist() == pytest.approx(
        made["mark"][burst["event_ns"] // NS - START, 0].tolist()
    )


def test_venues_have_their_shares() -> None:
    """Each venue's part of all forced coins is its share, second by second a noisy one."""
    made = tape(900)
    made["forced_long"] = 100.0
    found = orders(shown(made, full()).events)
    parts_of = [found["a"][found["row"] % ROWS_OF_ASSET == v].sum() for v in range(3)]
    shares = [venue.share for venue in VENUES]
    assert [part / sum(parts_of) for part in parts_of] == pytest.approx(shares, abs=0.01)
