"""Recorded history: what counts as a hit, and what the recordings give as a whole."""

import math
import statistics
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.assess import history, history_flush, history_series
from monitor.assess.history_figures import Part
from monitor.assess.history_rules import MEMORY_SAMPLES, PRIMARY, alarms, moves, rules, sigmas
from monitor.assess.history_series import Flush, Series, series_of
from monitor.events import Position
from monitor.parameters import Parameters
from tests.recordings import DAY, STEP_S, market, rule_named, seen_in

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"

DETECTOR = Parameters()


def naive_sigmas(price: list[float]) -> list[float]:
    """The same from the words alone: winsorise from 60 returns on, then weigh in."""
    out = [math.nan] * len(price)
    variance, seen = 0.0, 0
    for i in range(1, len(price)):
        if math.isnan(price[i]) or math.isnan(price[i - 1]):
            continue
        step = math.log(price[i] / price[i - 1])
        if seen >= 60:
            step = statistics.median([step, 3.0 * math.sqrt(variance), -3.0 * math.sqrt(variance)])
        weight = 1.0 / min(60, seen + 1)
        variance = max(1e-12, variance + weight * (step * step - variance))
        seen += 1
        out[i] = math.sqrt(variance) if seen > 60 else math.nan
    return out


PRICES = st.lists(st.floats(10.0, 20.0) | st.just(math.nan), min_size=62, max_size=120)


@given(PRICES)
@settings(max_examples=50, deadline=None)
def test_sigma_is_its_definition(price: list[float]) -> None:
    """Winsorised, exponentially weighted over 60 samples, unknown before, blind to holes."""
    np.testing.assert_allclose(sigmas(np.array(price)), naive_sigmas(price), rtol=1e-9)


@given(st.integers(MEMORY_SAMPLES, 2 * DAY))
@settings(max_examples=10, deadline=None)
def test_what_is_known_at_a_sample_needs_no_later_one(end: int) -> None:
    """A recording cut short gives the same inputs up to the cut."""
    whole = market({500: 0.02, 400: 0.004}, {500: 0.01, 130: 0.02})
    cut = Series("BTC", STEP_S, whole.times_s[:end], whole.interest[:end], whole.price[:end])
    for name, values in msgspec.structs.asdict(moves(cut, DETECTOR)).items():
        np.testing.assert_array_equal(values, getattr(moves(whole, DETECTOR), name)[:end])


def test_a_move_is_measured_over_the_detector_s_spans() -> None:
    """At one minute z is the larger of one and five minutes, and changes span five samples."""
    samples = [(60.0 * i, 100.0 - (i == 1600), math.exp(1e-4 * (i % 2))) for i in range(1602)]
    seen = moves(series_of("BTC", 60, samples), DETECTOR)
    sigma = sigmas(np.exp(1e-4 * (np.arange(1602) % 2)))
    # From an even sample to the odd one after it: up in one minute, up in five, too.
    assert seen.z_short[1601] == pytest.approx(1e-4 / sigma[1601])
    assert seen.z_long[1601] == pytest.approx(-1e-4 / (sigma[1601] * math.sqrt(5.0)))
    assert seen.change[1600:].tolist() == pytest.approx([-0.01, 0.0])
    assert not seen.known()[:1441].any()
    assert seen.known()[1446:].all()


def test_each_rule_asks_its_own_signs() -> None:
    """Price alone, interest alone, both cuts, own scale and the large event, by position."""
    series = market(
        {400: 0.0016, 430: 0.006, 460: 0.006, 490: 0.03},
        {400: 0.004, 430: 0.004, 490: 0.02, 520: -0.004},
    )
    seen = moves(series, DETECTOR)
    found = {
        (rule.name, position): np.flatnonzero(seen.hits(rule, position)).tolist()
        for rule in rules(DETECTOR)
        for position in Position
    }
    long, short = Position.LONG, Position.SHORT
    assert found["price_only", long] == [400, 430, 490]
    assert found["price_only", short] == [520]
    assert found["interest_only", long] + found["interest_only", short] == [430, 460, 490]
    assert found["confirmers", long] == [400, 430, 490]
    assert found[PRIMARY, long] == [430, 490]
    # The own scale is asked before it is fed: the first fall of all has nothing to reach.
    assert found["own_scale", long] == [400, 430, 490]
    assert found["large_event", long] == [490]
    for name in ("confirmers", PRIMARY, "own_scale", "large_event"):
        assert found[name, short] == []


def test_hits_half_an_hour_apart_are_one_alarm() -> None:
    """The gap counts from hit to hit, so an alarm can last."""
    times_s = np.array([300.0 * i for i in range(40)])
    hits = np.zeros(40, dtype=np.bool_)
    hits[[2, 8, 14, 21, 39]] = True
    assert list(alarms(times_s, hits)) == [[2, 8, 14], [21], [39]]
    assert list(alarms(times_s, np.zeros(40, dtype=np.bool_))) == []


