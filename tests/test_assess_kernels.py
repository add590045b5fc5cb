import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import rolling, scoring
from kernels.dtypes import LONG, SHORT, Reals, Records, episode_dtype
from monitor.assess.months import Shares
from tests import naive_scoring
from tests.naive_scoring import Episode
from tests.streams import examples

GRAIN = 2.0**-20  # sums of its multiples are exact
LEAST = 24 * GRAIN
WINDOW_S = 12
LEAD_S = 20

positions = st.sampled_from((LONG, SHORT))
# Stretches of (seconds, flow, price step): quiet ones and forced ones in turn.
stretches = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from((0, 0, 1, 3, 9, 40)), st.integers(-3, 3)),
    min_size=1,
    max_size=12,
)


class Lane:
    """One ladder's columns, drawn from stretches."""

    def __init__(self, drawn: Sequence[tuple[int, int, int]]) -> None:
        forced, endogenous, steps = [], [], []
        for seconds, flow, step in drawn:
            for k in range(seconds):
                grains = flow * (k % 3)
                forced.append(grains * GRAIN)
                endogenous.append((grains // 2) * GRAIN)
                steps.append(step)
        mark = 1000.0 + np.cumsum(steps)
        self.forced = forced
        self.endogenous = endogenous
        self.mark = [float(price) for price in mark]
        self.interest = [float(1024 - k % 7) for k in range(len(forced))]

    def found(self, position: int, room: int = 100) -> tuple[int, Records]:
        """What the kernel finds."""
        episodes = np.zeros(room, episode_dtype)
        n = scoring.find_episodes(
            single(self.forced),
            single(self.endogenous),
            single(self.mark),
            single(self.interest),
            position,
            WINDOW_S,
            LEAST,
            5,
            9,
            episodes,
        )
        return n, episodes[:n]

    def expected(self, position: int) -> list[Episode]:
        """What its twin finds."""
        return naive_scoring.episodes(
            self.forced,
            self.endogenous,
            self.mark,
            self.interest,
            position,
            window_s=WINDOW_S,
            least_share=LEAST,
            before_s=5,
            after_s=9,
        )


def single(values: Sequence[float]) -> Shares:
    """A column as months hold it."""
    return np.array(values, np.float32)


def told(episodes: Records) -> list[Episode]:
    """The kernel's episodes in the twin's words."""
    return [Episode(*(row[name].item() for name in Episode._fields)) for row in episodes]


@given(drawn=stretches, position=positions)
@examples(150)
def test_episodes_are_those_of_the_twin(drawn: list[tuple[int, int, int]], position: int) -> None:
    """Any flow with any pauses has the same onsets, ends, sizes and moves."""
    lane = Lane(drawn)
    _, found = lane.found(position)
    expected = lane.expected(position)
    assert [e[:4] for e in told(found)] == [e[:4] for e in expected]
    for ours, theirs in zip(told(found), expected, strict=True):
        assert ours[4:] == pytest.approx(theirs[4:], rel=1e-12, abs=1e-12)


def test_episodes_beyond_the_room_are_counted() -> None:
    """Whoever gave too little room is told how much it takes, and what fits is right."""
    lane = Lane([(30, 40, 0), (40, 0, 0)] * 3)
    n, _ = lane.found(LONG, room=1)
    _, whole = lane.found(LONG)
    assert (n, len(whole)) == (3, 3)
    short = np.zeros(1, episode_dtype)
    scoring.find_episodes(
        single(lane.forced),
        single(lane.endogenous),
        single(lane.mark),
        single(lane.interest),
        LONG,
        WINDOW_S,
        LEAST,
        5,
        9,
        short,
    )
    assert told(short) == told(whole[:1])


def crossed(
    statistic: Sequence[float], thresholds: Sequence[float], rearm_s: int
) -> list[list[tuple[int, int]]]:
    """What the kernel raises at each threshold."""
    room = len(statistic) // rearm_s + 2
    detected = np.zeros((len(thresholds), room), np.int64)
    ended = np.zeros_like(detected)
    counts = np.zeros(len(thresholds), np.int64)
    scoring.crossings(
        np.array(statistic), np.array(thresholds), 0.5, rearm_s, detected, ended, counts
    )
    return [
        list(zip(detected[k, :n].tolist(), ended[k, :n].tolist(), strict=True))
        for k, n in enumerate(counts.tolist())
    ]


levels = st.one_of(st.sampled_from((0.0, 0.5, 1.0, 2.0, 4.0, math.nan)), st.floats(0.0, 9.0))


@given(
    statistic=st.lists(st.tuples(levels, st.integers(1, 9)), min_size=1, max_size=40),
    rearm_s=st.integers(1, 12),
)
@examples(150)
def test_crossings_are_those_of_each_threshold_alone(
    statistic: list[tuple[float, int]], rearm_s: int
) -> None:
    """One pass raises for every threshold what a pass of its own would, unknown values too."""
    values = [value for value, seconds in statistic for _ in range(seconds)]
    thresholds = (0.5, 1.0, 2.0, 3.0, 8.0)
    expected = [naive_scoring.crossings(values, t, 0.5, rearm_s) for t in thresholds]
    assert crossed(values, thresholds, rearm_s) == expected


class Meeting:
    """What the kernel says of alarms at one threshold beside others."""

    def __init__(
        self, lane: Lane, episodes: Records, tiers: Sequence[Sequence[tuple[int, int]]]
    ) -> None:
        room = max(len(tier) for tier in tiers)
        shape = (len(episodes), len(tiers))
        detected = np.zeros((len(tiers), room), np.int64)
        ended = np.zeros_like(detected)
        for k, tier in enumerate(tiers):
            for a, (at, until) in enumerate(tier):
                detected[k, a], ended[k, a] = at, until
        self.tallies = np.zeros((len(tiers), scoring.RANKS), np.int64)
        self.remaining: Reals = np.empty(shape)
        self.price: Reals = np.empty(shape)
        self.seconds = np.empty(shape, np.int64)
        self.covered = np.empty(shape, np.uint8)
        scoring.meet(
            detected,
            ended,
            np.array([len(tier) for tier in tiers], np.int64),
            episodes,
            single(lane.forced),
            single(lane.interest),
            single(lane.mark),
            LEAD_S,
            self.tallies,
            self.remaining,
            self.price,
            self.seconds,
            self.covered,
        )


alarm_lists = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def alarms_of(drawn: Sequence[tuple[int, int]], seconds: int) -> list[tuple[int, int]]:
    """Alarms one after the other from pauses and lengths."""
    found = []
    at = 0
    for pause, lasts in drawn:
        at += pause
        if at >= seconds:
            break
        found.append((at, min(at + lasts, seconds)))
        at += lasts + 1
    return found


@given(
    drawn=stretches,
    position=positions,
    tiers=st.tuples(alarm_lists, alarm_lists),
    data=st.data(),
)
@examples(150)
def test_meetings_are_those_of_every_alarm_with_every_episode(
    drawn: list[tuple[int, int, int]],
    position: int,
    tiers: tuple[list[tuple[int, int]], list[tuple[int, int]]],
    data: st.DataObject,
) -> None:
    """Hits, false alarms and what was still to come are those of the plain rule."""
    lane = Lane(drawn)
    _, episodes = lane.found(position)
    n = len(episodes)
    ranks = data.draw(st.lists(st.integers(1, 3), min_size=n, max_size=n))
    episodes["rank"] = ranks
    said = [alarms_of(tier, len(lane.forced)) for tier in tiers]
    meeting = Meeting(lane, episodes, said)
    for k, alarms in enumerate(said):
        expected = naive_scoring.meet(
            alarms,
            lane.expected(position),
            ranks,
            lane.forced,
            lane.interest,
            lane.mark,
            LEAD_S,
        )
        assert meeting.tallies[k].tolist() == expected.tallies
        assert meeting.seconds[:, k].tolist() == expected.seconds
        assert meeting.covered[:, k].tolist() == expected.covered
        for found, told_so in (
            (meeting.remaining, expected.remaining),
            (meeting.price, expected.price),
        ):
            assert found[:, k].tolist() == pytest.approx(told_so, rel=1e-9, abs=1e-9, nan_ok=True)


@given(
    steps=st.lists(st.integers(-2, 2), min_size=1, max_size=80),
    start=st.integers(0, 79),
    limit=st.integers(0, 80),
    position=positions,
)
@examples(150)
def test_holds_are_those_of_the_twin(
    steps: list[int], start: int, limit: int, position: int
) -> None:
    """Each hold calls in the first second that has seen no new extreme for so long."""
    mark = [100.0 + float(sum(steps[: k + 1])) for k in range(len(steps))]
    start, limit = min(start, len(mark) - 1), min(limit, len(mark))
    wanted = np.array([1, 2, 5, 9], np.int64)
    calls = np.empty(4, np.int64)
    scoring.holds(single(mark), start, limit, position, wanted, calls)
    assert calls.tolist() == naive_scoring.holds(mark, start, limit, position, (1, 2, 5, 9))


amounts = st.lists(
    st.one_of(st.just(0.0), st.integers(0, 1 << 20).map(float)), min_size=1, max_size=120
)


@given(values=amounts, window_s=st.integers(1, 40))
@examples(100)
def test_rolling_sums_are_sums_of_slices(values: list[float], window_s: int) -> None:
    """A sum that rolls equals the one that is taken anew every second."""
    out = np.empty(len(values))
    rolling.rolling_sum(single(values), window_s, out)
    assert out.tolist() == naive_scoring.rolling_sum(values, window_s)


@given(
    values=st.lists(
        st.one_of(st.just(math.nan), st.floats(-1e3, 1e3, width=32)), min_size=1, max_size=120
    ),
    window_s=st.integers(1, 40),
    least=st.integers(1, 10),
)
@examples(100)
def test_rolling_moments_are_those_of_slices(
    values: list[float], window_s: int, least: int
) -> None:
    """Mean and deviation are those of the known values of the seconds before."""
    mean, deviation = np.empty(len(values)), np.empty(len(values))
    rolling.rolling_moments(np.array(values), window_s, least, mean, deviation)
    means, deviations = naive_scoring.rolling_moments(values, window_s, least)
    assert mean.tolist() == pytest.approx(means, rel=1e-9, abs=1e-9, nan_ok=True)
    assert deviation.tolist() == pytest.approx(deviations, rel=1e-4, abs=1e-3, nan_ok=True)


@given(values=amounts, drain=st.sampled_from((0.0, 1.0, 1000.0, 300_000.0)))
@examples(100)
def test_a_drained_bucket_is_the_largest_of_all_pasts(values: list[float], drain: float) -> None:
    """What is in the bucket is the most that any past brought above its drain."""
    out = np.empty(len(values))
    rolling.drained(single(values), drain, out)
    assert out.tolist() == naive_scoring.drained(values, drain)
