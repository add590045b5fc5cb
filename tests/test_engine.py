import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect.engine import Engine
from monitor.detect.picture import paint
from monitor.detect.scale import SAMPLE_S
from monitor.detect.tally import KEPT_BYTES, KEPT_FRAMES
from monitor.detect.verdict import Baseline, State
from monitor.events import OVERSIZED, Answer, Fact, FactKind, Malformed, Outcome, Position, Unused
from monitor.instruments import Instrument
from tests import tape
from tests.stand_in import (
    LISTED,
    FundingRow,
    InterestRow,
    MarkRow,
    OrderRow,
    OtherRow,
    Row,
    TopRow,
    TradeRow,
    perpetual,
)
from tests.streams import examples
from tests.tape import (
    NS,
    Frame,
    cascade,
    fact,
    frame,
    lines,
    listing,
    play,
    pressing,
    states,
    take,
    ticking,
    warm_engine,
    warm_market,
)

LONG = Position.LONG


# The log decides, and nothing else.


@pytest.mark.parametrize("batch", [1, 7, 255])
def test_no_batch_size_changes_a_verdict(batch: int) -> None:
    """The alert log is byte-equal for any number of events that wait for the kernel."""
    market = cascade(warm_market()).go(200)
    expected = lines(play(warm_engine(batch=256), market.entries))
    assert expected.count(b"\n") == 6
    assert lines(play(warm_engine(batch=batch), market.entries)) == expected


@given(seed=st.integers(0, 2**32))
@examples(6)
def test_a_timer_changes_no_verdict(seed: int) -> None:
    """Seconds end by the log's own stamps, whoever asks for them to end and when."""
    market = cascade(warm_market()).go(200)
    expected = lines(play(warm_engine(), market.entries))
    core = warm_engine()
    for moment in ticking(market.entries, Random(seed)):
        if isinstance(moment, int):
            core.advance(moment)
        else:
            take(core, moment)
    core.flush()
    assert lines(core.drain()) == expected


def test_verdicts_wait_for_no_later_event() -> None:
    """A timer that flushes tells of a crossing although no further frame comes."""
    market = pressing(warm_market(), 16)
    core = warm_engine()
    for entry in market.entries:
        take(core, entry)
    assert core.waiting > 0
    core.flush()
    assert core.waiting == 0
    assert states(core.drain()) == [State.NOTICE]
    assert core.drain() == []


# What a frame was good for.


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ((), Outcome.NOTHING),
        ((OtherRow(Unused.PONG),), Outcome.NOTHING),
        ((OtherRow(Unused.OTHER),), Outcome.NOTHING),
        ((OtherRow(Unused.ACKNOWLEDGED),), Outcome.ACKNOWLEDGED),
        ((OtherRow(Unused.REFUSED),), Outcome.REFUSED),
        ((OtherRow(Unused.RESTART_NOTICE),), Outcome.RESTART),
        ((TopRow("BTC-PERP", 1, 1.0, 2.0),), Outcome.USEFUL),
        ((TradeRow("DOGE-PERP", 1, 1.0, 2.0), OtherRow(Unused.PONG)), Outcome.USEFUL),
        ((MarkRow("BTC-PERP", 1, 1.0), OtherRow(Unused.ACKNOWLEDGED)), Outcome.USEFUL),
        (
            (FundingRow("BTC-PERP", 1, 1e-4, 28_800), OtherRow(Unused.RESTART_NOTICE)),
            Outcome.RESTART,
        ),
        ((InterestRow("NEW", 1, 1.0),), Outcome.USEFUL),
        ((FundingRow("DOGE-PERP", 1, 1e-4, 28_800),), Outcome.USEFUL),
    ],
)
def test_a_frame_is_worth_its_weightiest_event(rows: tuple[Row, ...], outcome: Outcome) -> None:
    """Acknowledgements are no data, and a notice of the venue outweighs data."""
    core, now_ns = warm_engine(), warm_market().now_ns
    assert core.frame(1, now_ns, frame(now_ns, 1, *rows).data) is outcome


