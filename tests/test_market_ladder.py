"""The market-wide ladder, driven with frames through the engine's doors."""

import math
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect import snapshot
from monitor.detect.confirmers import confirm
from monitor.detect.context import context_of
from monitor.detect.picture import paint
from monitor.detect.verdict import Baseline, Kind, Phase, State, Verdict
from monitor.events import MARKET, Position
from tests import tape, wide
from tests.streams import examples
from tests.tape import NS, SLOW, START_S, WARM_S, lines, play, split, take, ticking
from tests.wide import ASSETS, cascade, warm_engine, warm_market, warm_state

LONG = Position.LONG
QUIET, NOTICE, ONSET = State.QUIET, State.NOTICE, State.ONSET
CASCADING, EXHAUSTING, EXHAUSTED = State.CASCADING, State.EXHAUSTING, State.EXHAUSTED


def market_wide(verdicts: list[Verdict]) -> list[Verdict]:
    """The market's own verdicts."""
    return [verdict for verdict in verdicts if verdict.asset == MARKET]


def onset_of(verdicts: list[Verdict], asset: str = MARKET) -> Verdict:
    """The first verdict of an asset's episode."""
    return next(v for v in verdicts if v.asset == asset and v.kind is Kind.CASCADE)


# States.


def test_the_market_goes_through_the_same_ladder() -> None:
    """A cascade of all assets is a pressure alert and an episode of the market, to its end."""
    said = market_wide(play(warm_engine(), cascade(warm_market()).go(1200).entries))
    assert [(v.kind, v.phase, v.state, v.previous_state) for v in said] == [
        (Kind.PRESSURE, Phase.START, NOTICE, QUIET),
        (Kind.PRESSURE, Phase.END, ONSET, NOTICE),
        (Kind.CASCADE, Phase.START, ONSET, NOTICE),
        (Kind.CASCADE, Phase.UPDATE, CASCADING, ONSET),
        (Kind.CASCADE, Phase.UPDATE, EXHAUSTING, CASCADING),
        (Kind.CASCADE, Phase.END, EXHAUSTED, EXHAUSTING),
    ]
    assert all(v.id.startswith("MARKET-long-") for v in said)
    assert {v.position for v in said} == {LONG}


def test_the_market_is_judged_at_the_ends_of_seconds() -> None:
    """No order makes a verdict of the market; what a second left does."""
    said = market_wide(play(warm_engine(), cascade(warm_market()).go(300).entries))
    assert {v.detected_ns % NS for v in said} == {0}
    assert all(v.event_ns == v.detected_ns for v in said)


@pytest.mark.parametrize("asset", ASSETS)
def test_a_cascade_of_one_asset_is_none_of_the_market(asset: str) -> None:
    """One asset's episode, however large its part of open interest, leaves the market quiet."""
    market = warm_market().go(120, drift=-2e-4, unwind=3e-4, forced=0.5, assets=(asset,)).go(300)
    core = warm_engine()
    said = play(core, market.entries)
    assert market_wide(said) == []
    assert onset_of(said, asset).state is ONSET
    assert core.arrays.pressure["share_total"][2 * len(ASSETS)] > 0.0


def test_a_squeeze_of_shorts_is_the_markets_too() -> None:
    """Upwards the market's other ladder speaks, and that of longs stays quiet."""
    market = warm_market().go(40, drift=2e-4, unwind=2e-4, forced=0.45, position=Position.SHORT)
    core = warm_engine()
    said = market_wide(play(core, market.entries))
    assert {v.position for v in said} == {Position.SHORT}
    assert said[-1].state is ONSET
    assert paint(core).breadth["long"].assets == 0


def test_breadth_brings_onset_earlier() -> None:
    """Where all assets are pressed the market needs three scales less, and its verdict says so."""
    entries = cascade(warm_market()).entries
    narrow = play(warm_engine(msgspec.structs.replace(SLOW, breadth_lift=0.0)), entries)
    broad = play(warm_engine(), entries)
    early, late = onset_of(broad), onset_of(narrow)
    assert early.detected_ns < late.detected_ns
    assert 3.0 <= early.evidence.pressure_ratio < 6.0 <= late.evidence.pressure_ratio
    assert early.reason == (
        "forced flow filled the bucket to the onset tier; breadth counts as 3 u"
    )
    assert late.reason == "forced flow filled the bucket to the onset tier"
    # Once its own tier is reached, breadth is no part of the reason why it goes on.
    assert onset_of(broad, "BTC").reason == late.reason
    assert {v.reason for v in market_wide(broad) if v.state is CASCADING} == {
        v.reason for v in market_wide(narrow) if v.state is CASCADING
    }


