import math

import numpy as np
import pytest

from kernels import scoring
from monitor.assess import truth
from monitor.assess.truth import Rules, month_episodes
from tests.months import Sketch


def test_an_episode_is_its_flow_from_the_first_second_to_the_last() -> None:
    """Onset and end are the seconds of the first and last forced flow, the share is its sum."""
    (episode,) = month_episodes(Sketch().cascade(0, 1000, 100, 0.02).month())
    assert (episode["ladder"], episode["onset"], episode["end"]) == (0, 1000, 1099)
    assert episode["share"] == pytest.approx(0.02, rel=1e-5)
    assert episode["endogenous"] == pytest.approx(0.5, rel=1e-5)
    assert episode["move"] == pytest.approx(0.02, rel=1e-5)
    assert episode["bottom"] == 1099
    assert episode["early"] == 1004  # five of a hundred seconds
    assert episode["rank"] == scoring.POSITIVE


def test_shorts_are_forced_upwards() -> None:
    """For shorts the adverse move is a rise; the same month read as longs has none."""
    (episode,) = month_episodes(Sketch().cascade(1, 1000, 100, 0.02).month())
    assert episode["ladder"] == 1
    assert episode["move"] == pytest.approx(0.02, rel=1e-5)
    assert episode["extreme"] == pytest.approx(102.0, rel=1e-6)


@pytest.mark.parametrize(("pause_s", "expected"), [(100, 1), (300, 2)])
def test_a_long_pause_parts_two_episodes(pause_s: int, expected: int) -> None:
    """Flow that goes on while the window still holds enough is one episode."""
    month = Sketch().cascade(0, 1000, 100, 0.02).cascade(0, 1100 + pause_s, 100, 0.02).month()
    assert len(month_episodes(month)) == expected


def test_flow_below_the_least_makes_no_episode() -> None:
    """A trickle that never fills the window is no episode, however long it lasts."""
    assert len(month_episodes(Sketch().cascade(0, 1000, 6000, 0.0024).month())) == 0
    assert len(month_episodes(Sketch().cascade(0, 1000, 6000, 0.0026).month())) == 1


def test_the_decline_runs_from_before_onset_to_after_the_end() -> None:
    """Open interest is compared a minute before onset and five minutes after the end."""
    sketch = Sketch().cascade(0, 1000, 100, 0.02)
    sketch.interest[1050:] = 900.0
    sketch.interest[1399:] = 800.0
    sketch.interest[1400:] = 100.0
    (episode,) = month_episodes(sketch.month())
    assert episode["decline"] == pytest.approx(0.2)


def test_the_share_is_of_open_interest_just_before_onset() -> None:
    """Flow is summed in coins, so open interest that falls meanwhile does not swell the share."""
    sketch = Sketch().cascade(0, 1000, 100, 0.02)
    sketch.interest[1000:] = 500.0
    (episode,) = month_episodes(sketch.month())
    assert episode["share"] == pytest.approx(0.01, rel=1e-5)


@pytest.mark.parametrize(
    ("share", "endogenous", "move", "rank"),
    [
        (0.0101, 0.36, 0.0101, scoring.POSITIVE),
        (0.0099, 0.36, 0.0101, scoring.MINOR),
        (0.0101, 0.34, 0.0101, scoring.OTHER),
        (0.0101, 0.36, 0.0099, scoring.OTHER),
        (0.0031, 0.0, 0.0, scoring.MINOR),
        (0.0029, 0.9, 0.05, scoring.SMALL),
    ],
)
def test_size_part_and_move_make_the_class(
    share: float, endogenous: float, move: float, rank: int
) -> None:
    """A cascade has one percent, a third of it its own, and a move of one percent."""
    month = Sketch().cascade(0, 1000, 100, share, endogenous=endogenous, move=move).month()
    (episode,) = month_episodes(month)
    assert episode["rank"] == rank


def test_every_ladder_has_its_own_episodes_in_order() -> None:
    """Ladders come one after the other, each with its asset's mark."""
    sketch = Sketch(assets=2).cascade(3, 5000, 100, 0.02).cascade(3, 1000, 100, 0.03)
    sketch.cascade(0, 3000, 100, 0.04)
    found = month_episodes(sketch.month())
    assert list(zip(found["ladder"].tolist(), found["onset"].tolist(), strict=True)) == [
        (0, 3000),
        (3, 1000),
        (3, 5000),
    ]
    assert found["share"] == pytest.approx([0.04, 0.03, 0.02], rel=1e-5)


def test_both_constants_of_an_episode_can_be_chosen() -> None:
    """A longer window joins what a shorter one parts, and a higher bar drops it."""
    month = Sketch().cascade(0, 1000, 100, 0.02).cascade(0, 1400, 100, 0.02).month()
    assert len(month_episodes(month, Rules(window_s=600))) == 1
    assert len(month_episodes(month, Rules(least_share=0.03))) == 0


def test_room_grows_with_the_episodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """More episodes than there was room for are found all the same."""
    monkeypatch.setattr(truth, "_ROOM", 2)
    sketch = Sketch()
    for k in range(9):
        sketch.cascade(0, 1000 + 2000 * k, 50, 0.001)
    found = month_episodes(sketch.month())
    assert found["onset"].tolist() == [1000 + 2000 * k for k in range(9)]


def test_an_episode_at_the_edges_of_a_month_is_what_the_month_holds_of_it() -> None:
    """Flow in the first second and in the last belongs to episodes that are cut there."""
    sketch = Sketch(seconds=4000).cascade(0, 0, 100, 0.02).cascade(0, 3900, 100, 0.02)
    first, last = month_episodes(sketch.month())
    assert (first["onset"], last["end"]) == (0, 3999)
    assert math.isfinite(first["share"])
    assert np.isfinite(last["decline"])
