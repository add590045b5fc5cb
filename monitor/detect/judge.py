"""The judge: applies the ladder's table to what the kernels found and writes the verdicts.

Tier crossings are judged at the very order that made them, everything slower at the end of a
second. Nothing here depends on how events were cut into batches: a batch always ends before a
second does, and what the judge changes (a bucket emptied, a scale held) it changes there.
"""

import math
from typing import Final

import msgspec

from monitor.detect import episodes
from monitor.detect.arrays import Arrays
from monitor.detect.confirmers import Confirmation, confirm
from monitor.detect.context import Context, context_of
from monitor.detect.interest import interest_flat
from monitor.detect.ladder import (
    ENDED_STATES,
    PRESSURE_STATES,
    Signals,
    Step,
    fading,
    next_step,
)
from monitor.detect.readings import Readings
from monitor.detect.scale import Scales
from monitor.detect.verdict import State, Verdict
from monitor.detect.watch import Watch
from monitor.events import MARKET, Completeness, Position
from monitor.parameters import Parameters

NS: Final = 1_000_000_000
POSITIONS: Final = (Position.LONG, Position.SHORT)
_BY_LEVEL: Final = PRESSURE_STATES | {State.ONSET}


class Judge:
    """Judges every ladder of the watch list, and the market's where there is one.

    Attributes:
        ladders: In the order of their rows.
        readings: What stands behind each ladder.
        verdicts: What it said, in order.
    """

    def __init__(
        self,
        watch: Watch,
        arrays: Arrays,
        scales: Scales,
        parameters: Parameters,
        classes: dict[str, Completeness],
    ) -> None:
        self._arrays = arrays
        self._parameters = parameters
        self.readings = Readings(watch, arrays, scales, parameters, classes)
        assets = watch.assets if self.readings.no_market else (*watch.assets, MARKET)
        self.ladders = [
            episodes.Ladder(asset, position) for asset in assets for position in POSITIONS
        ]
        self.verdicts: list[Verdict] = []
        self._contexts: dict[int, Context] = {}

    def crossing(
        self, row: int, event_ns: int, received_ns: int, missing: tuple[str, ...], second: int
    ) -> None:
        """Judge a ladder whose bucket has just risen through a tier, at the order that did it."""
        ladder = self.ladders[row]
        # Open interest moves within a second: an order is judged by what held at that order.
        context = context_of(self._arrays, row // 2, second - 1)
        found = confirm(context, ladder.position, self._parameters)
        signals = self._signals(
            row,
            found,
            context,
            on_second=False,
            now_ns=received_ns,
        )
        step = next_step(ladder.state, signals, self._parameters)
        if step is not None:
            self._enter(row, step, signals, found, context, event_ns, received_ns, missing, second)

    def close_second(self, second: int, missing: tuple[str, ...]) -> None:
        """Judge every ladder that is not at rest, at the end of a second."""
        self._contexts.clear()
        tiers = self._arrays.pressure["tier"].tolist()
        now_ns = (second + 1) * NS
        for row, ladder in enumerate(self.ladders):
            if ladder.state is State.QUIET and tiers[row] == 0:
                continue
            self._close_ladder(row, ladder, second, now_ns, missing)

    def interrupt(self, now_ns: int, missing: tuple[str, ...], second: int) -> None:
        """End what was open when observation was lost for long: it cannot be confirmed."""
        self._contexts.clear()
        for row, ladder in enumerate(self.ladders):
            if ladder.state is State.QUIET:
                continue
            context = self._context(row // 2, second)
            found = confirm(context, ladder.position, self._parameters)
            signals = self._signals(row, found, context, on_second=True, now_ns=now_ns)
            target = State.UNCONFIRMED if ladder.in_episode else State.QUIET
            step = Step(frozenset(), target, fading, "observation was interrupted for too long")
            self._enter(row, step, signals, found, context, now_ns, now_ns, missing, second)

    def _close_ladder(
        self, row: int, ladder: episodes.Ladder, second: int, now_ns: int, missing: tuple[str, ...]
    ) -> None:
        p = self._parameters
        context = self._context(row // 2, second)
        level = self.readings.level(row)
        if ladder.in_episode:
            self._observe_episode(row, ladder, context, second)
        ladder.quiet_s = ladder.quiet_s + 1 if level < p.quiet_level else 0
        found = confirm(context, ladder.position, p)
        signals = self._signals(row, found, context, on_second=True, now_ns=now_ns)
        calm = level < p.notice_tier and signals.rate < 1.0
        ladder.calm_s = ladder.calm_s + 1 if calm else 0
        ladder.lulled = ladder.lulled or ladder.calm_s >= p.lull_s
        ladder.fading_s = ladder.fading_s + 1 if fading(signals, p) else 0
        signals = msgspec.structs.replace(
            signals,
            calm_s=ladder.calm_s,
            lulled=ladder.lulled,
            fading_s=ladder.fading_s,
        )
        step = next_step(ladder.state, signals, p)
        if step is not None:
            self._enter(row, step, signals, found, context, now_ns, now_ns, missing, second)

    def _observe_episode(
        self, row: int, ladder: episodes.Ladder, context: Context, second: int
    ) -> None:
        """Count a second of an open episode: extreme, steepest slope, largest order, blindness."""
        largest_usd = self.readings.largest_usd(row, second)
        ladder.largest_usd = max(ladder.largest_usd, largest_usd)
        fresh = context.interest_age_s <= self._parameters.interest_age_s
        judged = context.price_fresh and fresh and not math.isnan(context.interest_slope)
        ladder.blind_s = 0 if judged else ladder.blind_s + 1
        if context.price_fresh:
            ladder.see_price(context.price)
        if fresh:
            ladder.see_slope(context.interest_slope)

    def _context(self, asset: int, last: int) -> Context:
        found = self._contexts.get(asset)
        if found is None:
            found = self._contexts[asset] = context_of(self._arrays, asset, last)
        return found

    def _signals(
        self,
        row: int,
        found: Confirmation,
        context: Context,
        *,
        on_second: bool,
        now_ns: int,
    ) -> Signals:
        p, ladder, record = self._parameters, self.ladders[row], self._arrays.pressure[row]
        scale = self.readings.scale(row)
        forced = float(record["share_total"]) - ladder.start_share
        share_60s = float(record["share_60s"])
        return Signals(
            level=self.readings.level(row),
            on_second=on_second,
            confirmers=len(found.names),
            rate=share_60s / scale,
            rate_of_episode=share_60s / forced if forced > 0.0 else math.inf,
            forced=forced / scale,
            stay_s=(now_ns - ladder.since_ns) / NS,
            quiet_s=ladder.quiet_s,
            calm_s=ladder.calm_s,
            lulled=ladder.lulled,
            move_ratio=ladder.extreme,
            beyond_ratio=ladder.beyond_ratio,
            since_extreme_s=ladder.since_extreme_s if context.price_fresh else -1.0,
            interest_change=(
                context.interest_change_5m
                if context.interest_age_s <= p.interest_age_s
                else math.nan
            ),
            interest_flat=interest_flat(
                context.interest_slope, ladder.steepest, context.interest_age_s, p
            ),
            fading_s=ladder.fading_s,
            blind_s=ladder.blind_s,
        )

    def _enter(
        self,
        row: int,
        step: Step,
        signals: Signals,
        found: Confirmation,
        context: Context,
        event_ns: int,
        detected_ns: int,
        missing: tuple[str, ...],
        second: int,
    ) -> None:
        ladder = self.ladders[row]
        before = ladder.state
        if not ladder.alert_id:
            # Where the bucket last rose from empty is where the flow is counted from.
            record = self._arrays.pressure[row]
            ladder.start_share = float(record["start_share"])
            ladder.start_usd = int(record["start_usd"])
            ladder.start_orders = int(record["start_orders"])
        if step.target is State.ONSET:
            ladder.largest_usd = self.readings.largest_usd(row, second)
            ladder.onset_price = context.price
            ladder.trigger_move = self.readings.trigger_move(
                row, ladder.position, context.price, second
            )
            ladder.adverse = ladder.extreme = 0.0 if context.price_fresh else math.nan
            ladder.pause_extreme = ladder.steepest = math.nan
            ladder.since_extreme_s = 0
        within_ns = int(self._parameters.follows_within_h * 3600) * NS
        messages = episodes.enter(
            ladder, step.target, event_ns, detected_ns, within_ns, wave=step.wave
        )
        if step.target is State.EXHAUSTING or step.target in ENDED_STATES:
            self._arrays.pressure["bucket"][row] = 0.0
        self._arrays.assets["frozen"][row // 2] = any(
            self.ladders[row - row % 2 + k].in_episode for k in range(2)
        )
        if not messages:
            return
        evidence = self.readings.evidence(row, ladder, signals.level, found, context, second)
        coverage = self.readings.coverage(row, missing)
        reason, lift = step.reason, self.readings.lift(row)
        if lift and step.target in _BY_LEVEL:
            reason += f"; breadth counts as {lift:g} u"
        for message in messages:
            self.verdicts.append(
                Verdict(
                    id=message.id,
                    episode_id=message.episode_id,
                    phase=message.phase,
                    kind=message.kind,
                    severity=message.severity,
                    asset=ladder.asset,
                    position=ladder.position,
                    event_ns=event_ns,
                    detected_ns=detected_ns,
                    state=step.target,
                    previous_state=before,
                    reason=reason,
                    evidence=evidence,
                    coverage=coverage,
                )
            )