def test_pooled_flow_alone_can_be_an_onset() -> None:
    """Flow too thin for any asset's breadth is the market's when its own scale is small."""
    core = warm_engine()
    for _ in range(300):
        core.scales.sample(np.array([*[[math.nan] * 2] * len(ASSETS), [3e-5] * 2]))
    core.scales.sampled_s[len(ASSETS)] = 20 * 86_400.0
    market = warm_market().go(40, drift=-1e-5, forced=0.03)
    said = play(core, market.entries)
    assert {v.asset for v in said} == {MARKET}
    found = onset_of(said)
    assert (found.evidence.breadth_ratio, found.evidence.breadth_assets) == (0.0, 0.0)
    assert found.evidence.pressure_ratio >= 6.0


# Evidence.


def test_the_evidence_is_that_of_all_assets() -> None:
    """Orders, dollars, shares and moves are those of the watch list taken together."""
    market = cascade(warm_market()).go(1200)
    said = play(warm_engine(), market.entries)
    end = {v.asset: v for v in said if v.state is EXHAUSTED}
    found = end[MARKET].evidence
    parts = [end[asset].evidence for asset in ASSETS]
    assert found.orders == sum(part.orders for part in parts) == 3 * 120
    assert found.forced_usd == pytest.approx(sum(part.forced_usd for part in parts))
    assert found.largest_usd == max(part.largest_usd for part in parts)
    assert found.forced_ratio == pytest.approx((30 * 0.3 + 90 * 0.45) * 3e-4, rel=1e-3)
    assert found.range_ratio == pytest.approx(parts[0].range_ratio, abs=2e-3)
    assert found.price == pytest.approx(market.prices["BTC"] / wide.PRICES["BTC"], abs=0.01)
    assert end[MARKET].coverage == end["BTC"].coverage


def test_a_verdict_of_the_market_says_what_it_cannot_know() -> None:
    """Coins of different assets do not add up; everything else that is null has a reason too."""
    onset = onset_of(play(warm_engine(), cascade(warm_market()).entries))
    assert math.isnan(onset.evidence.open_interest_base)
    assert (
        onset.evidence.unknown["open_interest_base"] == "coins of different assets do not add up"
    )
    assert onset.evidence.venues == {"alpha": pytest.approx(onset.evidence.forced_usd, rel=1e-6)}
    assert (onset.evidence.breadth_ratio, onset.evidence.breadth_assets) == (1.0, 3.0)
    assert onset.evidence.confirmers == ("price", "open_interest", "taker_flow")
    assert onset.evidence.open_interest_age_s < 3.0


def test_every_verdict_tells_of_breadth() -> None:
    """An asset's onset says how much of the market is pressed with it."""
    market = warm_market().go(20, drift=-2e-4, unwind=3e-4, forced=0.5, assets=("ETH", "DOGE"))
    market.go(20, drift=-2e-4, unwind=3e-4, forced=0.5, assets=("BTC",))
    onset = onset_of(play(warm_engine(), market.entries), "BTC")
    # ETH and DOGE lie within two minutes, BTC has come to four scales of its own since.
    assert onset.evidence.breadth_assets == 3.0
    assert onset.evidence.breadth_ratio == pytest.approx(1.0)


def test_without_a_market_verdicts_say_why_there_is_no_breadth() -> None:
    """Two watched assets make no market: its ladder is silent, and null has its reason."""
    core = tape.warm_engine()
    said = play(core, tape.cascade(tape.warm_market()).entries)
    assert {v.asset for v in said} == {"BTC"}
    reasons = {
        v.evidence.unknown[name] for v in said for name in ("breadth_ratio", "breadth_assets")
    }
    assert reasons == {"fewer than 3 watched assets"}
    view = paint(core)
    assert (view.whole, view.no_whole, view.breadth) == (None, "fewer than 3 watched assets", {})


def test_breadth_without_open_interest_is_not_known() -> None:
    """Until any asset's open interest is known there is nothing to be a part of."""
    core = wide.engine()
    core.advance((START_S + 1) * NS)
    core.advance((START_S + 3) * NS)
    breadth = paint(core).breadth["long"]
    assert math.isnan(breadth.ratio)
    context = context_of(core.arrays, 0, core.second - 1)
    confirmed = confirm(context, LONG, core.parameters)
    ladder = core.judge.ladders[0]
    found = core.judge.readings.evidence(0, ladder, 0.0, confirmed, context, core.second)
    assert found.unknown["breadth_assets"] == "no open interest"


