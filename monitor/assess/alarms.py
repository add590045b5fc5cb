"""Verdicts as alarms: what a reader of each tier's alerts would have been told, and when.

A tier's alarm is raised when a ladder reaches it from below and ends when the ladder is below it
again. Within an episode a bucket that fills to the onset tier again after a lull is told as
another wave: that is another alarm of every tier. EPISODE counts the first of them only, for as
long as the episode lasts; ONSET ends where forced flow pauses.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from monitor.assess.months import Alarm, Ending
from monitor.detect.ladder import ENDED_STATES, EPISODE_STATES, PRESSURE_STATES, REFILLED
from monitor.detect.verdict import State, Verdict
from monitor.events import Position

NS: Final = 1_000_000_000
TIERS: Final = ("NOTICE", "BUILDING", "EPISODE", "ONSET")
EPISODE: Final = TIERS.index("EPISODE")
ONSET: Final = TIERS.index("ONSET")
CALLS: Final = ENDED_STATES | {State.EXHAUSTING}


class _Ladder:
    """One ladder while its verdicts are read: how high it stands, since when for each tier."""

    def __init__(self) -> None:
        self.height = 0
        self.since = [0] * len(TIERS)


def read(
    verdicts: Iterable[Verdict], assets: Sequence[str], start_ns: int, seconds: int
) -> tuple[dict[str, tuple[Alarm, ...]], tuple[Ending, ...]]:
    """The alarms of each tier in order of detection, and how detected episodes paused and ended.

    Args:
        verdicts: In the order they were said; those from before the month set the scene only,
            those of other assets are passed over.
        assets: The month's assets, in the order of its columns.
        start_ns: Market time of the month's first second.
        seconds: Its length.
    """
    ladders = {
        (asset, position): (2 * place + int(position is Position.SHORT), _Ladder())
        for place, asset in enumerate(assets)
        for position in Position
    }
    found: list[list[Alarm]] = [[] for _ in TIERS]
    endings = []
    for verdict in verdicts:
        at = (verdict.detected_ns - start_ns) // NS
        if at >= seconds or (verdict.asset, verdict.position) not in ladders:
            continue
        row, ladder = ladders[verdict.asset, verdict.position]
        if verdict.state in CALLS and ladder.height > EPISODE and at >= 0:
            chance = verdict.evidence.rewave_probability
            endings.append(Ending(row, ladder.since[EPISODE], at, verdict.state.value, chance))
        if verdict.reason == REFILLED:
            _raise_again(row, ladder, at, found)
        elif verdict.state is not State.CASCADING:
            _move(row, ladder, _height(verdict.state), at, found)
    for row, ladder in ladders.values():
        _move(row, ladder, 0, seconds, found)
    return (
        {
            tier: tuple(sorted(alarms, key=lambda alarm: (alarm.detected, alarm.ladder)))
            for tier, alarms in zip(TIERS, found, strict=True)
        },
        tuple(endings),
    )


def _height(state: State) -> int:
    """How many tiers a state has reached."""
    if state in EPISODE_STATES:
        return EPISODE + 1 if state is State.EXHAUSTING else len(TIERS)
    return TIERS.index(state.value) + 1 if state in PRESSURE_STATES else 0


def _move(row: int, ladder: _Ladder, height: int, at: int, found: list[list[Alarm]]) -> None:
    """Begin and end alarms as a ladder goes up or down; those begun before the month are none."""
    for tier in range(len(TIERS)):
        if ladder.height <= tier < height:
            ladder.since[tier] = at
        elif height <= tier < ladder.height and ladder.since[tier] >= 0:
            found[tier].append(Alarm(row, ladder.since[tier], at))
    ladder.height = height


def _raise_again(row: int, ladder: _Ladder, at: int, found: list[list[Alarm]]) -> None:
    """End the alarms of an episode's last wave and begin those of another."""
    for tier in range(len(TIERS)):
        if tier == EPISODE:
            continue
        if tier < ladder.height and ladder.since[tier] >= 0:
            found[tier].append(Alarm(row, ladder.since[tier], at))
        ladder.since[tier] = at
    ladder.height = len(TIERS)
