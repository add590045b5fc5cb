"""Which worlds an evaluation lives through, by which seeds, and what it says when it cannot."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.assess.scope import (
    ASSETS,
    CRASH,
    EXACT_SCALE,
    HELD_OUT,
    MOST_WORLDS,
    ROUND_SCALE,
    SEEDS,
    TRAINING,
    USUAL_MARKET,
    Job,
    Purpose,
    Scope,
    full,
    jobs,
    quick,
)
from monitor.assess.worlds import Plan
from monitor.errors import ConfigError
from monitor.parameters import Parameters
from monitor.simulate.regimes import BASE, REGIMES

PAIRS = (Purpose.UNSCALED, Purpose.EXACT, Purpose.ROUND)
# Purposes that live through the same worlds.
SHARED = ((Purpose.USUAL, Purpose.THINNED), (Purpose.INJECTED,), PAIRS)
MOST_MONTHS = MOST_WORLDS * ASSETS


def plans(of: list[Job], *purposes: Purpose) -> list[Plan]:
    """The plans of some purposes, in order."""
    return [job.plan for job in of if job.purpose in purposes]


def worlds(of: list[Job], *purposes: Purpose) -> set[tuple[str, int]]:
    """Regime and seed of each world of some purposes."""
    return {(plan.regime, plan.seed) for plan in plans(of, *purposes)}


def seeds(of: list[Job], *purposes: Purpose) -> set[int]:
    """Seeds of the worlds of some purposes, of all without one."""
    return {plan.seed for plan in plans(of, *(purposes or Purpose))}


@given(seed=st.integers(0, 9), other=st.integers(0, 10_000), months=st.integers(1, MOST_MONTHS))
def test_seeds_of_training_and_held_out_never_meet(seed: int, other: int, months: int) -> None:
    """Whatever is asked for, what is tuned on is below all that is held out."""
    trained = seeds(jobs(full((), months, seed, held_out=False)))
    held = seeds(jobs(full((), months, other)))
    assert max(trained) < TRAINING <= HELD_OUT <= min(held)


@pytest.mark.parametrize("held_out", [False, True])
def test_every_evaluation_has_a_hundred_seeds_of_its_own(held_out: bool) -> None:
    """Two evaluation seeds have no world in common, however many months are asked for."""
    for seed in (0, 1, 9):
        found = seeds(jobs(full((), MOST_MONTHS, seed, held_out=held_out)))
        first = (HELD_OUT if held_out else 0) + SEEDS * seed
        assert found <= set(range(first, first + SEEDS))


@pytest.mark.parametrize("months", [1, 24, MOST_MONTHS])
def test_every_purpose_has_its_own_seeds(months: int) -> None:
    """Usual worlds, those of injections and those that are scaled are never the same."""
    found = jobs(full((), months))
    of = [seeds(found, *purposes) for purposes in SHARED]
    assert sum(len(one) for one in of) == len(set().union(*of))
    # Nor do two worlds of one purpose have a seed in common.
    assert len(of[0]) == len(REGIMES) * -(-months // ASSETS)
    assert (len(of[1]), len(of[2])) == (5, len(REGIMES))


def test_what_the_market_is_measured_by_is_of_training() -> None:
    """The worlds that tests hold to published facts are not held out."""
    assert max(USUAL_MARKET.worlds, CRASH.worlds) <= TRAINING
    assert (USUAL_MARKET.regime, CRASH.regime) == (BASE.name, "")


@pytest.mark.parametrize("name", list(REGIMES))
@pytest.mark.parametrize("months", [8, 24])
def test_one_regime_alone_has_the_plans_it_has_among_all(name: str, months: int) -> None:
    """Leaving regimes out changes nothing in those that stay."""
    alone, every = jobs(full((name,), months)), jobs(full((), months))
    kept = [
        job for job in every if job.plan.regime == name and job.purpose is not Purpose.INJECTED
    ]
    assert [job for job in alone if job.purpose is not Purpose.INJECTED] == kept
    # Injections are put into the base regime, whichever is asked for.
    assert plans(alone, Purpose.INJECTED) == plans(every, Purpose.INJECTED)
    assert {plan.regime for plan in plans(alone, Purpose.INJECTED)} == {BASE.name}


def test_more_months_are_more_worlds_of_the_same() -> None:
    """A longer evaluation begins with the worlds of a shorter one."""
    short, long = (plans(jobs(full((), months)), Purpose.USUAL) for months in (16, 24))
    assert long[: len(short)] == short
    assert len(long) == len(short) + len(REGIMES)


@pytest.mark.parametrize(("months", "worlds_of_each"), [(1, 1), (8, 1), (9, 2), (24, 3)])
def test_months_are_rounded_up_to_worlds(months: int, worlds_of_each: int) -> None:
    """At least as many symbol-months as asked for, in whole worlds of eight assets."""
    found = plans(jobs(full(("base", "wild"), months)), Purpose.USUAL)
    assert [plan.regime for plan in found] == ["base", "wild"] * worlds_of_each
    assert {(plan.assets, plan.warm_days, plan.days) for plan in found} == {(8, 14, 31)}


def test_thinned_worlds_are_the_usual_ones_thinned() -> None:
    """The same plan but for the full tapes, and without curves."""
    found = jobs(full((), 16))
    assert plans(found, Purpose.THINNED) == [
        msgspec.structs.replace(plan, thin_full=True, curves=False)
        for plan in plans(found, Purpose.USUAL)
    ]
    assert all(plan.curves and not plan.thin_full for plan in plans(found, Purpose.USUAL))


def test_injections_are_asked_for_in_their_worlds_alone() -> None:
    """At least three hundred of each kind, none of them in a usual month."""
    found = jobs(full((), 24))
    assert sum(plan.injections for plan in plans(found, Purpose.INJECTED)) >= 300
    others = [job.plan for job in found if job.purpose is not Purpose.INJECTED]
    assert {plan.injections for plan in others} == {0}


@pytest.mark.parametrize("scope", [full((), 24), quick(())])
def test_scaled_worlds_are_one_world_three_times(scope: Scope) -> None:
    """Only the factor differs; a day more passes first than a full baseline takes."""
    found = jobs(scope)
    plain, exact, rounded = (plans(found, purpose) for purpose in PAIRS)
    assert [plan.regime for plan in plain] == list(scope.regimes)
    assert {plan.scale for plan in plain} == {1.0}
    for scaled, factor in ((exact, EXACT_SCALE), (rounded, ROUND_SCALE)):
        assert scaled == [msgspec.structs.replace(plan, scale=factor) for plan in plain]
    assert {plan.warm_days for plan in plain} == {scope.warm_days + 1}
    assert {plan.warm_days > Parameters().scale_days for plan in plain} == {True}
    assert {plan.days for plan in plain} == {scope.scaled_days}


def test_the_exact_factor_is_a_power_of_the_bins_ratio() -> None:
    """Every value keeps its place within its bin; the round factor moves it."""
    in_bins = [math.log(factor) / math.log(1.02) for factor in (EXACT_SCALE, ROUND_SCALE)]
    assert in_bins[0] == pytest.approx(-150.0, abs=1e-9)
    assert in_bins[1] % 1.0 == pytest.approx(0.72, abs=0.01)


def test_every_job_has_the_parameters_of_its_evaluation() -> None:
    """The detector of every world is told the same."""
    told = Parameters(onset_tier=9.0)
    assert {job.parameters for job in jobs(quick(()), told)} == {told}
    assert {job.parameters for job in jobs(quick(()))} == {Parameters()}


def test_days_and_cost_follow_the_plan() -> None:
    """Progress counts the days before the month too; curves cost a third more."""
    job = Job(Purpose.USUAL, Plan("base", 1, assets=4, warm_days=2, days=3, curves=False))
    assert (job.days, job.cost) == (5, 20.0)
    dearer = Job(Purpose.USUAL, msgspec.structs.replace(job.plan, curves=True))
    assert dearer.cost == pytest.approx(26.0)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (full((), MOST_MONTHS + 1), "--months: expected at most 128, was 136"),
        (full(("base", "mild"), 8), "--regime: expected one of base, quiet, .*, was mild"),
        (full((), 8, 10, held_out=False), "--seed: expected at most 9 with --train, was 10"),
        (quick((), 10, held_out=False), "--seed: expected at most 9 with --train, was 10"),
        (quick(("x",)), "--regime: expected one of base, .*, was x"),
    ],
)
def test_what_there_are_no_seeds_for_is_refused(scope: Scope, said: str) -> None:
    """Too many months, unknown regimes and seeds beyond training say what is possible."""
    with pytest.raises(ConfigError, match=f"^{said}$"):
        jobs(scope)


def test_the_most_that_can_be_asked_for_can_be_had() -> None:
    """The bounds themselves are allowed."""
    assert len(plans(jobs(full((), MOST_MONTHS, 9, held_out=False)), Purpose.USUAL)) == 80
    assert min(seeds(jobs(full((), MOST_MONTHS, 10)))) == HELD_OUT + 10 * SEEDS