# The picture.


def test_the_market_is_painted_as_one_more_asset() -> None:
    """Ladders, totals, scale and open interest in dollars stand beside those of the assets."""
    core = warm_engine()
    said = play(core, cascade(warm_market()).entries)
    view = paint(core)
    assert view.whole is not None
    whole, last = view.whole, market_wide(said)[-1]
    assert (whole.asset, whole.baseline, view.no_whole) == (MARKET, Baseline.PRIOR, "")
    assert (whole.long.state, whole.long.episode_id) == (last.state, last.episode_id)
    assert whole.open_interest_usd == pytest.approx(
        sum(asset.open_interest_usd for asset in view.assets), rel=1e-3
    )
    assert math.isnan(whole.open_interest_base)
    assert whole.long.totals["1h"] == view.totals["long"]["1h"]
    assert whole.long.venue_usd_1h == {"alpha": pytest.approx(whole.long.totals["1h"].usd)}
    assert whole.short.state is QUIET
    assert [asset.asset for asset in view.assets] == list(ASSETS)


# The market's own scale.


def test_the_market_has_a_scale_of_its_own() -> None:
    """Its 60-s shares are sampled as an asset's are, and its scale is held in its episodes."""
    core = warm_engine()
    place = len(ASSETS)
    assert core.scales.sampled_s[place] == core.scales.sampled_s[0]
    core.scales.sampled_s[:] = 20 * 86_400.0
    held = set()
    for entry in cascade(warm_market()).go(1300).entries:
        take(core, entry)
        if core.judge.ladders[2 * place].in_episode:
            held.add(float(core.arrays.assets["scale"][place]))
    assert len(held) == 1
    assert core.arrays.assets["scale"][place] == core.scales.scale(place)
    assert core.arrays.assets["scale"][place] > max(held)


# The log decides, and nothing else.


@pytest.mark.parametrize("batch", [1, 7, 255])
def test_no_batch_size_changes_a_verdict_of_the_market(batch: int) -> None:
    """The alert log, the market's lines among it, is byte-equal for any batch."""
    entries = cascade(warm_market()).go(200).entries
    expected = lines(play(warm_engine(), entries))
    assert expected.count(b'"asset":"MARKET"') == 5
    assert lines(play(warm_engine(batch=batch), entries)) == expected


def test_a_timer_changes_no_verdict_of_the_market() -> None:
    """Seconds end by the log's own stamps, whoever asks for them to end and when."""
    entries = cascade(warm_market()).go(200).entries
    core = warm_engine()
    for moment in ticking(entries, Random(5)):
        if isinstance(moment, int):
            core.advance(moment)
        else:
            take(core, moment)
    core.flush()
    assert lines(core.drain()) == lines(play(warm_engine(), entries))


@given(moment_s=st.floats(0.0, 350.0))
@examples(8)
def test_a_restart_at_any_moment_changes_no_verdict_of_the_market(moment_s: float) -> None:
    """State to bytes and back in the middle of anything leaves the same alert log."""
    entries = cascade(warm_market()).go(200).entries
    before, after = split(entries, (START_S + WARM_S) * NS + int(moment_s * NS))
    core, again = warm_engine(), wide.engine()
    said = play(core, before)
    snapshot.restore(again, snapshot.take(core))
    assert lines(said + play(again, after)) == lines(play(warm_engine(), entries))


def test_a_long_pause_leaves_the_markets_episode_unconfirmed() -> None:
    """Hours without observation end it, and the index goes on from where it was."""
    core = warm_engine()
    market = cascade(warm_market())
    play(core, market.entries)
    index = float(core.arrays.assets["price"][len(ASSETS)])
    market.entries.clear()
    market.second += 3 * 3600
    market.prices["BTC"] *= 2.0
    said = market_wide(play(core, market.go(5).entries))
    assert [v.state for v in said] == [State.UNCONFIRMED]
    assert core.arrays.assets["price"][len(ASSETS)] == pytest.approx(index, rel=1e-3)


# Snapshots.