def test_only_useful_frames_keep_a_stream_alive() -> None:
    """Pongs and damage leave the moment of the last useful frame as it was."""
    core, now_ns = warm_engine(), warm_market().now_ns
    stream = core.feeds.stream("alpha", "main")
    before = stream.last_useful_ns
    core.frame(1, now_ns, frame(now_ns, 1, OtherRow(Unused.PONG)).data)
    core.frame(1, now_ns + 1, b"{not json")
    assert stream.last_useful_ns == before
    core.frame(1, now_ns + 2, frame(now_ns, 1, MarkRow("BTC-PERP", 1, 1.0)).data)
    assert stream.last_useful_ns == now_ns + 2


def test_damaged_frames_are_counted_and_the_others_taken() -> None:
    """Damage is counted by venue and reason; the verdicts are those without it."""
    market = cascade(warm_market()).go(200)
    damaged = [
        broken
        for entry in market.entries
        for broken in (
            (Frame(entry.received_ns, 1, b"\xff\x00"), entry)
            if isinstance(entry, Frame)
            else (entry,)
        )
    ]
    core = warm_engine()
    assert lines(play(core, damaged)) == lines(play(warm_engine(), market.entries))
    count = sum(isinstance(entry, Frame) for entry in market.entries)
    assert core.tally.malformed == {("alpha", Malformed("not a list of rows").reason): count}
    assert core.feeds.stream("alpha", "main").malformed == count


def test_a_connection_cut_for_an_oversized_frame_is_damage() -> None:
    """What could not even be read is counted like other damage, once a cut."""
    core, now_ns = warm_engine(), warm_market().now_ns
    core.fact(Fact(now_ns, 1, "alpha", "main", FactKind.DISCONNECTED, f"{OVERSIZED}: 2 MiB"))
    core.fact(Fact(now_ns, 2, "beta", "main", FactKind.DISCONNECTED, "lost"))
    assert core.tally.malformed == {("alpha", OVERSIZED): 1}
    assert core.feeds.stream("alpha", "main").malformed == 1


def test_the_last_damaged_frames_are_kept() -> None:
    """Each frame is kept once, however many of its rows are damaged, and only the newest."""
    core = warm_engine()
    for number in range(KEPT_FRAMES + 5):
        core.tally.keep("alpha", number, b"x" * (KEPT_BYTES + 1))
        core.tally.keep("alpha", number, b"x" * (KEPT_BYTES + 1))
    kept = list(core.tally.kept["alpha"])
    assert [stamp for stamp, _ in kept] == list(range(5, KEPT_FRAMES + 5))
    assert {len(data) for _, data in kept} == {KEPT_BYTES}


def test_rest_answers_come_in_by_their_own_door() -> None:
    """A good answer's events count, a failed one is counted by its status."""
    core, market = warm_engine(), warm_market()
    body = frame(0, 0, InterestRow("BTC-PERP", market.now_ns, 15_000.0)).data
    core.answer(Answer(market.now_ns, "alpha", "open_interest", "BTC-PERP", 200, body))
    core.answer(Answer(market.now_ns, "alpha", "open_interest", "BTC-PERP", 429, b"slow down"))
    core.answer(Answer(market.now_ns, "beta", "open_interest", "BTC-USD", 0, b"timed out"))
    core.flush()
    assert core.arrays.contracts["interest"][core.watch.row(LISTED["alpha"][0])] == 15_000.0
    assert core.tally.failed_answers == {("alpha", "429"): 1, ("beta", "0"): 1}


def test_open_interest_in_money_becomes_coins() -> None:
    """An inverse contract's open interest in dollars is priced by its mark; a linear one's not."""
    core, market = warm_engine(), warm_market()
    now_ns = market.now_ns
    mark, money = MarkRow("BTC-USD", now_ns, 50_000.0), InterestRow("BTC-USD", now_ns, None, 1e9)
    play(core, [frame(now_ns, 2, mark, money)])
    assert core.arrays.contracts["interest"][core.watch.row(LISTED["beta"][0])] == 20_000.0
    row = core.watch.row(LISTED["alpha"][0])
    before = core.arrays.contracts["interest"][row]
    play(core, [frame(now_ns, 1, InterestRow("BTC-PERP", now_ns, None, 1e9))])
    assert core.arrays.contracts["interest"][row] == before


