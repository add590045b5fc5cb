"""The judge: applies the ladder's table to what the kernels found and writes the verdicts.

Tier crossings are judged at the very order that made them, everything slower at the end of a
second. Nothing here depends on how events were cut into batches: a batch always ends before a
second does, and what the judge changes (a bucket emptied, a scale held) it changes there.
"""

import math
from typing import Final

from kernels import flow, trend
from kernels.dtypes import MICRO_USD, WINDOWS_S
from monitor.detect import episodes
from monitor.detect.arrays import Arrays
from monitor.detect.confirmers import (
    CONFIRMERS,
    Confirmation,
    confirm,
    rewave_probability,
)
from monitor.detect.context import Context, context_of
from monitor.detect.interest import interest_flat
from monitor.detect.ladder import ENDED_STATES, Signals, Step, fading, next_step
from monitor.detect.scale import Scales
from monitor.detect.verdict import Coverage, Evidence, State, Verdict
from monitor.detect.watch import Watch
from monitor.events import Completeness, Position
from monitor.parameters import Parameters

NS: Final = 1_000_000_000
TRIGGER_S: Final = 900
HALF_LIFE_S: Final = 60
FIVE_MINUTES: Final = WINDOWS_S.index(300)
POSITIONS: Final = (Position.LONG, Position.SHORT)


