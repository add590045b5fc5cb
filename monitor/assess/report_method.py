"""How the report's figures were found, in words whose numbers are those of the code."""

from monitor.assess.evaluation import Evaluation
from monitor.assess.gates import ENOUGH
from monitor.assess.report_reading import Evaluated
from monitor.assess.report_words import many, prose, table
from monitor.assess.rewave import CALL_WITHIN_S, HORIZON_S, WAVE_RATIO
from monitor.assess.scope import HELD_OUT, TRAINING
from monitor.assess.truth import RULES

_MONTH_DAYS = 31
_LONG_S = 120.0


def measured_by(found: Evaluated) -> str:
    """Commands, commit, machine, time, seeds: what to do for the same again."""
    lived, scope = found.lived, found.scope
    runs = {"simulator.json": lived}
    if found.recorded is lived:
        runs = {"evaluation.json": lived}
    elif found.recorded is not None:
        runs["history.json"] = found.recorded
    commands = [f"{run.command} --out {name}" for name, run in runs.items()]
    commands.append(f"liqmon report {' '.join(runs)}")
    whole = "" if scope.days == _MONTH_DAYS else f" of {many(scope.days, 'day')}"
    kind = "held-out" if scope.held_out else "training"
    facts = (
        *(f"- `{name}`: {_run(run)}." for name, run in runs.items()),
        f"- Simulator `{lived.simulator_digest}`: figures of another digest are other figures.",
        (
            f"- {many(len(scope.regimes), 'regime')}, {many(scope.worlds, 'world')} of each with "
            f"{many(scope.assets, 'asset')} and {many(scope.days, 'scored day')} after "
            f"{scope.warm_days} to warm up: {scope.worlds * scope.assets} symbol-months a regime"
            f"{whole}. {many(scope.injected_worlds, 'world')} with {scope.injections} hard "
            f"negatives of each kind; {many(scope.scaled_days, 'day')} a regime with scaled "
            f"prints. {found.simulated.lived_days} asset-days in all."
        ),
        f"- Seed {scope.seed} of the evaluation, {kind} worlds:",
    )
    rows = [
        (purpose, "; ".join(f"{name} {_listed(of)}" for name, of in regimes.items()))
        for purpose, regimes in lived.seeds.items()
    ]
    shell = "\n".join(("```sh", *commands, "```"))
    return "\n\n".join(
        (shell, "\n".join(map(prose, facts)), table(("worlds", "seeds by regime"), rows))
    )


def method(found: Evaluated) -> str:
    """The market, the truth, the observation, the scoring, the seeds, the intervals."""
    results = found.simulated.simulator
    minor, positive = _percent(RULES.minor_share), _percent(RULES.positive_share)
    worse = "" if not found.scope.quick else ", or everywhere in a quick run like this one"
    text = f"""
- **Market.** Leveraged longs and shorts with margin and liquidation prices, the market orders
  of the engine that closes them and their impact, books that thin and heal, buyers of dips,
  people who leave and come back of their own accord, spot beside perp, funding. The assets of a
  world share a part of their shocks. Nothing in it is taken from a recording.
- **Truth.** A cascade is an episode of forced flow of at least {positive} of open interest (OI),
  at least {_percent(RULES.endogenous_ratio)} of it endogenous (without the impact of
  liquidations the mark had not crossed those prices), with a price move of at least
  {_percent(RULES.move_ratio)} in the forced direction. From {minor} to {positive} lies a band in
  which an alarm is neither asked for nor false.
- **Observation.** The detector sees what venues would show: a full tape, one order a second
  (the largest or the latest), late, out of order, with gaps, bursts of replays, duplicates and
  outages; OI that is polled, and stale under stress; books of limited reach. Each asset's
  venues and how much they print are drawn anew in each world.
- **Detector.** The real engine and kernels, with the parameters that ship.
- **Scoring.** An alarm of a position is false where it meets no episode of at least {minor}; it
  may come up to {RULES.lead_s // 60} min before onset. *Still to come* is the part of an
  episode's forced flow, or price move, that follows the first alarm; a miss counts as 0 where
  it says so. *Another wave* is forced flow, within {HORIZON_S // 60} min of a call, above
  {_percent(WAVE_RATIO)} of that so far; an end is *missed* without a call within
  {CALL_WITHIN_S // 3600} h. A month has {_MONTH_DAYS} days.
- **Seeds.** Worlds below seed {TRAINING} are for tuning; held-out ones begin at {HELD_OUT}.
- **Intervals.** 95 %, in brackets, from {results.resamples} draws (seed {results.seed}) of whole
  symbol-months within each regime; *mean* is that of regimes, each with the same weight. Assets
  of one world share shocks, which such draws do not see: intervals are a little narrow for it.
  Where nothing happened in n months the interval has no width; the rate is then below 3/n.
  Behind *n* stands the number of cases, behind a median time its 10th and 90th percentile.
- **Promises** are held against the worse end of the interval where n is at least {ENOUGH}, and
  against the value where it is less{worse}."""
    return "\n".join(prose(f"- {one}") for one in text.split("\n- ")[1:])


def _run(run: Evaluation) -> str:
    cpu = run.machine.cpu or "an unnamed processor"
    lasted = run.duration_s
    took = f"{lasted / 60.0:.0f} min" if lasted >= _LONG_S else f"{lasted:.0f} s"
    return (
        f"commit `{run.commit or 'unknown'}`, {many(run.machine.cores, 'core')} of {cpu}, {took}"
    )


def _percent(ratio: float) -> str:
    return f"{100.0 * ratio:g} %"


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))