def test_what_is_no_amount_of_interest_or_price_is_passed_over() -> None:
    """Open interest and marks of zero or less leave the last good values."""
    core, market = warm_engine(), warm_market()
    row = core.watch.row(LISTED["alpha"][0])
    before = core.arrays.contracts[row].copy()
    none, below = InterestRow("BTC-PERP", market.now_ns, 0.0), MarkRow("BTC-PERP", 1, -1.0)
    play(core, [frame(market.now_ns, 1, none, below)])
    for name in ("interest", "mark", "mark_ns"):
        assert core.arrays.contracts[row][name] == before[name]


def test_an_unknown_instrument_counts_without_dollars() -> None:
    """An order of a contract that nobody listed is an order of other, and asked about."""
    core, market = warm_engine(), warm_market()
    play(core, [frame(market.now_ns, 1, OrderRow("NEW-PERP", LONG, market.now_ns, 5.0, 2.0))])
    view = paint(core)
    assert core.tally.unknown == {("alpha", "NEW-PERP")}
    assert view.other_totals["long"]["1m"].orders == 1
    assert view.other_totals["long"]["1m"].usd == 0.0


def test_listings_take_contracts_in_and_out() -> None:
    """A listing gives new contracts rows and takes delisted ones out of price and interest."""
    core, market = warm_engine(), warm_market()
    now_ns = market.now_ns
    new = perpetual("alpha", "BTC-NEW", "BTC")
    rest = [i for i in LISTED["alpha"] if i.symbol != "BTC-PERP"]
    play(core, [listing(now_ns, "alpha", "perp", [*rest, new])])
    assert core.watch.row(new) >= 0
    assert core.watch.row(LISTED["alpha"][0]) == -1
    orders = [OrderRow(symbol, LONG, now_ns, 1.0, 10.0) for symbol in ("BTC-NEW", "BTC-PERP")]
    play(core, [frame(now_ns + 1, 1, *orders)])
    core.advance(now_ns + NS)
    view = paint(core)
    assert view.assets[0].long.totals["1m"].orders == 1
    assert view.other_totals["long"]["1m"].orders == 1
    assert view.assets[0].open_interest_base == pytest.approx(10_000.0, rel=1e-3)


def test_a_thousandfold_contract_counts_in_coins() -> None:
    """Prices and coins of a contract that quotes thousands meet those of the coin itself."""
    core = tape.engine(assets=("PEPE",))
    milli = Instrument(
        "alpha", "perp", "1000PEPE", "PEPE", "USD", "USD", multiplier=1000.0, perpetual=True,
        unit=LISTED["alpha"][0].unit,
    )  # fmt: skip
    now_ns = tape.START_S * NS
    play(
        core,
        [
            listing(now_ns, "alpha", "perp", [milli]),
            fact(now_ns, 1, "alpha", FactKind.CONNECTED),
            frame(
                now_ns,
                1,
                TopRow("1000PEPE", now_ns, 0.01, 0.01),
                TradeRow("1000PEPE", now_ns, 0.01, -7.0),
                OrderRow("1000PEPE", LONG, now_ns, 5.0, 0.01),
            ),
        ],
    )
    assert core.arrays.assets["taker_usd"][0] == pytest.approx(-0.07)
    assert core.arrays.sums["usd"][0, 0] == 50_000
    core.advance(now_ns + NS)
    assert core.arrays.assets["price"][0] == pytest.approx(1e-5)


# Connections.


def test_a_restart_closes_what_was_open() -> None:
    """STARTED says that no connection is open, whatever the state before said."""
    core, now_ns = warm_engine(), warm_market().now_ns
    assert sorted(core.connections) == [1, 2]
    core.fact(fact(now_ns, 0, "", FactKind.STARTED))
    assert core.connections == {}
    assert core.missing == ("alpha/main", "beta/main")
    core.fact(fact(now_ns, 0, "", FactKind.STOPPED))
    assert core.missing == ("alpha/main", "beta/main")