def test_a_flush_is_hit_late_and_an_alarm_without_label_is_counted() -> None:
    """Recall, delay, what was to come, and an alarm that nothing explains."""
    series = market(
        {400: 0.002, 401: 0.008, 402: 0.004, 403: 0.006, 500: 0.02}, {401: 0.01, 500: 0.01}
    )
    at = series.times_s
    hit = Flush("BTC", Position.LONG, at[400], at[403])
    wrong_way = Flush("BTC", Position.SHORT, at[450], at[452])
    too_soon = Flush("BTC", Position.LONG, at[100], at[103])
    elsewhere = Flush("DOGE", Position.LONG, at[400], at[403])
    labels = [hit, wrong_way, too_soon, elsewhere]
    figures = history_flush.flush_figures([seen_in(series)], labels, [rule_named(PRIMARY)])
    [found] = figures.rules
    assert figures.labels == Part(2, 4)
    assert found.recall == Part(1, 2)
    assert (found.delay_s.n, found.delay_s.p50) == (1, 300.0)
    low = 0.998 * 0.992 * 0.996 * 0.994
    left = (0.998 * 0.992 - low) / (1.0 - low)
    assert found.to_come.p50 == pytest.approx(left, abs=1e-6)
    assert found.to_come_all.mean == pytest.approx(left / 2, abs=1e-6)
    assert (found.alarms, found.unlabelled) == (2, 1)
    assert found.unlabelled_fell == Part(1, 1)
    assert found.unlabelled_days == Part(1, 2)
    known = int(moves(series, DETECTOR).known().sum())
    assert figures.months == pytest.approx(known * 300 / (365.25 / 12 * 86_400), abs=1e-4)
    assert found.unlabelled_per_month == pytest.approx(1 / figures.months, rel=1e-2)


def test_a_label_in_a_hole_is_not_evaluable() -> None:
    """A window of which a sample is unknown says nothing about the rule."""
    whole = market({}, {})
    label = Flush("BTC", Position.LONG, whole.times_s[400], whole.times_s[403])
    assert history_flush.evaluable(*seen_in(whole), label)
    holed = series_of(
        "BTC",
        STEP_S,
        [
            sample
            for i, sample in enumerate(
                zip(whole.times_s, whole.interest, whole.price, strict=True)
            )
            if i != 402
        ],
    )
    assert not history_flush.evaluable(*seen_in(holed), label)


@pytest.fixture(scope="module")
def recorded() -> history.History:
    """The figures of the recordings, where those are."""
    if not DATA.is_dir():
        pytest.skip("recorded data is not here: expected ../shared/data")
    return history.evaluate_history(DATA)


def test_figures_of_the_recordings_agree_with_one_another(recorded: history.History) -> None:
    """Keys are stable, every sample was read, and each n is the count it is taken of."""
    told = msgspec.json.decode(msgspec.json.encode(recorded))
    assert list(told) == [
        "thresholds",
        "series",
        "flush_5m",
        "flush_1m",
        "flat_5m",
        "flat_1m",
        "btc_hours",
        "crash_2024_08",
        "notes",
    ]
    assert [(s.coin, s.samples) for s in recorded.series[:5]] == [
        (coin, 29_951) for coin in history_series.COINS
    ]
    for flush in (recorded.flush_5m, recorded.flush_1m):
        assert [rule.rule for rule in flush.rules] == [rule.name for rule in rules(DETECTOR)]
        for rule in flush.rules:
            assert rule.recall.n == flush.labels.count
            assert rule.delay_s.n == rule.recall.count
            assert rule.to_come_all.n <= rule.recall.n
            assert rule.unlabelled == rule.unlabelled_fell.n
            assert rule.unlabelled == sum(coin.unlabelled for coin in rule.coins)
    for flat in (recorded.flat_5m, recorded.flat_1m):
        for figures in flat.labelled + flat.alarmed:
            assert figures.called.count == figures.after_onset_s.n
            assert figures.another_wave.n <= figures.called.count
    for tier in recorded.btc_hours:
        assert tier.hours >= tier.n >= tier.flow >= tier.flow_confirmers >= tier.fired
        assert tier.cascading >= tier.fired


def test_the_recordings_give_what_was_found_in_them(recorded: history.History) -> None:
    """By the thresholds that were fixed before: which labels are hit, which hours fire, when."""
    flush = {rule.rule: rule for rule in recorded.flush_5m.rules}
    assert {name: rule.recall.count for name, rule in flush.items()} == {
        "price_only": 44,
        "interest_only": 46,
        "confirmers": 42,
        PRIMARY: 40,
        "own_scale": 39,
        "large_event": 4,
    }
    assert flush[PRIMARY].recall.n == 47
    assert recorded.flush_1m.labels == Part(2, 4)
    assert [(tier.tier, tier.fired, tier.n) for tier in recorded.btc_hours] == [
        ("A", 8, 12),
        ("B", 4, 30),
        ("C", 0, 5),
        ("", 0, 2424),
    ]
    assert [
        (crash.coin, crash.crash[0].hour_utc, crash.low_utc) for crash in recorded.crash_2024_08
    ] == [
        ("BTC", "2024-08-05 00:00", "2024-08-05 06:00"),
        ("ETH", "2024-08-05 00:00", "2024-08-05 01:00"),
        ("SOL", "2024-08-05 05:00", "2024-08-05 06:00"),
    ]
