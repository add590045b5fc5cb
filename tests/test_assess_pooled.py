import numpy as np
import pytest

from kernels import scoring
from monitor.assess import pooled as room
from monitor.assess.alarms import ONSET, TIERS
from monitor.assess.months import Alarm, Ending
from monitor.assess.pooled import pooled
from monitor.assess.score import score
from monitor.assess.truth import month_episodes
from tests.months import Sketch


def two_assets() -> Sketch:
    """Two assets, the second with three quarters of all open interest."""
    sketch = Sketch(assets=2)
    sketch.interest[:, 1] = 3000.0
    return sketch


def test_an_asset_counts_by_its_part_of_open_interest() -> None:
    """Two per cent of a quarter of the market and one of the rest are 1.25 per cent of it."""
    sketch = two_assets().cascade(0, 10_000, 100, 0.02).cascade(2, 10_000, 100, 0.01)
    month = pooled(sketch.month(), {})
    assert month.forced.shape == (20_000, 2)
    assert month.forced[:, 0].sum() == pytest.approx(0.0125, rel=2e-3)
    assert month.forced[:, 1].sum() == 0.0
    assert month.endogenous[:, 0].sum() == pytest.approx(0.00625, rel=2e-3)


def test_the_market_s_mark_moves_by_its_assets_weighted_returns() -> None:
    """A rise of one asset by a tenth moves an index by its part of that, and for good."""
    sketch = two_assets()
    sketch.mark[5_000:, 1] = 110.0
    month = pooled(sketch.month(), {})
    assert month.mark[4_999, 0] == pytest.approx(100.0)
    assert month.mark[5_000, 0] == pytest.approx(100.0 * 1.1**0.75, rel=1e-6)
    assert month.mark[-1, 0] == pytest.approx(100.0 * 1.1**0.75, rel=1e-6)


def test_the_market_s_open_interest_is_a_chain_of_changes() -> None:
    """Coins of different assets are not added up; their changes are weighed."""
    sketch = two_assets()
    sketch.interest[5_000:, 1] = 1500.0
    month = pooled(sketch.month(), {})
    assert month.interest[4_999, 0] == pytest.approx(1.0)
    assert month.interest[5_000, 0] == pytest.approx(0.5**0.75, rel=1e-6)


def test_the_market_s_month_does_not_depend_on_its_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is built a day at a time, which changes nothing."""
    dice = np.random.default_rng(3)
    sketch = two_assets().cascade(0, 10_000, 100, 0.02)
    sketch.mark *= np.exp(np.cumsum(dice.normal(0.0, 1e-4, sketch.mark.shape), axis=0))
    sketch.interest *= np.exp(np.cumsum(dice.normal(0.0, 1e-4, sketch.mark.shape), axis=0))
    whole = pooled(sketch.month(), {})
    monkeypatch.setattr(room, "_ROWS", 777)
    parts = pooled(sketch.month(), {})
    for name in ("forced", "endogenous", "mark", "interest"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-6)


def test_the_market_is_scored_like_an_asset() -> None:
    """Its episodes, alarms and endings are those of a month with one asset."""
    sketch = two_assets()
    for ladder in (0, 2):
        sketch.cascade(ladder, 10_000, 100, 0.02)
    alarms: dict[str, tuple[Alarm, ...]] = dict.fromkeys(TIERS, ())
    alarms["ONSET"] = (Alarm(0, 10_049, 11_000),)
    month = pooled(sketch.month(), alarms, (Ending(0, 10_049, 11_000, "EXHAUSTED", 0.2),))
    (episode,) = month_episodes(month)
    assert episode["share"] == pytest.approx(0.02, rel=2e-3)
    assert episode["move"] == pytest.approx(0.02, rel=2e-3)
    found = score(month)
    assert found.assets == 1
    assert found.tiers.remaining[0, ONSET] == pytest.approx(0.5, abs=0.01)
    assert found.ends.endings == {"EXHAUSTED": 1}


def test_a_cascade_of_one_asset_is_none_of_the_market() -> None:
    """No alarm is asked for where one asset makes four fifths of it; two that share it count."""
    alone = pooled(two_assets().cascade(2, 10_000, 100, 0.02).month(), {})
    (episode,) = month_episodes(alone)
    assert episode["share"] == pytest.approx(0.015, rel=5e-3)
    assert episode["rank"] == scoring.OTHER
    both = two_assets().cascade(0, 10_000, 100, 0.02).cascade(2, 10_000, 100, 0.02)
    (episode,) = month_episodes(pooled(both.month(), {}))
    assert episode["rank"] == scoring.POSITIVE
