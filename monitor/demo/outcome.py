"""What came of a demo: its episodes beside the truth, as one JSON object, and the exit rule."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from monitor.demo.venues import Truth
from monitor.detect.verdict import Kind, Phase, State, Verdict
from monitor.events import Position

MS: Final = 1_000_000
# An episode is about a cascade when it begins no earlier than this before the cascade does.
BEFORE_MS: Final = 60_000
WHOLE: Final = (
    State.QUIET,
    State.NOTICE,
    State.BUILDING,
    State.ONSET,
    State.CASCADING,
    State.EXHAUSTING,
    State.EXHAUSTED,
)


class Step(msgspec.Struct, frozen=True):
    """A state, and the market time at which it was entered."""

    state: State
    event_time_ms: int


class Forced(msgspec.Struct, frozen=True):
    """The cascade that an episode was about, as it really was."""

    onset_time_ms: int
    end_time_ms: int
    forced_usd: float


class Episode(msgspec.Struct, frozen=True):
    """One episode: its states, those of the pressure before it first, and what was observed.

    `forced_usd` is what the venues printed, up to the last state; `truth` is null where too
    little was forced for a cascade, and for the market as a whole.
    """

    id: str
    asset: str
    position: Position
    states: tuple[Step, ...]
    forced_usd: float
    truth: Forced | None = None

    @property
    def whole(self) -> bool:
        """Whether it went all the way, with every state at least once and in order."""
        names = iter(step.state for step in self.states)
        return self.states[-1].state is State.EXHAUSTED and all(s in names for s in WHOLE)

    @property
    def onset_time_ms(self) -> int:
        """When ONSET was entered; of an episode that was open before the demo, its first time."""
        times = (step.event_time_ms for step in self.states if step.state is State.ONSET)
        return next(times, self.states[0].event_time_ms)


class Outcome(msgspec.Struct, frozen=True):
    """The whole demo in figures; alerts are counted by distinct id."""

    seed: int
    virtual_seconds: int
    frames: int
    liquidations: int
    malformed: int
    episodes: tuple[Episode, ...]
    alerts_published: int
    alerts_received: int


class Episodes:
    """Gathers episodes from the verdicts, each with the pressure that led to it."""

    def __init__(self, opened_ns: int) -> None:
        self._opened_ms = opened_ns // MS
        self._pressure: dict[tuple[str, Position], list[Step]] = {}
        self._told: dict[str, Episode] = {}

    def take(self, verdict: Verdict) -> None:
        """Take the next verdict."""
        ladder = (verdict.asset, verdict.position)
        step = Step(verdict.state, verdict.event_ns // MS)
        # What was open when the demo began goes on with the state it was in.
        came = [Step(verdict.previous_state, self._opened_ms)]
        if verdict.kind is Kind.PRESSURE:
            if verdict.phase is not Phase.END:
                self._pressure.setdefault(ladder, came).append(step)
            elif verdict.state is not State.ONSET:
                self._pressure.pop(ladder, None)
            return
        known = self._told.get(verdict.episode_id)
        before = self._pressure.pop(ladder, came) if known is None else list(known.states)
        self._told[verdict.episode_id] = Episode(
            verdict.episode_id,
            verdict.asset,
            verdict.position,
            (*before, step),
            verdict.evidence.forced_usd,
        )

    def told(self, truths: Sequence[Truth] = ()) -> tuple[Episode, ...]:
        """The episodes so far in order of onset, each beside the truth it was about."""
        return tuple(
            msgspec.structs.replace(episode, truth=_truth_of(episode, truths))
            for episode in self._told.values()
        )


def why_not(outcome: Outcome, unreceived: Collection[str], unpublished: Collection[str]) -> str:
    """Why a demo failed, in one line; empty when it did not.

    Args:
        outcome: What came of it.
        unreceived: Ids of alerts that the broker took and the subscriber never got.
        unpublished: Ids of alerts that the broker never took.
    """
    if unpublished:
        return f"expected every alert to be published, {_some(unpublished)} were not"
    if unreceived:
        return f"expected every published alert to be received, {_some(unreceived)} were not"
    if any(episode.whole for episode in outcome.episodes):
        return ""
    told = "; ".join(
        f"{e.asset} {e.position}: {' '.join(step.state for step in e.states)}"
        for e in outcome.episodes
    )
    return f"expected an episode from QUIET through to EXHAUSTED, was: {told or 'no episode'}"


def _some(ids: Iterable[str]) -> str:
    listed = sorted(ids)
    return f"{len(listed)} ({', '.join(listed[:3])}{', ...' if len(listed) > 3 else ''})"  # noqa: PLR2004 - enough to look for


def _truth_of(episode: Episode, truths: Sequence[Truth]) -> Forced | None:
    for truth in truths:
        begins_ms = truth.onset_time_ms - BEFORE_MS
        if (truth.asset, truth.position) == (episode.asset, episode.position.value) and (
            begins_ms <= episode.onset_time_ms <= truth.end_time_ms
        ):
            return Forced(truth.onset_time_ms, truth.end_time_ms, truth.forced_usd)
    return None
