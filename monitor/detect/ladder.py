"""The ladder: which state follows which, and why, as one table.

One ladder belongs to one asset and to whose positions are being closed. Rows are tried in
order and the first whose rule holds is taken; levels may be skipped. Tiers are compared with
the bucket in units of the asset's own scale u. Hysteresis runs on the bucket alone: confirmers
may gate a way in, never a way out, because gating the re-arm by them made it flap. Where a
pause or an end is called (EXHAUSTING, and every way an episode ends) the bucket starts again
from empty, as a CUSUM does after an alarm; so a bucket at the onset tier always means that much
new forced flow.

Rules and defaults follow the measured reference of the project's detection notes: a call that
forced flow is over within three minutes of the extreme is followed by another wave more often
than not, hence two states, EXHAUSTING (revocable) and EXHAUSTED (after eighteen minutes), and
open interest that is stale or not known never counts as flat.

A bucket holds no more than it takes to tell a wave: it stops filling at `full_level`, so that
it drains within minutes of the last order of however large a cascade, and a second cascade an
hour into the first one's episode is told as another wave, at the order that fills it again. A
pause that is revoked tells of no wave yet: the bucket, empty since the pause, does when it fills.
"""

import math
from collections.abc import Callable

import msgspec

from monitor.detect.verdict import State
from monitor.parameters import Parameters

PRESSURE_STATES = frozenset({State.NOTICE, State.BUILDING})
EPISODE_STATES = frozenset({State.ONSET, State.CASCADING, State.EXHAUSTING})
ENDED_STATES = frozenset({State.EXHAUSTED, State.FIZZLED, State.UNCONFIRMED})
RESTING_STATES = ENDED_STATES | {State.QUIET}


class Signals(msgspec.Struct, frozen=True, gc=False):
    """What one ladder's rules look at, at one moment. NaN or None is "not known".

    Attributes:
        level: Bucket over own scale, g / u.
        on_second: Whether a whole second has just ended; holds are counted on those.
        confirmers: How many confirmers hold.
        rate: Forced share of the last 60 s, in u.
        rate_of_episode: The same over the episode's forced share.
        forced: The episode's forced share, in u.
        stay_s: Seconds in the present state.
        quiet_s: Seconds the bucket has been below the quiet level.
        calm_s: Seconds the bucket has been below the notice tier with a rate below u.
        lulled: Whether it has been so for long enough, or paused, since the last wave began,
            so that another full bucket is another wave.
        move_ratio: Price move since onset, in the forced direction (positive).
        beyond_ratio: New extreme beyond that at EXHAUSTING, over the range so far.
        since_extreme_s: Seconds observed since the episode's extreme.
        interest_change: Open-interest change over 5 minutes.
        interest_flat: Whether open interest is flat; None when it cannot be told.
        fading_s: Seconds that the rule of EXHAUSTING has held.
        blind_s: Seconds since open interest and price could last be judged.
    """

    level: float
    on_second: bool
    confirmers: int
    rate: float
    rate_of_episode: float
    forced: float
    stay_s: float
    quiet_s: float
    calm_s: float
    lulled: bool
    move_ratio: float
    beyond_ratio: float
    since_extreme_s: float
    interest_change: float
    interest_flat: bool | None
    fading_s: float
    blind_s: float


class Step(msgspec.Struct, frozen=True):
    """One row of the table: from any of these states to that one, when the rule holds.

    `wave` says that another wave of the same episode begins with it.
    """

    sources: frozenset[State]
    target: State
    rule: Callable[[Signals, Parameters], bool]
    reason: str
    wave: bool = False


REFILLED = "another wave: forced flow filled the bucket to the onset tier again"


def _onset(s: Signals, p: Parameters) -> bool:
    return s.level >= p.onset_tier


def _notice(s: Signals, p: Parameters) -> bool:
    return s.level >= p.notice_tier and s.confirmers >= p.notice_confirmers


def _building(s: Signals, p: Parameters) -> bool:
    return s.level >= p.building_tier and s.confirmers >= p.building_confirmers


def _quiet(s: Signals, p: Parameters) -> bool:
    return s.on_second and s.quiet_s >= p.quiet_hold_s


def _blind(s: Signals, p: Parameters) -> bool:
    return s.on_second and s.blind_s >= p.unconfirmed_after_s


