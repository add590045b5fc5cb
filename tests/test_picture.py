import math

import pytest

from monitor.detect import snapshot
from monitor.detect.picture import paint
from monitor.detect.verdict import Baseline, State
from monitor.detect.view import WINDOWS_S, LadderView, Total
from monitor.events import Fact, FactKind, Position, Unused
from tests import tape
from tests.stand_in import BookRow, FundingRow, OrderRow, OtherRow, Row
from tests.tape import NS, WARM_S, cascade, frame, play, warm_engine, warm_market

LONG, SHORT = Position.LONG, Position.SHORT


def test_painting_changes_nothing() -> None:
    """A picture may be taken at any time: the state is the same to the last byte."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    before = snapshot.take(core)
    assert repr(paint(core)) == repr(paint(core))
    assert snapshot.take(core) == before


def test_a_ladder_is_painted_as_the_verdict_told_it() -> None:
    """State, episode, wave and forced flow agree with the last verdict."""
    core = warm_engine()
    *_, last = play(core, cascade(warm_market()).entries)
    found = paint(core).assets[0]
    assert (found.asset, found.baseline, found.scale_ratio) == ("BTC", Baseline.PRIOR, 3e-4)
    assert (found.long.state, found.long.episode_id) == (last.state, last.episode_id)
    assert (found.long.since_ns, found.long.wave) == (last.detected_ns, 1)
    assert found.long.forced_usd >= last.evidence.forced_usd
    assert (found.long.evaluable, found.long.confirmers_of) == (4, 5)
    hour = found.long.totals["1h"]
    assert (hour.usd, hour.orders) == (found.long.forced_usd, 240)
    assert hour.largest_usd == pytest.approx(180_000.0, rel=0.02)
    assert found.long.venue_usd_1h["alpha"] == pytest.approx(
        found.long.venue_usd_1h["beta"], rel=0.01
    )
    assert at_rest(found.short)


def at_rest(ladder: LadderView) -> bool:
    """Whether a ladder shows nothing at all."""
    return (
        ladder.state is State.QUIET
        and ladder.episode_id == ""
        and ladder.forced_usd == 0.0
        and all(total == Total(0.0, 0, 0.0) for total in ladder.totals.values())
    )


def test_an_assets_market_is_painted() -> None:
    """Price, basis and open interest are those of the tape, with the stamp of the latter."""
    core, market = warm_engine(), warm_market().go(30)
    play(core, market.entries)
    core.advance(market.now_ns)
    view = paint(core)
    found = view.assets[0]
    assert view.now_ns == market.now_ns
    assert found.price == pytest.approx(60_000.0, rel=5e-4)
    assert found.spot_price == pytest.approx(found.price, rel=5e-4)
    assert found.basis_bp == pytest.approx(0.0, abs=2.0)
    assert found.open_interest_base == pytest.approx(30_000.0, rel=1e-3)
    assert found.open_interest_usd == found.open_interest_base * found.price
    assert abs(found.open_interest_slope_ratio_per_s) < 1e-5
    assert found.open_interest_change_5m_ratio == pytest.approx(0.0, abs=2e-4)
    assert 0.0 <= found.open_interest_age_s < 4.0
    stamp_ns = view.now_ns - found.open_interest_age_s * NS
    assert found.open_interest_event_ns == pytest.approx(stamp_ns, abs=2_000_000)


def test_what_is_not_known_is_painted_as_such() -> None:
    """Before the first entry there are no prices, no interest, no stamps, and no totals."""
    view = paint(tape.engine())
    found = view.assets[1]
    unknown = (found.price, found.spot_price, found.open_interest_base, found.open_interest_age_s)
    assert all(math.isnan(value) for value in unknown)
    assert found.open_interest_event_ns == 0
    assert (found.funding_8h_ratio, found.depth_usd, view.streams) == ({}, {}, ())
    assert (found.long.evaluable, found.long.confirmers) == (0, ())


def test_funding_is_that_of_the_largest_perpetual_in_eight_hours() -> None:
    """Rates of other intervals are brought to eight hours; without an interval none is told."""
    core, market = warm_engine(), warm_market()
    rows = [
        FundingRow("BTC-PERP", market.now_ns, 1e-4, 14_400),
        FundingRow("BTC-SPOT", market.now_ns, 9e-4, 28_800),
        FundingRow("ETH-PERP", market.now_ns, 5e-4, 0),
    ]
    play(core, [frame(market.now_ns, 1, *rows)])
    play(core, [frame(market.now_ns, 2, FundingRow("BTC-USD", market.now_ns, -3e-4, 28_800))])
    btc, eth = paint(core).assets
    assert btc.funding_8h_ratio == {"alpha": pytest.approx(2e-4), "beta": pytest.approx(-3e-4)}
    assert eth.funding_8h_ratio == {}


def test_depth_is_summed_over_perpetuals_as_far_as_each_reaches() -> None:
    """A band that one feed reaches counts that feed; one that none reaches is left out."""
    core, market = warm_engine(), warm_market()
    near = tuple((60_000.0 - k, 1.0) for k in range(1, 100))
    far = tuple((60_000.0 - 10.0 * k, 1.0) for k in range(1, 100))
    above = tuple((120_000.0 - price, coins) for price, coins in near)
    beyond = tuple((120_000.0 - price, coins) for price, coins in far)
    now_ns = market.now_ns
    play(
        core,
        [
            frame(now_ns, 1, BookRow("BTC-PERP", now_ns, near, above)),
            frame(now_ns, 1, BookRow("BTC-SPOT", now_ns, far, beyond)),
            frame(now_ns, 2, BookRow("BTC-USD", now_ns, far, beyond)),
            frame(now_ns, 1, BookRow("DOGE-PERP", now_ns, far, beyond)),
        ],
    )
    depth = paint(core).assets[0].depth_usd
    assert sorted(depth) == [10, 25, 50, 100]
    # Ten basis points are 60 dollars: 60 levels a dollar apart, and 6 ten apart.
    assert depth[10][0] == pytest.approx((60 + 6) * 60_000.0, rel=1e-3)
    assert depth[25][1] == pytest.approx(15 * 60_000.0, rel=1e-2)


def test_depth_becomes_a_confirmer_after_ten_minutes_of_it() -> None:
    """A book that thins to half of its own mean confirms, once its mean is known."""
    core, market = warm_engine(), warm_market()

    def book(at_ns: int) -> list[Row]:
        coins = 1.0 if at_ns < thin_ns else 0.5
        bids = tuple((60_000.0 - 100.0 * k, coins) for k in range(1, 10))
        asks = tuple((60_000.0 + 100.0 * k, coins) for k in range(1, 10))
        return [BookRow("BTC-PERP", at_ns, bids, asks)]

    thin_ns = market.now_ns + 610 * NS
    market.go(620, more=book)
    play(core, market.entries)
    core.advance(market.now_ns)
    found = paint(core).assets[0]
    assert core.arrays.assets["depth_ratio"][0] == pytest.approx(0.5, rel=0.01)
    assert found.long.confirmers == ("depth",)
    assert found.long.evaluable == 5


def test_windows_of_the_market_are_sums_over_everything() -> None:
    """The whole market is the watched assets and the rest, window by window."""
    core, market = warm_engine(), warm_market()
    now_ns = market.now_ns
    orders = [
        OrderRow("BTC-PERP", LONG, now_ns, 1.0, 60_000.0),
        OrderRow("ETH-PERP", LONG, now_ns - 45 * NS, 1.0, 3_000.0),
        OrderRow("DOGE-PERP", LONG, now_ns - 2000 * NS, 1.0, 0.5),
        OrderRow("BTC-PERP", SHORT, now_ns, 2.0, 60_000.0),
    ]
    play(core, [frame(now_ns, 1, *orders)])
    view = paint(core)
    assert tuple(view.totals["long"]) == tuple(WINDOWS_S)
    assert view.totals["long"]["1s"] == Total(60_000.0, 1, 60_000.0)
    assert view.totals["long"]["1m"] == Total(63_000.0, 2, 60_000.0)
    assert view.totals["long"]["1h"] == Total(63_000.5, 3, 60_000.0)
    assert view.totals["long"]["24h"] == Total(63_000.5, 3, 60_000.0)
    assert view.totals["short"]["10s"] == Total(120_000.0, 1, 120_000.0)
    assert view.other_totals["long"]["1h"] == Total(0.5, 1, 0.5)
    assert view.usd_by_venue == {
        ("alpha", "BTC"): 180_000.0,
        ("alpha", "ETH"): 3_000.0,
        ("alpha", "other"): 0.5,
    }


def test_the_search_for_largest_orders_can_be_left_out() -> None:
    """Without the search largest orders are not known, and all else is the same."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    quick, full = paint(core, largest=False), paint(core)
    for window, total in quick.totals["long"].items():
        assert math.isnan(total.largest_usd)
        assert (total.usd, total.orders) == (
            full.totals["long"][window].usd,
            full.totals["long"][window].orders,
        )


def test_counts_are_painted_by_venue_and_kind() -> None:
    """Every event read, every message not used and every stream shows up."""
    core, market = warm_engine(), warm_market()
    now_ns = market.now_ns
    market.disconnect("beta")
    core.fact(Fact(now_ns, 9, "alpha", "idle", FactKind.CONNECTING))
    play(core, [frame(now_ns, 1, OtherRow(Unused.PONG)), tape.Frame(now_ns, 1, b"{")])
    play(core, market.go(10).entries)
    view = paint(core)
    assert view.events["alpha", "book_top"] == 3 * (WARM_S + 10)
    assert view.events["alpha", "trade"] == WARM_S + 10
    assert view.events["beta", "trade"] == WARM_S
    assert view.not_used == {("alpha", "pong"): 1}
    assert view.malformed == {("alpha", "not a list of rows"): 1}
    assert [(s.venue, s.state) for s in view.streams] == [
        ("alpha", "connecting"),
        ("alpha", "flowing"),
        ("beta", "disconnected"),
    ]
    assert view.dropped == {"no_open_interest": 0, "late": 0}
