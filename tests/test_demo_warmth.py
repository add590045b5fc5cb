"""The state a demo starts from: warm, silent, and going on where the market does."""

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kernels.dtypes import Reals
from monitor.clock import NS, MarketClock
from monitor.config import Config, load
from monitor.demo import settings, warmth
from monitor.demo.plan import EPOCH_NS, PAST_S
from monitor.detect import picture, snapshot
from monitor.detect.scale import Scales
from monitor.detect.verdict import Baseline, State
from monitor.detect.view import MarketView
from monitor.events import BookTop, Liquidation, OpenInterest, Position
from monitor.simulate.hosts import ORIGINS
from monitor.simulate.line import Moment
from monitor.simulate.lines import Lines
from monitor.simulate.listing import WATCHED, Asset
from monitor.simulate.market import World
from monitor.simulate.regimes import REGIMES
from monitor.simulate.wire import schedule
from tests.demoing import fresh, warmed


def fortnight(assets: Sequence[Asset]) -> tuple[Reals, Reals]:
    """Two weeks of the crowded regime with all its shocks.

    Printed shares by second, asset and position; open interest by second and asset.
    """
    prices = np.array([asset.price for asset in assets])
    coins = np.array([asset.open_interest_base for asset in assets])
    world = World(REGIMES["crowded"], 5, EPOCH_NS // NS - 14 * 86_400, coins, prices)
    lines = Lines(np.random.default_rng(5), EPOCH_NS, assets)
    for line in lines.all:
        price = line.asset.price
        line.follow(Moment(price, price, price, line.asset.open_interest_base, 1.0), 0.0, 0.0)
    printed: list[Reals] = []
    interest: list[Reals] = []
    for _ in range(14 * 24):
        tape = world.chunk(3600)
        forced = np.stack((tape["forced_long"], tape["forced_short"]), axis=2)
        shown = np.zeros(forced.shape)
        for second, row, place in zip(*np.nonzero(forced), strict=True):
            position = tuple(Position)[place]
            orders = lines.forced(row, position, float(forced[second, row, place]), 0)
            shown[second, row, place] = sum(
                order.quantity_base
                for _, order in schedule(list(orders))
                if isinstance(order, Liquidation)
            )
        printed.append(shown / tape["interest"][:, :, np.newaxis])
        interest.append(tape["interest"].copy())
    return np.concatenate(printed), np.concatenate(interest)


def view() -> MarketView:
    """The warm detector's picture."""
    return picture.paint(warmed()[0])


def test_every_asset_has_a_scale_of_its_own() -> None:
    """Two weeks stand behind every scale, and the market's past has hardly moved it."""
    scales = Scales(20, Config().detector)
    warmth.give_scale(scales)
    assert {scales.baseline(row) for row in range(20)} == {Baseline.OWN}
    quantile = dict(warmth.SHARES)[Config().detector.scale_quantile]
    given = scales.scale(0)
    assert quantile / 1.5 < given < 1.5 * quantile
    assert {asset.baseline for asset in view().assets} == {Baseline.OWN}
    for asset in view().assets:
        assert asset.scale_ratio == pytest.approx(given, rel=0.05), asset.asset


def test_two_weeks_are_what_the_market_makes_of_them() -> None:
    """The figures that stand for two weeks are those of a crowded market, as it is printed."""
    printed, interest = fortnight(WATCHED[:3])
    until = np.cumsum(printed, axis=0)
    shares = (until[60:] - until[:-60])[::10]
    for level in (0.99, 0.995, 0.999):
        found = float(np.quantile(shares, level))
        assert found == pytest.approx(dict(warmth.SHARES)[level], rel=0.25), level
    # Quarter hours in which at least the scale's quantile was printed.
    quarters = printed.reshape(-1, 900, *printed.shape[1:]).sum(axis=1)
    fell = 1.0 - interest[899::900] / interest[::900]
    busy = quarters.max(axis=2) >= dict(warmth.SHARES)[0.995]
    ratio = quarters.sum(axis=2)[busy].sum() / fell[busy].sum()
    assert ratio == pytest.approx(warmth.PRINTED / warmth.FALLEN, rel=0.4)


def test_nothing_was_raised_by_it() -> None:
    """The market's past raises no verdict, and no frame of it was damaged or unknown."""
    engine, _ = warmed()
    assert engine.judge.verdicts == []
    assert {ladder.state for ladder in engine.judge.ladders} == {State.QUIET}
    assert engine.tally.malformed == {}
    assert engine.tally.failed_answers == {}
    assert engine.tally.unknown == set()


def test_every_confirmer_can_be_evaluated() -> None:
    """At the start every confirmer of every asset can be evaluated, none for want of history."""
    for asset in view().assets:
        assert (asset.asset, asset.long.evaluable, asset.short.evaluable) == (asset.asset, 5, 5)


def test_no_feed_is_known_yet() -> None:
    """No connection and no stream is left of it: the daemon makes its own."""
    assert view().streams == ()
    assert warmed()[0].connections == {}


def test_it_ends_where_the_market_goes_on() -> None:
    """The next second's prices and open interest join those of the state."""
    engine, market = warmed()
    known = {(i.venue, i.symbol): row for row, i in enumerate(engine.watch.contracts)}
    contracts = engine.arrays.contracts
    joined = {"top": 0, "interest": 0}
    for event in market.second(PAST_S):
        instrument = event.instrument
        row = known.get((instrument.venue, instrument.symbol))
        if row is None:
            continue
        # Of dated contracts no quotes are asked for.
        quoted = instrument.perpetual or instrument.product == "spot"
        if isinstance(event, BookTop) and quoted:
            joined["top"] += 1
            now = event.bid_price / instrument.multiplier
            assert abs(math.log(now / contracts["bid"][row])) < 2e-3
        elif isinstance(event, OpenInterest):
            joined["interest"] += 1
            assert event.open_interest_base == pytest.approx(contracts["interest"][row], rel=2e-3)
    assert joined["top"] >= 20
    assert joined["interest"] >= 10
    assert engine.second == EPOCH_NS // NS


def test_it_is_restored_the_ordinary_way() -> None:
    """A fresh detector that restores the state paints the same picture."""
    engine = fresh()
    snapshot.restore(engine, warmth.state(warmed()[0]))
    restored, warm = picture.paint(engine), view()
    assert restored.now_ns == warm.now_ns
    assert restored.totals == warm.totals
    # Depth is shown from the last book alone, which no later verdict depends on.
    kept = [msgspec.structs.replace(asset, depth_usd={}) for asset in warm.assets]
    assert repr(list(restored.assets)) == repr(kept)


def test_the_configuration_is_an_ordinary_one(tmp_path: Path) -> None:
    """The file that a demo writes is read by the ordinary loader, to the values given."""
    path = tmp_path / "demo.toml"
    endpoints = {o: f"{'ws' if o[0] == 'w' else 'http'}://127.0.0.1:9/x" for o in ORIGINS}
    clock = MarketClock(EPOCH_NS, 1_800_000_000_000_000_000, 20.0)
    settings.write(path, clock, endpoints, 4711, str(tmp_path / 'a "b"'))
    found = load(path, {})
    assert found.clock.anchored(0) == clock
    assert (found.mqtt.host, found.mqtt.port, found.mqtt.protocol) == ("127.0.0.1", 4711, "3.1.1")
    assert found.http.port == 0
    assert found.state.path == str(tmp_path / "demo.state")
    assert found.record.directory == str(tmp_path / 'a "b"')
    assert found.watch == Config().watch
    on = {name for name, options in found.venues.items() if options.enabled}
    assert on == set(settings.simulated())
    assert all(found.venues[name].endpoints == endpoints for name in on)
