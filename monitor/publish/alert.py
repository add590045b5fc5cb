"""What an alert looks like to the outside: its payload, its topic, its line in the alert log.

A `Verdict` comes in, bytes go out; nothing here opens a socket or reads a clock. Outside the
process times are integers of milliseconds named `*_time_ms`, and a number that is not known
is null with its reason under `evidence.unknown`. The alert log is the same payload without
its version and with floats at 9 significant digits: that is what a live run, its replay and
any split into batches have in common byte for byte.
"""

import math
from typing import Any

import msgspec
import orjson

from monitor.detect.verdict import (
    Baseline,
    Coverage,
    Evidence,
    Kind,
    Phase,
    Severity,
    State,
    Verdict,
)
from monitor.events import Position

SCHEMA_VERSION = 1
MS = 1_000_000  # nanoseconds in a millisecond

_NOT_KNOWN = "not_known"
_NOT_IN_A_TOPIC = str.maketrans(dict.fromkeys("+#/.*>\0 \t\r\n", "_"))


class AlertEvidence(msgspec.Struct, frozen=True):
    """The numbers an alert rests on; null is "not known" and `unknown` says why.

    The fields are those of `monitor.detect.verdict.Evidence`, where each is explained.
    """

    pressure_ratio: float | None
    scale_ratio: float | None
    baseline: Baseline
    forced_60s_ratio: float | None
    forced_ratio: float | None
    forced_usd: float | None
    orders: int
    largest_usd: float | None
    venues: dict[str, float | None]
    price: float | None
    trigger_move_ratio: float | None
    move_ratio: float | None
    range_ratio: float | None
    seconds_since_extreme: float | None
    open_interest_base: float | None
    open_interest_change_5m_ratio: float | None
    open_interest_slope_ratio_per_s: float | None
    open_interest_age_s: float | None
    price_z: float | None
    taker_z: float | None
    basis_z: float | None
    depth_ratio: float | None
    half_life_s: float | None
    rewave_probability: float | None
    breadth_ratio: float | None
    breadth_assets: float | None
    confirmers: tuple[str, ...]
    evaluable: int
    confirmers_of: int
    wave: int
    follows: str
    unknown: dict[str, str]


class AlertCompleteness(msgspec.Struct, frozen=True):
    """How complete the data behind an alert was; `lower_bound` is about all its USD totals."""

    classes: dict[str, str]
    missing: tuple[str, ...]
    lower_bound: bool


class Alert(msgspec.Struct, frozen=True):
    """One change of state, as published under `<base>/alerts/<ASSET|MARKET>/<kind>`.

    `id` names this message: a repeat carries the same one, so receivers drop repeats by it.
    `episode_id` names the life it belongs to, from phase start to end.
    """

    schema_version: int
    id: str
    episode_id: str
    phase: Phase
    kind: Kind
    severity: Severity
    asset: str
    position: Position
    event_time_ms: int
    detected_time_ms: int
    state: State
    previous_state: State
    reason: str
    evidence: AlertEvidence
    completeness: AlertCompleteness


def known(value: float) -> float | None:
    """The number itself, or None where it is not known (NaN) or not a number to publish."""
    return value if math.isfinite(value) else None


def topic_level(name: str) -> str:
    """A name as one level of a topic: wildcards, separators and blanks become underscores."""
    return name.translate(_NOT_IN_A_TOPIC) or "_"


def topic(base: str, verdict: Verdict) -> str:
    """Where a verdict is published."""
    return f"{base}/alerts/{topic_level(verdict.asset)}/{verdict.kind.value}"


def alert(verdict: Verdict) -> Alert:
    """The payload of a verdict."""
    return Alert(
        schema_version=SCHEMA_VERSION,
        id=verdict.id,
        episode_id=verdict.episode_id,
        phase=verdict.phase,
        kind=verdict.kind,
        severity=verdict.severity,
        asset=verdict.asset,
        position=verdict.position,
        event_time_ms=verdict.event_ns // MS,
        detected_time_ms=verdict.detected_ns // MS,
        state=verdict.state,
        previous_state=verdict.previous_state,
        reason=verdict.reason,
        evidence=_evidence(verdict.evidence),
        completeness=_completeness(verdict.coverage),
    )


def encode(verdict: Verdict) -> bytes:
    """The JSON bytes that go to the broker."""
    return encode_payload(alert(verdict))


def encode_payload(payload: msgspec.Struct) -> bytes:
    """The JSON bytes of any payload of this room."""
    return orjson.dumps(msgspec.to_builtins(payload))


def log_line(verdict: Verdict) -> bytes:
    """One line of the alert log: equal bytes for equal logs, whatever ran it and how."""
    content = msgspec.to_builtins(alert(verdict))
    del content["schema_version"]
    return orjson.dumps(_rounded(content), option=orjson.OPT_APPEND_NEWLINE)


def schema(payload: type[msgspec.Struct] = Alert) -> dict[str, Any]:
    """The JSON Schema of a payload type."""
    return msgspec.json.schema(payload)


def _evidence(evidence: Evidence) -> AlertEvidence:
    """Null for every NaN, and a reason for every null."""
    content = msgspec.structs.asdict(evidence)
    unknown = dict(evidence.unknown)
    for name, value in content.items():
        if isinstance(value, float) and not math.isfinite(value):
            content[name] = None
            unknown.setdefault(name, _NOT_KNOWN)
    content["venues"] = {venue: known(usd) for venue, usd in sorted(evidence.venues.items())}
    content["unknown"] = dict(sorted(unknown.items()))
    return AlertEvidence(**content)


def _completeness(coverage: Coverage) -> AlertCompleteness:
    return AlertCompleteness(
        classes=dict(sorted(coverage.classes.items())),
        missing=coverage.missing,
        lower_bound=coverage.lower_bound,
    )


def _rounded(content: Any) -> Any:
    """The same content with every float at 9 significant digits, and no negative zero."""
    if isinstance(content, float):
        return float(f"{content:.9g}") + 0.0
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    return content
