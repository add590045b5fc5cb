"""Paints the view: a read-only picture of the engine for whoever publishes it."""

import math
from typing import Final

from kernels import flow
from kernels.dtypes import BANDS_BP, MICRO_USD, PERPETUAL, WINDOWS_S
from monitor.detect.confirmers import CONFIRMERS, confirm
from monitor.detect.context import Context, context_of
from monitor.detect.engine import NS, Engine
from monitor.detect.view import (
    WINDOWS_S as WINDOW_NAMES,
)
from monitor.detect.view import (
    AssetView,
    Breadth,
    LadderView,
    MarketView,
    Total,
)
from monitor.events import MARKET, Position

EIGHT_HOURS_S: Final = 28_800
_HOUR: Final = WINDOWS_S.index(3600)
_NAMES: Final = tuple(WINDOW_NAMES)


def paint(engine: Engine, *, largest: bool = True) -> MarketView:
    """A picture of everything, at the second that runs.

    Args:
        engine: What to look at; it is not changed.
        largest: Whether to search the windows for their largest orders, the one thing here
            whose cost grows with the length of the windows; left out they are NaN.
    """
    watch = engine.watch
    watched = len(watch.assets)
    now_ns = engine.second * NS
    totals = [_totals(engine, 2 * row + k, largest) for row in range(watched) for k in range(2)]
    others = [_totals(engine, 2 * (watched + 1) + k, largest) for k in range(2)]
    together = [_together(totals[k::2]) for k in range(2)]
    no_whole = engine.judge.readings.no_market
    events = dict(engine.tally.events)
    for stream in engine.feeds.streams.values():
        for kind, count in (("book_top", stream.book_tops), ("trade", stream.trades)):
            if count:
                events[stream.venue, kind] = events.get((stream.venue, kind), 0) + count
    names = [position.value for position in Position]
    return MarketView(
        now_ns=now_ns,
        assets=tuple(
            _asset(engine, name, row, totals[2 * row], totals[2 * row + 1])
            for row, name in enumerate(watch.assets)
        ),
        streams=engine.feeds.views(now_ns),
        totals={name: _together([together[k], others[k]]) for k, name in enumerate(names)},
        other_totals={name: others[k] for k, name in enumerate(names)},
        orders_by_venue=dict(engine.tally.orders),
        usd_by_venue=dict(engine.tally.usd),
        events=events,
        malformed=dict(engine.tally.malformed),
        not_used=dict(engine.tally.not_used),
        dropped={
            **engine.tally.dropped,
            "no_open_interest": int(engine.arrays.pressure["no_interest"].sum()),
            "late": int(engine.arrays.pressure["late"].sum()),
        },
        whole=None if no_whole else _asset(engine, MARKET, watched, *together),
        no_whole=no_whole,
        breadth=(
            {}
            if no_whole
            else {name: _breadth(engine, 2 * watched + k) for k, name in enumerate(names)}
        ),
    )


def _breadth(engine: Engine, row: int) -> Breadth:
    part = engine.arrays.parts[row]
    return Breadth(float(part["breadth_ratio"]), int(part["breadth_assets"]))


def _totals(engine: Engine, ladder: int, search: bool) -> dict[str, Total]:
    a, venues = engine.arrays, len(engine.watch.venues)
    first, last = ladder * venues, (ladder + 1) * venues
    usd = a.sums["usd"][first:last].sum(axis=0).tolist()
    orders = a.sums["orders"][first:last].sum(axis=0).tolist()
    lines = [line for line in range(first, last) if a.sums["orders"][line, -1]]
    found = {}
    for w, name in enumerate(_NAMES):
        most = math.nan
        if search:
            most = max(
                (
                    flow.largest(engine.second, line, WINDOWS_S[w], a.seconds, a.minutes)
                    for line in lines
                ),
                default=0,
            )
        found[name] = Total(usd[w] / MICRO_USD, orders[w], most / MICRO_USD)
    return found


def _together(parts: list[dict[str, Total]]) -> dict[str, Total]:
    return {
        name: Total(
            usd=sum(part[name].usd for part in parts),
            orders=sum(part[name].orders for part in parts),
            largest_usd=max(part[name].largest_usd for part in parts),
        )
        for name in _NAMES
    }