class Judge:
    """Judges every ladder of the watch list; `verdicts` gathers what it says, in order."""

    def __init__(
        self,
        watch: Watch,
        arrays: Arrays,
        scales: Scales,
        parameters: Parameters,
        classes: dict[str, Completeness],
    ) -> None:
        self.ladders = [
            episodes.Ladder(asset, position) for asset in watch.assets for position in POSITIONS
        ]
        self.verdicts: list[Verdict] = []
        self._watch = watch
        self._arrays = arrays
        self._scales = scales
        self._parameters = parameters
        self._classes = classes
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
        level = self._level(row)
        if ladder.in_episode:
            self._observe_episode(row, ladder, context, second)
        ladder.quiet_s = ladder.quiet_s + 1 if level < p.quiet_level else 0
        found = confirm(context, ladder.position, p)
        signals = self._signals(row, found, context, on_second=True, now_ns=now_ns)
        calm = level < p.notice_tier and signals.rate < 1.0
        ladder.calm_s = ladder.calm_s + 1 if calm else 0
        ladder.fading_s = ladder.fading_s + 1 if fading(signals, p) else 0
        signals = self._signals(row, found, context, on_second=True, now_ns=now_ns)
        step = next_step(ladder.state, signals, p)
        if step is not None:
            self._enter(row, step, signals, found, context, now_ns, now_ns, missing, second)

    def _observe_episode(
        self, row: int, ladder: episodes.Ladder, context: Context, second: int
    ) -> None:
        """Count a second of an open episode: extreme, steepest slope, largest order, blindness."""
        ladder.largest_usd = max(ladder.largest_usd, self._largest_usd(row, second))
        fresh = context.interest_age_s <= self._parameters.interest_age_s
        judged = context.price_fresh and fresh and not math.isnan(context.interest_slope)
        ladder.blind_s = 0 if judged else ladder.blind_s + 1
        if context.price_fresh:
            ladder.see_price(context.price)
        if fresh:
            ladder.see_slope(context.interest_slope)

    def _level(self, row: int) -> float:
        return float(self._arrays.pressure["bucket"][row]) / self._scale(row)

    def _scale(self, row: int) -> float:
        return float(self._arrays.assets["scale"][row // 2])

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
        scale = self._scale(row)
        forced = float(record["share_total"]) - ladder.start_share
        share_60s = float(record["share_60s"])
        return Signals(
            level=self._level(row),
            on_second=on_second,
            confirmers=len(found.names),
            rate=share_60s / scale,
            rate_of_episode=share_60s / forced if forced > 0.0 else math.inf,
            forced=forced / scale,
            stay_s=(now_ns - ladder.since_ns) / NS,
            quiet_s=ladder.quiet_s,
            calm_s=ladder.calm_s,
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
            ladder.largest_usd = self._largest_usd(row, second)
            ladder.onset_price = context.price
            ladder.trigger_move = self._trigger_move(row, context.price, second)
            ladder.adverse = ladder.extreme = 0.0 if context.price_fresh else math.nan
            ladder.pause_extreme = ladder.steepest = math.nan
            ladder.since_extreme_s = 0
        within_ns = int(self._parameters.follows_within_h * 3600) * NS
        messages = episodes.enter(ladder, step.target, event_ns, detected_ns, within_ns)
        if step.target is State.EXHAUSTING or step.target in ENDED_STATES:
            self._arrays.pressure["bucket"][row] = 0.0
        self._arrays.assets["frozen"][row // 2] = any(
            self.ladders[row - row % 2 + k].in_episode for k in range(2)
        )
        if not messages:
            return
        evidence = self._evidence(row, signals, found, context, second)
        coverage = self._coverage(row, missing)
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
                    reason=step.reason,
                    evidence=evidence,
                    coverage=coverage,
                )
            )

    def _lines(self, row: int) -> range:
        venues = len(self._watch.venues)
        return range(row * venues, (row + 1) * venues)

    def _largest_usd(self, row: int, second: int) -> float:
        a = self._arrays
        most = max(
            flow.largest(second, line, 60, a.seconds, a.minutes) for line in self._lines(row)
        )
        return most / MICRO_USD

    def _trigger_move(self, row: int, price: float, second: int) -> float:
        """Price move from the extreme of the quarter hour before onset to onset."""
        prices = self._arrays.prices[row // 2]
        held = len(prices)
        past = [float(prices[(second - back) % held]) for back in range(1, TRIGGER_S)]
        past = [value for value in past if value > 0.0]
        if not past or math.isnan(price):
            return math.nan
        extreme = max(past) if self.ladders[row].position is Position.LONG else min(past)
        return price / extreme - 1.0

    def _evidence(
        self, row: int, signals: Signals, found: Confirmation, context: Context, second: int
    ) -> Evidence:
        ladder, record = self.ladders[row], self._arrays.pressure[row]
        sign = -1.0 if ladder.position is Position.LONG else 1.0
        sums = self._arrays.sums["usd"]
        paused = ladder.state in {State.EXHAUSTING, State.EXHAUSTED}
        values = {
            "pressure_ratio": signals.level,
            "forced_60s_ratio": float(record["share_60s"]),
            "forced_ratio": float(record["share_total"]) - ladder.start_share,
            "forced_usd": (int(record["usd_total"]) - ladder.start_usd) / MICRO_USD,
            "largest_usd": ladder.largest_usd,
            "price": context.price,
            "trigger_move_ratio": ladder.trigger_move,
            "move_ratio": sign * ladder.adverse,
            "range_ratio": ladder.extreme,
            "seconds_since_extreme": float(ladder.since_extreme_s),
            "open_interest_base": context.interest,
            "open_interest_change_5m_ratio": context.interest_change_5m,
            "open_interest_slope_ratio_per_s": context.interest_slope,
            "open_interest_age_s": context.interest_age_s,
            "price_z": found.price_z,
            "taker_z": found.taker_z,
            "basis_z": found.basis_z,
            "depth_ratio": context.depth_ratio,
            "half_life_s": trend.half_life(self._arrays.shares, row, second - 1, HALF_LIFE_S),
            "rewave_probability": (
                rewave_probability(ladder.since_extreme_s) if paused else math.nan
            ),
        }
        unknown = {name: _why(name, context) for name, v in values.items() if not math.isfinite(v)}
        if not paused:
            unknown["rewave_probability"] = "not paused"
        return Evidence(
            scale_ratio=self._scale(row),
            baseline=self._scales.baseline(row // 2),
            orders=int(record["orders_total"]) - ladder.start_orders,
            venues={
                venue: int(sums[line, FIVE_MINUTES]) / MICRO_USD
                for venue, line in zip(self._watch.venues, self._lines(row), strict=True)
                if sums[line, FIVE_MINUTES]
            },
            confirmers=found.names,
            evaluable=found.evaluable,
            confirmers_of=len(CONFIRMERS),
            wave=ladder.wave,
            follows=ladder.follows,
            unknown=unknown,
            **values,
        )

    def _coverage(self, row: int, missing: tuple[str, ...]) -> Coverage:
        classes = {venue: completeness.value for venue, completeness in self._classes.items()}
        # Totals may reach back to an onset hours ago, so the day's venues stand behind them.
        orders = self._arrays.sums["orders"][:, -1]
        sampled = any(
            orders[line] and self._classes[venue] is not Completeness.FULL
            for venue, line in zip(self._watch.venues, self._lines(row), strict=True)
        )
        return Coverage(classes=classes, missing=missing, lower_bound=bool(missing) or sampled)


_NEEDS_PRICE: Final = frozenset(
    {"price", "trigger_move_ratio", "move_ratio", "range_ratio", "price_z"}
)
_WHY: Final = {
    "open_interest_slope_ratio_per_s": "too few changes of open interest",
    "depth_ratio": "no depth, or less than ten minutes of it",
    "half_life_s": "no forced flow that decays",
}


def _why(name: str, context: Context) -> str:
    """Why a value is not known, in a few words."""
    if name in _NEEDS_PRICE and not context.price_fresh:
        return "no fresh price"
    if name.startswith("open_interest") and math.isnan(context.interest):
        return "no open interest"
    if name == "basis_z" and math.isnan(context.basis):
        return "no spot price"
    return _WHY.get(name, "history too short")