def test_a_restart_does_not_count_an_order_again() -> None:
    """After a restart connections are numbered anew; an order replayed to number 1 is known."""
    core, now_ns = warm_engine(), warm_market().now_ns
    order = OrderRow("BTC-PERP", LONG, now_ns, 1.0, 60_000.0)
    log: list[tape.Entry] = [frame(now_ns, 1, order), fact(now_ns, 0, "", FactKind.STARTED)]
    log += [fact(now_ns, 1, "alpha", FactKind.CONNECTED), frame(now_ns + 1, 1, order, order)]
    play(core, log)
    view = paint(core)
    assert view.assets[0].long.totals["1m"].orders == 2
    assert view.dropped["repeat"] == 1


def test_a_lost_connection_is_missing_at_once() -> None:
    """From the fact on, not from the next second, verdicts name the stream that was cut."""
    core, now_ns = warm_engine(), warm_market().now_ns
    core.fact(fact(now_ns + 1, 2, "beta", FactKind.DISCONNECTED))
    assert core.missing == ("beta/main",)
    assert sorted(core.connections) == [1]


# Scales.


def own_scale(core: Engine, days: float = 20.0) -> None:
    """Give every asset days of its own samples, with a tail of a scale like the prior's."""
    dice = Random(3)
    for _ in range(300):
        shares = [[dice.choice((0.0, 1e-5, 3e-4)), 0.0] for _ in core.scales.mass]
        core.scales.sample(np.array(shares))
    core.scales.sampled_s[:] = days * 86_400.0


def test_no_sample_while_no_feed_flows() -> None:
    """When nothing is heard, nothing was observed: the baseline stands still."""
    core, market = warm_engine(), warm_market()
    market.go(100)
    play(core, market.entries)
    grown = core.scales.sampled_s.copy()
    mass = core.scales.mass.copy()
    core.advance(market.now_ns + 60 * NS)
    assert core.scales.sampled_s[0] == grown[0] + 60
    core.advance(market.now_ns + 600 * NS)
    assert core.scales.sampled_s[0] == pytest.approx(grown[0] + 60, abs=SAMPLE_S)
    assert core.scales.mass[0] <= mass[0] + 2 * 7


def test_an_asset_without_open_interest_is_not_sampled() -> None:
    """Only assets whose share can be told grow a baseline."""
    core = tape.engine()
    play(core, tape.Market(with_interest=False).go(60).entries)
    assert core.scales.sampled_s.tolist() == [0.0, 0.0, 0.0]


def test_the_scale_is_held_while_an_episode_lasts() -> None:
    """From onset to the end the episode is measured by the scale it began with."""
    core = warm_engine()
    own_scale(core)
    market = cascade(warm_market()).go(1300)
    held: dict[State, set[float]] = {state: set() for state in State}
    onset_scale = 0.0
    for entry in market.entries:
        take(core, entry)
        state = core.judge.ladders[0].state
        scale = float(core.arrays.assets["scale"][0])
        if state is State.ONSET and not onset_scale:
            onset_scale = scale
        held[state].add(scale)
    during = held[State.ONSET] | held[State.CASCADING] | held[State.EXHAUSTING]
    assert during == {onset_scale}
    assert State.EXHAUSTED in states(core.drain())
    assert core.arrays.assets["scale"][0] == core.scales.scale(0)
    assert core.arrays.assets["scale"][0] > 1.5 * onset_scale, "all samples were kept"


def test_verdicts_say_what_their_scale_rests_on() -> None:
    """The baseline class of the evidence is that of the asset's samples at that moment."""
    market = pressing(warm_market(), 16)
    for days, baseline in ((0.0, Baseline.PRIOR), (2.0, Baseline.PARTIAL), (20.0, Baseline.OWN)):
        core = warm_engine()
        own_scale(core, days)
        (notice,) = play(core, market.entries)
        assert notice.evidence.baseline is baseline


def test_weights_fade_by_the_hour() -> None:
    """At each full hour of the market clock all weights fade by their hourly factor."""
    core = warm_engine()
    before = float(core.scales.mass[0])
    to_hour_s = 3600 - warm_market().second % 3600
    core.advance((warm_market().second + to_hour_s - 1) * NS)
    unfaded = float(core.scales.mass[0])
    core.advance((warm_market().second + to_hour_s) * NS)
    assert unfaded >= before
    assert core.scales.mass[0] == pytest.approx(unfaded * math.exp(-1.0 / (24 * 14)))