def _asset(
    engine: Engine, name: str, row: int, long: dict[str, Total], short: dict[str, Total]
) -> AssetView:
    record = engine.arrays.assets[row]
    price, interest = float(record["price"]), float(record["interest"])
    usd = interest * price
    if name == MARKET:
        # Coins of different assets do not add up: what stands there are US dollars.
        interest, usd = math.nan, interest
    context = context_of(engine.arrays, row, engine.second - 1)
    contracts = engine.arrays.contracts
    mine = [k for k in range(len(engine.watch.contracts)) if contracts["asset"][k] == row]
    age_s = context.interest_age_s
    return AssetView(
        asset=name,
        price=price,
        spot_price=context.spot_price,
        basis_bp=context.basis * 1e4,
        scale_ratio=float(record["scale"]),
        baseline=engine.scales.baseline(row),
        open_interest_base=interest,
        open_interest_usd=usd,
        open_interest_change_5m_ratio=context.interest_change_5m,
        open_interest_slope_ratio_per_s=context.interest_slope,
        open_interest_event_ns=(
            0 if math.isnan(age_s) else engine.second * NS - int(age_s * 1000) * 1_000_000
        ),
        open_interest_age_s=age_s,
        funding_8h_ratio=_funding(engine, mine),
        depth_usd=_depth(engine, mine),
        long=_ladder(engine, 2 * row, context, long),
        short=_ladder(engine, 2 * row + 1, context, short),
    )


def _funding(engine: Engine, rows: list[int]) -> dict[str, float]:
    """Funding of each venue's largest perpetual, as a rate of eight hours."""
    found: dict[str, tuple[float, float]] = {}
    for row in rows:
        funding = engine.intake.funding.get(row)
        if funding is None or funding.interval_s <= 0:
            continue
        size = float(engine.arrays.contracts["interest"][row])
        size = 0.0 if math.isnan(size) else size
        venue = engine.watch.contracts[row].venue
        if venue not in found or size > found[venue][0]:
            rate = funding.rate_ratio * EIGHT_HOURS_S / funding.interval_s
            found[venue] = (size, rate)
    return {venue: rate for venue, (_, rate) in sorted(found.items())}


def _depth(engine: Engine, rows: list[int]) -> dict[int, tuple[float, float]]:
    """Depth over the perpetuals whose feed reaches a band; a band none reaches is left out."""
    found: dict[int, tuple[float, float]] = {}
    for row in rows:
        if row not in engine.tally.depth or engine.arrays.contracts["kind"][row] != PERPETUAL:
            continue
        for band, (bid, ask) in zip(BANDS_BP, engine.tally.depth[row], strict=True):
            if not (math.isnan(bid) or math.isnan(ask)):
                sofar = found.get(band, (0.0, 0.0))
                found[band] = (sofar[0] + bid, sofar[1] + ask)
    return found


def _ladder(
    engine: Engine, ladder_row: int, context: Context, totals: dict[str, Total]
) -> LadderView:
    ladder = engine.judge.ladders[ladder_row]
    record = engine.arrays.pressure[ladder_row]
    found = confirm(context, ladder.position, engine.parameters)
    scale = engine.judge.readings.scale(ladder_row)
    forced = (int(record["usd_total"]) - ladder.start_usd) / MICRO_USD
    return LadderView(
        position=ladder.position,
        state=ladder.state,
        since_ns=ladder.since_ns,
        episode_id=ladder.alert_id,
        wave=ladder.wave,
        pressure_ratio=float(record["bucket"]) / scale,
        forced_60s_ratio=float(record["share_60s"]),
        forced_usd=forced if ladder.alert_id else 0.0,
        confirmers=found.names,
        evaluable=found.evaluable,
        confirmers_of=len(CONFIRMERS),
        totals=totals,
        venue_usd_1h={
            venue: micro_usd / MICRO_USD
            for venue, micro_usd in engine.judge.readings.by_venue(
                ladder_row, "usd", _HOUR
            ).items()
        },
    )
