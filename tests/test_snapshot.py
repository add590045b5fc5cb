import re
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detect import snapshot
from monitor.detect.engine import Engine
from monitor.detect.picture import paint
from monitor.detect.verdict import State, Verdict
from monitor.errors import StateError
from monitor.events import Completeness, FactKind, Position
from tests import tape
from tests.stand_in import ALPHA, BETA, FundingRow, Heard, OrderRow, perpetual, venue
from tests.streams import examples
from tests.tape import (
    NS,
    START_S,
    WARM_S,
    Market,
    cascade,
    fact,
    frame,
    lines,
    listing,
    play,
    split,
    states,
    warm_engine,
    warm_market,
)

MOVE_AWAY = "move the file away to start without it"
GAMMA = venue("gamma", Completeness.AGGREGATED)


def restored(data: bytes, **kwargs: Any) -> Engine:
    """A fresh engine with this state."""
    core = tape.engine(**kwargs)
    snapshot.restore(core, data)
    return core


def test_a_restored_engine_has_the_state_it_was_taken_from() -> None:
    """Taken, restored and taken again, the bytes are the same."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    data = snapshot.take(core)
    assert snapshot.take(restored(data)) == data


def test_taking_a_snapshot_changes_nothing_later() -> None:
    """What waits is run, and the verdicts go on as they would have."""
    market = cascade(warm_market()).go(200)
    expected = lines(play(warm_engine(), market.entries))
    core = warm_engine()
    for number, entry in enumerate(market.entries):
        tape.take(core, entry)
        if number % 50 == 0:
            snapshot.take(core)
            assert core.waiting == 0
    core.flush()
    assert lines(core.drain()) == expected


@given(moment_s=st.floats(0.0, 350.0), batch=st.sampled_from((1, 7, 256)))
@examples(12)
def test_a_restart_at_any_moment_changes_no_verdict(moment_s: float, batch: int) -> None:
    """State to bytes and back in the middle of anything leaves the same alert log."""
    market = cascade(warm_market()).go(200)
    expected = lines(play(warm_engine(), market.entries))
    before, after = split(market.entries, (START_S + WARM_S) * NS + int(moment_s * NS))
    core = warm_engine()
    said = play(core, before)
    said += play(restored(snapshot.take(core), batch=batch), after)
    assert lines(said) == expected


def test_a_restart_within_a_second_changes_no_evidence() -> None:
    """Open interest and missing streams of the very order are told after a restore as before."""
    market = warm_market()
    market.silent.add("beta")
    market.go(70)
    market.go(40, drift=-2e-4, unwind=1e-3, forced=4.5)
    expected = play(warm_engine(), market.entries)
    assert State.ONSET in states(expected)
    for verdict in expected:
        before, after = split(market.entries, verdict.detected_ns)
        core = warm_engine()
        said = play(core, before)
        said += play(restored(snapshot.take(core)), after)
        assert lines(said) == lines(expected)


def of_btc(verdicts: list[Verdict]) -> list[bytes]:
    """The alert log of BTC, without what depends on the rest of the watch list."""
    found = []
    for verdict in verdicts:
        if verdict.asset == "BTC":
            line = msgspec.json.decode(lines([verdict]))
            for name in ("breadth_ratio", "breadth_assets"):
                del line["evidence"][name]
                line["evidence"]["unknown"].pop(name, None)
            found.append(msgspec.json.encode(line))
    return found


@pytest.mark.parametrize(
    "assets", [("ETH", "BTC"), ("SOL", "BTC", "ETH"), ("BTC",)], ids=["moved", "added", "removed"]
)
def test_the_watch_list_may_change_between_two_runs(assets: tuple[str, ...]) -> None:
    """Rows are found again by asset, so that an open episode goes on in its new place."""
    market = cascade(warm_market()).go(200)
    expected = play(warm_engine(), market.entries)
    before, after = split(market.entries, (START_S + WARM_S + 75) * NS)
    core = warm_engine()
    said = play(core, before)
    again = restored(snapshot.take(core), assets=assets)
    said += play(again, after)
    assert of_btc(said) == of_btc(expected)
    view = {asset.asset: asset for asset in paint(again).assets}
    assert tuple(view) == assets
    assert view["BTC"].long.totals["1h"].orders == 240


def test_a_removed_asset_takes_its_rows_with_it() -> None:
    """Without the asset there is no ladder of it, and its contracts count as other."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    again = restored(snapshot.take(core), assets=("ETH",))
    assert [i.symbol for i in again.watch.contracts] == ["ETH-PERP"]
    assert [ladder.asset for ladder in again.judge.ladders] == ["ETH", "ETH"]
    now_ns = again.second * NS
    play(again, [frame(now_ns, 1, OrderRow("BTC-PERP", Position.LONG, now_ns, 1.0, 1.0))])
    assert paint(again).other_totals["long"]["1m"].orders == 1


