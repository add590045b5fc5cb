"""The end of a cascade: was it over when EXHAUSTED was called, and was it called at all.

Another wave is forced flow, in the thirty minutes after a call, of more than a quarter of that
from the episode's onset to the call. The onset is the true one where the detector's ONSET falls
within a true episode, else the detector's. Calls whose half hour the month does not hold are
left out, and so are episodes whose two hours it does not hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from kernels import scoring
from kernels.dtypes import Integers, Reals, Records
from monitor.assess.matching import Ladder, Outcome
from monitor.assess.months import Alarm, Ending, Month
from monitor.detect.verdict import State

HORIZON_S: Final = 1800
WAVE_RATIO: Final = 0.25
CALL_WITHIN_S: Final = 7200
PAUSED: Final = State.EXHAUSTING.value
FINAL: Final = State.EXHAUSTED.value
HOLD_WITHIN_S: Final = 14_400
HOLDS_S: Final = (120, 180, 300, 420, 600, 720, 900, 1080, 1200, 1500, 1800)

call_dtype = np.dtype(
    [
        ("asset", np.int64),
        ("rank", np.int64),  # of the highest true episode between onset and call
        ("rewave", np.int64),  # 1: another wave came
        ("final", np.int64),  # 1: EXHAUSTED, 0: EXHAUSTING or research
        ("hold_s", np.int64),  # of a research call; 0 for a verdict
        ("age_s", np.int64),  # since the extreme of the mark between onset and call
        ("probability", np.float64),
    ]
)
"""One call that it was over, and what came of it."""

fate_dtype = np.dtype(
    [
        ("asset", np.int64),
        ("fate", np.int64),  # MISSED, CALLED or OVERTAKEN
        ("lag_s", np.int64),  # of the call behind the true end, where there is one
    ]
)
"""What became of one alarmed cascade."""

MISSED: Final = 0
CALLED: Final = 1
OVERTAKEN: Final = 2


@dataclass(frozen=True)
class Ends:
    """How the end was called in a month.

    Attributes:
        endings: Name of an ending -> how many detected episodes ended so.
        calls: EXHAUSTED and EXHAUSTING verdicts (rows of `call_dtype`).
        research: Calls that a hold alone would have made after each episode's start (the same).
        fates: Alarmed cascades (rows of `fate_dtype`).
    """

    endings: dict[str, int]
    calls: Records
    research: Records
    fates: Records


def ends(
    month: Month, ladders: Sequence[Ladder], episodes: Records, outcome: Outcome, tier: int
) -> Ends:
    """Judge a month's endings.

    Args:
        month: With its alarms and endings.
        ladders: Its ladders.
        episodes: All its true episodes, small ones too.
        outcome: How its tiers' alarms met episodes.
        tier: Place of ONSET among them.
    """
    named: dict[str, int] = {}
    calls, research, fates = [], [], []
    for ladder in ladders:
        endings = [ending for ending in month.endings if ending.ladder == ladder.number]
        for ending in endings:
            if ending.state != PAUSED:
                named[ending.state] = named.get(ending.state, 0) + 1
        exhausted = [e for e in endings if e.state == FINAL and e.onset >= 0]
        paused = [e for e in endings if e.state == PAUSED and e.onset >= 0]
        onsets = [a for a in month.alarms.get("EPISODE", ()) if a.ladder == ladder.number]
        mine = episodes[episodes["ladder"] == ladder.number]
        if exhausted or paused or onsets:
            judge = _Judge(ladder, mine)
            calls += [judge.call(e.onset, e.second, 1, 0, e.probability) for e in exhausted]
            calls += [judge.call(e.onset, e.second, 0, 0, e.probability) for e in paused]
            research += _research(judge, ladder, onsets)
        fates += _fates(ladder, outcome, tier, exhausted, month.seconds)
    return Ends(
        endings=named,
        calls=np.array([call for call in calls if call is not None], call_dtype),
        research=np.array([call for call in research if call is not None], call_dtype),
        fates=np.array(fates, fate_dtype),
    )


_Call = tuple[int, int, int, int, int, int, float]


class _Judge:
    """One ladder's forced flow, summed up so that any stretch of it is a difference."""

    def __init__(self, ladder: Ladder, episodes: Records) -> None:
        self.ladder = ladder
        self.episodes = episodes
        coins = ladder.forced.astype(np.float64) * ladder.interest
        self.until: Reals = np.concatenate([[0.0], np.cumsum(coins)])  # before each second

    def call(
        self, onset: int, at: int, final: int, hold_s: int, probability: float
    ) -> _Call | None:
        """What came of a call; None when the month ends too soon to tell."""
        if at + HORIZON_S >= len(self.ladder.forced):
            return None
        begin = self._begin(onset)
        so_far = self.until[at + 1] - self.until[begin]
        after = self.until[at + 1 + HORIZON_S] - self.until[at + 1]
        touched = (self.episodes["onset"] <= at) & (self.episodes["end"] >= begin)
        rank = int(self.episodes["rank"][touched].max(initial=scoring.SMALL))
        marks = self.ladder.mark[begin : at + 1]
        bottom = int(np.argmax(marks) if self.ladder.number % 2 else np.argmin(marks))
        return (
            self.ladder.number // 2,
            rank,
            int(after > WAVE_RATIO * so_far),
            final,
            hold_s,
            at - begin - bottom,
            probability,
        )

    def _begin(self, onset: int) -> int:
        """Where flow is counted from: the onset of the true episode an alarm fell into."""
        place = int(np.searchsorted(self.episodes["onset"], onset, side="right")) - 1
        if place >= 0 and self.episodes["end"][place] >= onset:
            return int(self.episodes["onset"][place])
        return onset


def _research(judge: _Judge, ladder: Ladder, onsets: Sequence[Alarm]) -> list[_Call | None]:
    """The calls that holds alone would have made after each episode's start."""
    found = []
    wanted: Integers = np.array(HOLDS_S, np.int64)
    at = np.empty(len(wanted), np.int64)
    for alarm in onsets:
        limit = min(alarm.detected + HOLD_WITHIN_S, len(ladder.mark))
        scoring.holds(ladder.mark, alarm.detected, limit, ladder.number % 2, wanted, at)
        found += [
            judge.call(alarm.detected, int(second), 0, hold_s, 0.0)
            for hold_s, second in zip(HOLDS_S, at, strict=True)
            if second >= 0
        ]
    return found


def _fates(
    ladder: Ladder, outcome: Outcome, tier: int, exhausted: Sequence[Ending], seconds: int
) -> list[tuple[int, int, int]]:
    """What became of each alarmed cascade of one ladder."""
    places = np.flatnonzero(outcome.episodes["ladder"] == ladder.number)
    found = []
    for k, place in enumerate(places):
        alarmed = int(outcome.seconds[place, tier])
        if alarmed < 0 or outcome.episodes["rank"][place] != scoring.POSITIVE:
            continue
        end = int(outcome.episodes["end"][place])
        deadline = end + CALL_WITHIN_S
        last = k + 1 == len(places)
        following = seconds if last else int(outcome.episodes["onset"][places[k + 1]])
        until = min(deadline, following - 1)
        calls = [ending.second for ending in exhausted if alarmed < ending.second <= until]
        if calls:
            # A call before the end was too early; the one that tells of the end comes after.
            second = next((call for call in calls if call >= end), calls[-1])
            found.append((ladder.number // 2, CALLED, second - end))
        else:
            overtaken = following <= deadline
            found.append((ladder.number // 2, OVERTAKEN if overtaken else MISSED, 0))
    return found