def _cascading(s: Signals, p: Parameters) -> bool:
    return (
        s.on_second
        and s.stay_s >= p.cascading_after_s
        and (
            s.forced >= p.cascading_forced
            or s.move_ratio >= p.cascading_move_ratio
            or s.interest_change <= p.cascading_interest_ratio
        )
    )


def _fizzled(s: Signals, p: Parameters) -> bool:
    return s.on_second and s.calm_s >= p.quiet_hold_s


def fading(s: Signals, p: Parameters) -> bool:
    """Whether forced flow has paused: what EXHAUSTING needs, before its hold.

    Open interest that cannot be told does not stand in the way of EXHAUSTING; it does of
    EXHAUSTED.
    """
    return (
        s.rate_of_episode < p.exhausting_rate_ratio
        and s.since_extreme_s >= p.exhausting_extreme_s
        and s.interest_flat is not False
    )


def _exhausting(s: Signals, p: Parameters) -> bool:
    return s.on_second and s.fading_s >= p.exhausting_hold_s


def _filled_after_lull(s: Signals, p: Parameters) -> bool:
    return s.lulled and s.level >= p.onset_tier


def _resumed(s: Signals, p: Parameters) -> bool:
    return s.rate_of_episode >= p.wave_rate_ratio or s.beyond_ratio > p.wave_range_ratio


def _exhausted(s: Signals, p: Parameters) -> bool:
    return (
        s.on_second
        and s.since_extreme_s >= p.exhausted_extreme_s
        and s.rate < 1.0
        and s.interest_flat is True
    )


TABLE: tuple[Step, ...] = (
    Step(
        RESTING_STATES | PRESSURE_STATES,
        State.ONSET,
        _onset,
        "forced flow filled the bucket to the onset tier",
    ),
    Step(
        EPISODE_STATES,
        State.UNCONFIRMED,
        _blind,
        "open interest or price could not be judged for too long",
    ),
    Step(
        RESTING_STATES | {State.NOTICE},
        State.BUILDING,
        _building,
        "forced flow filled the bucket to the building tier and confirmers hold",
    ),
    Step(
        RESTING_STATES,
        State.NOTICE,
        _notice,
        "forced flow filled the bucket to the notice tier and confirmers hold",
    ),
    Step(
        PRESSURE_STATES,
        State.QUIET,
        _quiet,
        "the bucket drained and stayed below the quiet level",
    ),
    Step(
        ENDED_STATES,
        State.QUIET,
        _quiet,
        "the bucket drained and stayed below the quiet level",
    ),
    Step(
        frozenset({State.ONSET}),
        State.CASCADING,
        _cascading,
        "forced flow, price or open interest confirm a cascade",
    ),
    Step(
        frozenset({State.ONSET}),
        State.FIZZLED,
        _fizzled,
        "forced flow stopped before it became a cascade",
    ),
    Step(
        frozenset({State.ONSET, State.CASCADING}),
        State.CASCADING,
        _filled_after_lull,
        REFILLED,
        wave=True,
    ),
    Step(
        frozenset({State.CASCADING}),
        State.EXHAUSTING,
        _exhausting,
        "forced flow paused and price made no new extreme",
    ),
    Step(
        frozenset({State.EXHAUSTING}),
        State.CASCADING,
        _onset,
        REFILLED,
        wave=True,
    ),
    Step(
        frozenset({State.EXHAUSTING}),
        State.CASCADING,
        _resumed,
        "the pause is revoked: forced flow resumed, or price made a new extreme",
    ),
    Step(
        frozenset({State.EXHAUSTING}),
        State.EXHAUSTED,
        _exhausted,
        "no new extreme, forced flow below its own scale, fresh open interest flat",
    ),
)


def next_step(state: State, signals: Signals, parameters: Parameters) -> Step | None:
    """The first row of the table that applies, or None."""
    for step in TABLE:
        if state in step.sources and step.rule(signals, parameters):
            return step
    return None


def least_level(state: State, parameters: Parameters) -> float:
    """The level below which nothing but quiet seconds can move a ladder out of a state.

    -inf where more than that decides: in an episode.
    """
    if state in EPISODE_STATES:
        return -math.inf
    levels = [parameters.onset_tier]
    if state is not State.BUILDING:
        levels.append(parameters.building_tier)
    if state in RESTING_STATES:
        levels.append(parameters.notice_tier)
    return min(levels)
