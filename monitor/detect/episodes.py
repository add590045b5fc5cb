"""Episodes: what one ladder has lived through, and the verdicts that tell of it.

NOTICE and BUILDING are one pressure alert with an id of its own; it ends when the bucket is
quiet again or when it turns into a cascade. ONSET opens an episode; CASCADING, EXHAUSTING and
new waves update it; EXHAUSTED, FIZZLED or UNCONFIRMED end it. Ids are made of the asset, the
position and the event time of what opened the alert, so they depend on the data alone.
"""

import math
from datetime import UTC, datetime
from typing import Final

import msgspec

from monitor.detect.ladder import ENDED_STATES, EPISODE_STATES, PRESSURE_STATES
from monitor.detect.verdict import Kind, Phase, Severity, State
from monitor.events import Position

NS: Final = 1_000_000_000

SEVERITY: Final = {
    State.QUIET: Severity.NOTICE,
    State.NOTICE: Severity.NOTICE,
    State.BUILDING: Severity.WARNING,
    State.ONSET: Severity.CRITICAL,
    State.CASCADING: Severity.CRITICAL,
    State.EXHAUSTING: Severity.WARNING,
    State.EXHAUSTED: Severity.NOTICE,
    State.FIZZLED: Severity.NOTICE,
    State.UNCONFIRMED: Severity.WARNING,
}


class Ladder(msgspec.Struct):
    """One ladder's memory: everything its later verdicts depend on beside the kernels' rows.

    Shares are of open interest, `adverse` a price move in the forced direction (positive) as
    a ratio of the onset price; counters of seconds count observed seconds.
    """

    asset: str
    position: Position
    state: State = State.QUIET
    since_ns: int = 0
    alert_id: str = ""  # of the pressure alert or episode that is open; empty when none
    messages: int = 0  # sent of it so far
    last_episode_id: str = ""
    last_episode_ns: int = 0
    follows: str = ""
    wave: int = 0
    start_share: float = 0.0
    start_usd: int = 0
    start_orders: int = 0
    largest_usd: float = 0.0
    onset_price: float = math.nan
    trigger_move: float = math.nan
    adverse: float = math.nan
    extreme: float = math.nan
    pause_extreme: float = math.nan
    since_extreme_s: int = 0
    steepest: float = math.nan
    quiet_s: int = 0
    calm_s: int = 0
    lulled: bool = False
    fading_s: int = 0
    blind_s: int = 0

    @property
    def in_episode(self) -> bool:
        """Whether an episode is open, so that the asset's own scale is held."""
        return self.state in EPISODE_STATES

    def see_price(self, price: float) -> None:
        """Take a second's fresh price into the episode's move and extreme."""
        if math.isnan(self.onset_price):
            self.onset_price = price
        sign = -1.0 if self.position is Position.LONG else 1.0
        self.adverse = sign * (price / self.onset_price - 1.0)
        if math.isnan(self.extreme) or self.adverse > self.extreme:
            self.extreme = self.adverse
            self.since_extreme_s = 0
        else:
            self.since_extreme_s += 1

    def see_slope(self, slope: float) -> None:
        """Take a second's fresh open-interest slope into the steepest of the episode."""
        if slope < 0.0 and not self.steepest <= slope:
            self.steepest = slope

    @property
    def beyond_ratio(self) -> float:
        """How far price has passed the extreme at EXHAUSTING, over the range until then."""
        # Without a range of its own (price hardly moved) a tenth of a percent stands in.
        return (self.extreme - self.pause_extreme) / max(self.pause_extreme, 1e-3)


class Message(msgspec.Struct, frozen=True):
    """Identity of one verdict within the life of its alert."""

    id: str
    episode_id: str
    phase: Phase
    kind: Kind
    severity: Severity


def _stamp(event_ns: int) -> str:
    moment = datetime.fromtimestamp(event_ns // NS, tz=UTC)
    return f"{moment:%Y%m%dT%H%M%S}.{event_ns // 1_000_000 % 1000:03d}Z"


def _message(ladder: Ladder, phase: Phase, kind: Kind, state: State) -> Message:
    ladder.messages += 1
    return Message(
        id=f"{ladder.alert_id}-{ladder.messages}",
        episode_id=ladder.alert_id,
        phase=phase,
        kind=kind,
        severity=SEVERITY[state],
    )


def enter(
    ladder: Ladder,
    state: State,
    event_ns: int,
    detected_ns: int,
    follows_within_ns: int,
    *,
    wave: bool = False,
) -> list[Message]:
    """Move a ladder to a state and say which alerts start, go on or end with it.

    The ladder's own numbers at onset (price, totals) are set by the caller; this rules ids,
    phases, waves and holds.
    """
    before, ladder.state, ladder.since_ns = ladder.state, state, detected_ns
    ladder.quiet_s = ladder.calm_s = ladder.fading_s = 0
    # A revoked pause has left the bucket empty: when it fills, that is another wave.
    ladder.lulled = before is State.EXHAUSTING and not wave
    messages = []
    if before in PRESSURE_STATES and state not in PRESSURE_STATES:
        messages.append(_message(ladder, Phase.END, Kind.PRESSURE, state))
        ladder.alert_id = ""
    if state in PRESSURE_STATES:
        phase = Phase.UPDATE
        if not ladder.alert_id:
            ladder.alert_id = f"{ladder.asset}-{ladder.position.value}-pressure-{_stamp(event_ns)}"
            ladder.messages, phase = 0, Phase.START
        messages.append(_message(ladder, phase, Kind.PRESSURE, state))
    elif state is State.ONSET:
        recent = event_ns - ladder.last_episode_ns <= follows_within_ns
        ladder.follows = ladder.last_episode_id if recent else ""
        ladder.alert_id = f"{ladder.asset}-{ladder.position.value}-{_stamp(event_ns)}"
        # Blindness is the episode's: a pause called without open interest does not end it.
        ladder.messages, ladder.wave, ladder.blind_s = 0, 1, 0
        messages.append(_message(ladder, Phase.START, Kind.CASCADE, state))
    elif state in EPISODE_STATES:
        if wave:
            ladder.wave += 1
        if state is State.EXHAUSTING:
            ladder.pause_extreme = ladder.extreme
        messages.append(_message(ladder, Phase.UPDATE, Kind.CASCADE, state))
    elif state in ENDED_STATES:
        messages.append(_message(ladder, Phase.END, Kind.CASCADE, state))
        ladder.last_episode_id, ladder.last_episode_ns = ladder.alert_id, event_ns
        ladder.alert_id = ""
    return messages
