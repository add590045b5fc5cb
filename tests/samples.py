"""Made-up verdicts and pictures of the market, of any size, for what publishes them."""

import math

import msgspec

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
from monitor.detect.view import (
    WINDOWS_S,
    AssetView,
    Breadth,
    LadderView,
    MarketView,
    StreamView,
    Total,
)
from monitor.events import Position, Unused

NAN = math.nan
NOW_NS = 1_760_131_260_123_456_789
KINDS = ("liquidation", "trade", "open_interest", "funding", "mark", "book_top", "book")
MALFORMED = ("not json", "wrong shape", "bad value")


def evidence() -> Evidence:
    """Evidence with a known reason for one NaN, and none for another."""
    return Evidence(
        pressure_ratio=6.25,
        scale_ratio=0.0003,
        baseline=Baseline.PARTIAL,
        forced_60s_ratio=0.00187512345678,
        forced_ratio=0.00187512345678,
        forced_usd=45_250_000.5,
        orders=312,
        largest_usd=2_750_000.0,
        venues={"okx": 15_000_000.25, "binance": 30_250_000.25, "bybit": NAN},
        price=115_250.5,
        trigger_move_ratio=-0.0123,
        move_ratio=-0.0,
        range_ratio=0.0125,
        seconds_since_extreme=0.0,
        open_interest_base=210_000.0,
        open_interest_change_5m_ratio=-0.0042,
        open_interest_slope_ratio_per_s=-1.5e-05,
        open_interest_age_s=4.2,
        price_z=4.75,
        taker_z=3.1,
        basis_z=2.2,
        depth_ratio=NAN,
        half_life_s=NAN,
        rewave_probability=NAN,
        breadth_ratio=0.45,
        breadth_assets=7.0,
        confirmers=("price", "open_interest", "basis", "taker"),
        evaluable=4,
        confirmers_of=5,
        wave=1,
        follows="",
        unknown={"depth_ratio": "no_book"},
    )


def verdict(alert_id: str = "BTC-long-1760131258-3", asset: str = "BTC") -> Verdict:
    """An onset."""
    return Verdict(
        id=alert_id,
        episode_id=f"{asset}-long-1760131258",
        phase=Phase.START,
        kind=Kind.CASCADE,
        severity=Severity.CRITICAL,
        asset=asset,
        position=Position.LONG,
        event_ns=1_760_131_258_987_654_321,
        detected_ns=1_760_131_259_012_345_678,
        state=State.ONSET,
        previous_state=State.BUILDING,
        reason="pressure of 6.25 u is at or above 6 u",
        evidence=evidence(),
        coverage=Coverage(
            classes={"okx": "one_per_second", "binance": "one_per_second", "bybit": "full"},
            missing=("okx/public",),
            lower_bound=True,
        ),
    )


def totals(scale: float) -> dict[str, Total]:
    """Totals that grow with the window; nothing is forced at scale 0."""
    return {
        name: Total(usd=scale * seconds, orders=int(scale) * seconds, largest_usd=scale * 10)
        for name, seconds in WINDOWS_S.items()
    }


def ladder(position: Position, state: State = State.QUIET) -> LadderView:
    """One ladder; in an episode unless it is quiet."""
    quiet = state is State.QUIET
    return LadderView(
        position=position,
        state=state,
        since_ns=0 if quiet else NOW_NS - 2_000_000_000,
        episode_id="" if quiet else "BTC-long-1760131258",
        wave=0 if quiet else 1,
        pressure_ratio=0.25 if quiet else 6.25,
        forced_60s_ratio=0.0 if quiet else 0.001875,
        forced_usd=NAN if quiet else 45_250_000.5,
        confirmers=() if quiet else ("price", "basis"),
        evaluable=4,
        confirmers_of=5,
        totals=totals(0.0 if quiet else 1000.0),
        venue_usd_1h={} if quiet else {"okx": 1.5e6, "binance": 2.1e6},
    )


def asset_view(asset: str = "BTC", state: State = State.ONSET) -> AssetView:
    """One asset whose longs are in `state`, and which has no spot price."""
    return AssetView(
        asset=asset,
        price=115_250.5,
        spot_price=NAN,
        basis_bp=NAN,
        scale_ratio=0.0003,
        baseline=Baseline.PARTIAL,
        open_interest_base=210_000.0,
        open_interest_usd=24.2e9,
        open_interest_change_5m_ratio=-0.0042,
        open_interest_slope_ratio_per_s=-1.5e-05,
        open_interest_event_ns=NOW_NS - 4_200_000_000,
        open_interest_age_s=4.2,
        funding_8h_ratio={"okx": 0.0002, "binance": 0.0001, "bybit": NAN},
        depth_usd={100: (5.5e6, 6.5e6), 10: (1.5e6, 1.25e6), 25: (2e6, 2e6), 50: (NAN, NAN)},
        long=ladder(Position.LONG, state),
        short=ladder(Position.SHORT),
    )


def whole() -> AssetView:
    """The watch list taken together, in an onset of longs."""
    return msgspec.structs.replace(
        asset_view("MARKET"),
        price=0.9875,
        open_interest_base=NAN,
        funding_8h_ratio={},
        depth_usd={},
        long=msgspec.structs.replace(
            ladder(Position.LONG, State.ONSET), episode_id="MARKET-long-1760131258"
        ),
    )


def stream(venue: str, session: str) -> StreamView:
    """One stream that flows."""
    return StreamView(
        venue=venue,
        session=session,
        state="flowing",
        detail="",
        connected_ns=NOW_NS - 60_000_000_000,
        last_useful_ns=NOW_NS - 10_000_000,
        frames=94_000,
        malformed=2,
        reconnects=1,
    )


def market_view(
    venues: tuple[str, ...] = ("binance", "bybit", "okx"), assets: tuple[str, ...] = ("BTC", "ETH")
) -> MarketView:
    """A market of these venues and assets, with every reason and kind that there can be."""
    never = StreamView(venues[-1], "public", "connecting", "HTTP 429", 0, 0, 0, 0, 0)
    return MarketView(
        now_ns=NOW_NS,
        assets=tuple(asset_view(asset) for asset in assets),
        streams=(
            *(stream(venue, "market") for venue in venues),
            *(stream(venue, "public") for venue in venues[:-1]),
            never,
        ),
        totals={"long": totals(3000.0), "short": totals(1000.0)},
        other_totals={"long": totals(0.0), "short": totals(0.0)},
        orders_by_venue={(v, a): 7 for v in venues for a in (*assets, "other")},
        usd_by_venue={(v, a): 1.5e6 for v in venues for a in (*assets, "other")},
        events={(v, kind): 1000 for v in venues for kind in KINDS},
        malformed={(v, reason): n + 1 for v in venues for n, reason in enumerate(MALFORMED)},
        not_used={(v, reason.value): 5 for v in venues for reason in Unused},
        dropped={"late": 3, "before_subscription": 4},
        whole=whole(),
        breadth={"long": Breadth(0.62, 7), "short": Breadth(NAN, 0)},
    )
