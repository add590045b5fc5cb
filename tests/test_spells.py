"""Spells of forced flow, told second by second, against the rule that sees the whole tape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assess.truth import RULES, ladder_episodes
from monitor.simulate.spells import LEAST_SHARE, TOLD_SHARE, WINDOW_S, Flow, Spells

INTEREST = 2.0**20  # coins, so that every share here is exact in any sum
UNIT = 2.0**-16  # of open interest
PRICE = 100.0

# Runs of seconds with one share, some longer than the window; few are zero by chance.
runs = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 2, 8, 40]), st.sampled_from([1, 2, 30, 119, 120, 121])),
    max_size=14,
)


def taken(shares: list[int]) -> Spells:
    """The spells of these shares by second, in units."""
    spells = Spells()
    for second, share in enumerate(shares):
        if share:
            coins = share * UNIT * INTEREST
            spells.take(Flow(second, coins, coins * PRICE, INTEREST))
    return spells


@given(runs)
def test_spells_are_the_episodes_of_the_evaluation(told: list[tuple[int, int]]) -> None:
    """What is told while it goes on is what the evaluation finds afterwards, onset to end."""
    shares = [share for share, length in told for _ in range(length)]
    forced = np.array(shares, np.float32) * np.float32(UNIT)
    ones = np.ones(len(shares), np.float32)
    found = ladder_episodes(forced, forced, ones, np.float32(INTEREST) * ones, 0)
    large = [one for one in found if one["share"] >= TOLD_SHARE]
    spells = taken(shares).told
    assert [(s.onset, s.end) for s in spells] == [(e["onset"], e["end"]) for e in large]
    for spell, episode in zip(spells, large, strict=True):
        assert spell.forced_base / INTEREST == pytest.approx(float(episode["share"]))
        assert spell.forced_usd == pytest.approx(spell.forced_base * PRICE)


def test_the_rules_are_the_evaluations() -> None:
    """Window and shares are those by which the evaluation finds episodes."""
    assert (
        RULES.window_s,
        RULES.least_share,
        RULES.minor_share,
    ) == (WINDOW_S, LEAST_SHARE, TOLD_SHARE)


def test_a_spell_is_told_as_soon_as_it_is_large() -> None:
    """A spell that still runs is told from the second that makes it large, and then grows."""
    spells = Spells()
    sizes = []
    for second in range(5):
        coins = 0.001 * INTEREST
        spells.take(Flow(second, coins, coins * PRICE, INTEREST))
        sizes.append([spell.forced_usd for spell in spells.told])
    each = 0.001 * INTEREST * PRICE
    assert sizes == [[], [], [pytest.approx(3 * each)], [pytest.approx(4 * each)],
                     [pytest.approx(5 * each)]]  # fmt: skip