def older(data: bytes) -> bytes:
    """A snapshot as it was written before the market had rows."""
    content = msgspec.msgpack.decode(data)
    market, venues = len(content["assets"]), len(content["venues"])
    ladders = [2 * market, 2 * market + 1]
    lines_of = [ladder * venues + v for ladder in ladders for v in range(venues)]
    for names, rows in (
        (("assets", "prices", "interests", "takers", "bins", "mass", "sampled_s"), [market]),
        (("pressure", "shares"), ladders),
        (("sums", "seconds", "minutes"), lines_of),
    ):
        for name in names:
            fields = content["arrays"][name]
            content["arrays"][name] = {key: _without(fields[key], rows) for key in fields}
    for name in ("members", "parts", "falls"):
        del content["arrays"][name]
    content["ladders"] = [one for one in content["ladders"] if one["asset"] != MARKET]
    del content["market"]
    return msgspec.msgpack.encode(content)


def _without(field: dict[str, Any], rows: list[int]) -> dict[str, Any]:
    """A stored field without these rows."""
    full = np.zeros(field["shape"], field["dtype"])
    values = np.frombuffer(field["values"], field["dtype"])
    if field["places"] is None:
        full[:] = values.reshape(field["shape"])
    else:
        full.reshape(-1)[np.frombuffer(field["places"], "<i8")] = values
    left = np.delete(full, rows, axis=0)
    return {**field, "shape": left.shape, "values": left.tobytes(), "places": None}


def of_assets(verdicts: list[Verdict]) -> list[tuple[str, State, int, float, int]]:
    """What verdicts of the assets say that does not rest on the market."""
    return [
        (v.id, v.state, v.detected_ns, v.evidence.forced_usd, v.evidence.orders)
        for v in verdicts
        if v.asset != MARKET
    ]


def test_a_snapshot_from_before_the_market_goes_on() -> None:
    """Assets and what is off the list keep their rows; the market begins as in a fresh engine."""
    entries = cascade(warm_market()).go(200).entries
    before, after = split(entries, (START_S + WARM_S + 75) * NS)
    core = warm_engine()
    said = play(core, before)
    off_list = 2 * (len(ASSETS) + 1)
    core.arrays.pressure["late"][off_list] = 7
    data, sampled_s = snapshot.take(core), core.scales.sampled_s[:3].tolist()
    expected = said + play(core, after)
    again = wide.engine()
    snapshot.restore(again, older(data))
    assert again.arrays.pressure["late"][off_list] == 7
    assert again.scales.sampled_s.tolist() == [*sampled_s, 0.0]
    place = len(ASSETS)
    assert (again.arrays.assets["scale"][place], again.arrays.members["price"][place]) == (3e-4, 1)
    found = said + play(again, after)
    assert of_assets(found) == of_assets(expected)
    assert paint(again).totals == paint(core).totals


def test_the_market_keeps_its_rows_when_the_watch_list_changes() -> None:
    """With another asset on the list, the market's episode, scale and index go on."""
    entries = cascade(warm_market()).go(200).entries
    before, after = split(entries, (START_S + WARM_S + 75) * NS)
    core = warm_engine()
    play(core, before)
    core.scales.sampled_s[len(ASSETS)] = 123_456.0
    again = wide.engine(("SOL", *ASSETS))
    snapshot.restore(again, snapshot.take(core))
    assert again.scales.sampled_s.tolist() == [0.0, *core.scales.sampled_s]
    index = core.arrays.members["price"][len(ASSETS)]
    assert again.arrays.members["price"][len(ASSETS) + 1] == index
    expected = [(v.id, v.state) for v in market_wide(play(core, after))]
    assert [(v.id, v.state) for v in market_wide(play(again, after))] == expected
    assert [state for _, state in expected][-1] is EXHAUSTING


def test_a_watch_list_that_makes_no_market_drops_its_ladder() -> None:
    """Of two assets there is no market: nothing is open, and a third one brings it back."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    fewer = wide.engine(("BTC", "ETH"))
    snapshot.restore(fewer, snapshot.take(core))
    assert {ladder.asset for ladder in fewer.judge.ladders} == {"BTC", "ETH"}
    assert paint(fewer).whole is None
    more = wide.engine()
    snapshot.restore(more, snapshot.take(fewer))
    assert [ladder.state for ladder in more.judge.ladders if ladder.asset == MARKET] == [
        QUIET,
        QUIET,
    ]
    assert more.arrays.members["price"][3] == core.arrays.members["price"][3]


def test_an_older_program_refuses_a_snapshot_with_a_market() -> None:
    """It has arrays that a version without the market does not know."""
    stored = msgspec.msgpack.decode(warm_state())["arrays"]
    assert {"members", "parts"} <= set(stored)