def test_a_venue_may_come_and_go_between_two_runs() -> None:
    """Another venue takes nothing from the totals of those that stay."""
    core = warm_engine()
    market = cascade(warm_market()).go(200)
    before, after = split(market.entries, (START_S + WARM_S + 75) * NS)
    said = play(core, before)
    data = snapshot.take(core)
    expected = said + play(core, after)
    more = restored(data, venues=(GAMMA, ALPHA, BETA))
    found = said + play(more, after)
    changed = [msgspec.structs.replace(v, coverage=expected[0].coverage) for v in found]
    same = [msgspec.structs.replace(v, coverage=expected[0].coverage) for v in expected]
    assert lines(changed) == lines(same)
    assert found[-1].coverage.classes["gamma"] == "aggregated"
    fewer = restored(data, venues=(BETA,))
    assert sorted(fewer.connections) == [2]
    assert {i.venue for i in fewer.watch.contracts} == {"beta"}
    assert list(fewer.feeds.streams) == [("beta", "main")]
    usd = paint(fewer).assets[0].long.venue_usd_1h
    assert usd == {"beta": paint(restored(data)).assets[0].long.venue_usd_1h["beta"]}


def test_a_killed_daemon_goes_on_in_the_same_episode() -> None:
    """Ninety seconds away in mid-cascade: the new process continues the same episode's id."""
    market = warm_market()
    market.go(30, drift=-2e-4, unwind=2e-4, forced=1.0)
    market.go(20, drift=-1.5e-4, unwind=3e-4, forced=3.0)
    core = warm_engine()
    said = play(core, market.entries)
    data = snapshot.take(core)
    market.entries.clear()
    market.go(90, drift=-1e-4, unwind=1e-4, forced=2.0)  # nobody listens
    market.entries.clear()
    market.entries.append(fact(market.now_ns, 0, "", FactKind.STARTED))
    market.connect("alpha", 1)
    market.connect("beta", 2)
    market.go(30, drift=-1e-4, unwind=3e-4, forced=3.0)
    market.go(30, drift=3e-4).go(1200)
    said += play(restored(data), market.entries)
    cascades = [v for v in said if v.kind is v.kind.CASCADE]
    assert [v.state for v in cascades] == [
        State.ONSET,
        State.CASCADING,
        State.EXHAUSTING,
        State.EXHAUSTED,
    ]
    assert len({v.episode_id for v in cascades}) == 1
    assert [v.id.rpartition("-")[2] for v in cascades] == ["1", "2", "3", "4"]


def test_open_connections_go_on_where_their_readers_were() -> None:
    """A recording that begins in mid-connection reads its frames with the reader's own state."""
    core = warm_engine()
    now_ns = warm_market().now_ns
    play(core, [frame(now_ns, 1, FundingRow("BTC-PERP", now_ns, 1e-4, 28_800))])
    again = restored(snapshot.take(core))
    heard = [again.connections[number].reader.state for number in (1, 2)]
    assert heard == [core.connections[number].reader.state for number in (1, 2)]
    assert isinstance(heard[0], Heard)
    assert heard[0].frames > WARM_S
    assert again.connections[1].opened_ns == START_S * NS
    assert again.intake.funding == core.intake.funding
    assert len(again.intake.funding) == 1
    assert again.feeds == core.feeds


def test_more_contracts_than_rows_are_cut() -> None:
    """A shorter watch list has fewer rows; contracts beyond them count as other."""
    many = [perpetual("alpha", f"BTC-{k}", "BTC") for k in range(90)]
    core = tape.engine()
    play(core, [listing(START_S * NS, "alpha", "perp", many)])
    again = restored(snapshot.take(core), assets=("BTC",))
    assert len(again.watch.contracts) == 48
    assert again.arrays.contracts["asset"].tolist() == [0] * 48


# What cannot be used.


def changed(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """A snapshot with something about it changed."""
    content = msgspec.msgpack.decode(data)
    change(content)
    return msgspec.msgpack.encode(content)


def refusal(data: bytes) -> str:
    """What the operator is told."""
    with pytest.raises(StateError) as caught:
        restored(data)
    return str(caught.value)


def test_bytes_that_are_no_snapshot_are_refused() -> None:
    """The message names what was there and what to do."""
    assert refusal(b"\xc1") == (
        "expected a state snapshot, was 1 bytes that are none "
        f"(MessagePack data is malformed: invalid opcode '\\xc1' (byte 0)); {MOVE_AWAY}"
    )
    data = snapshot.take(tape.engine())
    assert refusal(data[:-1]) == (
        f"expected a state snapshot, was {len(data) - 1} bytes that are none "
        f"(Input data was truncated); {MOVE_AWAY}"
    )
    assert refusal(msgspec.msgpack.encode({"format": 1})) == (
        "expected a state snapshot, was 9 bytes that are none "
        f"(Object missing required field `second`); {MOVE_AWAY}"
    )


def test_a_newer_format_is_refused_whatever_it_holds() -> None:
    """The format is read first, so that other fields of another version do not confuse."""
    newer = msgspec.msgpack.encode({"format": 2, "what": "ever"})
    assert refusal(newer) == (
        "expected a state snapshot of format 1, was 2; "
        "it belongs to another version: run that one, or move the file away"
    )


def test_a_field_or_an_array_nobody_knows_is_refused() -> None:
    """A version that knows fewer numbers refuses rather than guesses."""
    data = snapshot.take(tape.engine())

    def field(content: dict[str, Any]) -> None:
        content["arrays"]["assets"]["mood"] = content["arrays"]["assets"]["scale"]

    def array(content: dict[str, Any]) -> None:
        content["arrays"]["moods"] = {}

    newer = "it belongs to a newer version: run that one, or move the file away"
    assert refusal(changed(data, field)) == (
        f"expected a state snapshot of known fields, was one with assets.mood; {newer}"
    )
    assert refusal(changed(data, array)) == (
        f"expected a state snapshot of known arrays, was one with moods; {newer}"
    )


def test_a_field_of_another_shape_is_refused() -> None:
    """Rows of another width cannot be copied."""

    def wider(content: dict[str, Any]) -> None:
        content["arrays"]["shares"][""]["shape"][1] = 65

    assert refusal(changed(snapshot.take(tape.engine()), wider)) == (
        f"expected shares. of shape (64,) a row, was (65,); {MOVE_AWAY}"
    )


def test_a_damaged_field_is_refused() -> None:
    """Too few bytes, too few rows, places outside or a strange type are damage, and said so."""
    core = warm_engine()
    play(core, cascade(warm_market()).entries)
    data = snapshot.take(core)

    def of_scale(**values: Any) -> Callable[[dict[str, Any]], None]:
        return lambda content: content["arrays"]["assets"]["scale"].update(values)

    def outside(content: dict[str, Any]) -> None:
        field = content["arrays"]["seconds"]["usd"]
        field["places"] = np.full(len(field["places"]) // 8, 2**40, "<i8").tobytes()

    start = "expected assets.scale whole, was damaged ("
    messages = [
        refusal(changed(data, of_scale(values=b"\0" * 23))),
        refusal(changed(data, of_scale(values=b"\0" * 16))),
        refusal(changed(data, of_scale(values=b"\0" * 8, shape=[1]))),
        refusal(changed(data, of_scale(dtype="nonsense"))),
    ]
    assert all(m.startswith(start) and m.endswith(f"); {MOVE_AWAY}") for m in messages), messages
    assert refusal(changed(data, outside)).startswith("expected seconds.usd whole, was damaged (")


def test_another_readers_state_is_refused() -> None:
    """A reader that has learnt to hold other things cannot go on from the old ones."""

    def stranger(content: dict[str, Any]) -> None:
        content["connections"][0]["state"] = msgspec.msgpack.encode({"frames": "many"})

    core = warm_engine()
    assert refusal(changed(snapshot.take(core), stranger)) == (
        "expected the state of a reader of alpha/main, was another "
        f"(Expected `int`, got `str` - at `$.frames`); {MOVE_AWAY}"
    )


def test_a_snapshot_without_a_newer_field_keeps_its_start_value() -> None:
    """An older snapshot is read: what it does not know begins as in a fresh engine."""

    def older(content: dict[str, Any]) -> None:
        del content["arrays"]["assets"]["depth_ratio"]
        del content["arrays"]["shares"]

    core = warm_engine()
    again = restored(changed(snapshot.take(core), older))
    assert np.isnan(again.arrays.assets["depth_ratio"]).all()
    assert not again.arrays.shares.any()
    assert again.arrays.assets["scale"].tobytes() == core.arrays.assets["scale"].tobytes()


def test_a_snapshot_is_small_where_nothing_happened() -> None:
    """Empty buckets of a day of seconds take no room."""
    assert len(snapshot.take(tape.engine())) < 300_000
    assert re.match(rb"^\x8e\xa6format\x01", snapshot.take(tape.engine()))


def test_an_engine_that_never_began_can_be_kept() -> None:
    """State before the first entry restores to an engine that begins with its first one."""
    core = restored(snapshot.take(tape.engine()))
    expected = play(tape.engine(), tape.whole_episode())
    assert lines(play(core, tape.whole_episode())) == lines(expected)
    assert Market().second == START_S
