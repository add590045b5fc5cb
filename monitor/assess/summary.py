"""From scored months to the tree of results."""

from collections.abc import Sequence
from typing import Final

from monitor.assess import intervals
from monitor.assess.alarms import TIERS
from monitor.assess.baselines import DETECTOR, STATISTICS, Statistic
from monitor.assess.cases import Cases, cases, drawn
from monitor.assess.endings import exhaustion
from monitor.assess.figures import alerts, truth
from monitor.assess.gates import gates
from monitor.assess.intervals import Draws
from monitor.assess.negatives import Verdicts
from monitor.assess.results import SCHEMA_VERSION, Figure, Figures, Gate, Negatives, Results, Rival
from monitor.assess.score import Scored
from monitor.assess.tradeoff import curve, rivals
from monitor.assess.truth import RULES, Rules

RESAMPLES: Final = 1000


def summarise(
    scored: Sequence[Scored],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    statistics: Sequence[Statistic] = STATISTICS,
    rules: Rules = RULES,
    extra: Sequence[Gate] = (),
) -> Results:
    """The figures of all regimes, their mean, the rivals, hard negatives and gates.

    Args:
        scored: Months of any regimes; regimes come out in order of first appearance.
        resamples: How often symbol-months are drawn again.
        seed: Of those draws.
        statistics: Those that the months were scored with.
        rules: Those that the months were scored with.
        extra: Gates that were measured elsewhere.
    """
    regimes: dict[str, list[Scored]] = {}
    for month in scored:
        regimes.setdefault(month.regime, []).append(month)
    draws = {
        name: drawn(months, resamples, seed + k)
        for k, (name, months) in enumerate(regimes.items())
    }
    table = _Table(regimes, draws, statistics, rules)
    by_regime = {name: table.figures([name]) for name in regimes}
    macro = table.figures(list(regimes))
    detector, others = table.rivals()
    harm = _negatives(scored)
    return Results(
        schema_version=SCHEMA_VERSION,
        resamples=resamples,
        seed=seed,
        regimes=by_regime,
        macro=macro,
        detector=detector,
        rivals=others,
        negatives=harm,
        gates=(*gates(macro, by_regime, harm, others), *extra),
    )


class _Table:
    """The cases of every regime, laid out once."""

    def __init__(
        self,
        regimes: dict[str, list[Scored]],
        draws: dict[str, Draws],
        statistics: Sequence[Statistic],
        rules: Rules,
    ) -> None:
        self.months = {name: (scored, draws[name]) for name, scored in regimes.items()}
        self.rules = rules
        self.tiers = {
            name: cases(scored, [month.tiers for month in scored], draws[name])
            for name, scored in regimes.items()
        }
        every = [month for scored in regimes.values() for month in scored]
        self.statistics = [s for s in statistics if all(s.name in m.curves for m in every)]
        self.curves: dict[str, dict[str, Cases]] = {
            statistic.name: {
                name: cases(
                    scored, [month.curves[statistic.name] for month in scored], draws[name]
                )
                for name, scored in regimes.items()
            }
            for statistic in self.statistics
        }

    def figures(self, names: Sequence[str]) -> Figures:
        """Figures of one regime, or the mean of several."""
        months = [self.months[name] for name in names]
        tiers = [self.tiers[name] for name in names]
        return Figures(
            symbol_months=sum(len(regime.exposure) for regime in tiers),
            truth=truth(months, self.rules),
            alerts={tier: alerts(tiers, k, self.rules) for k, tier in enumerate(TIERS)},
            exhaustion=exhaustion(months),
            curves={
                statistic.name: curve(
                    [self.curves[statistic.name][name] for name in names],
                    statistic,
                    self.rules,
                )
                for statistic in self.statistics
            },
        )

    def rivals(self) -> tuple[Figure, dict[str, Rival]]:
        """The detector's recall at one false alarm, and every baseline's."""
        by_name: dict[str, Sequence[Cases]] = {
            name: list(regimes.values()) for name, regimes in self.curves.items()
        }
        if DETECTOR.name not in by_name:
            return Figure(None, None, None, 0), {}
        return rivals(by_name, DETECTOR.name, self.rules)


def _negatives(scored: Sequence[Scored]) -> dict[str, Negatives]:
    """Hard negatives by kind, over all months."""
    found: dict[str, Verdicts] = {}
    for month in scored:
        for kind, verdicts in month.negatives.items():
            found[kind] = found.get(kind, Verdicts()) + verdicts
    told = {}
    for kind, verdicts in sorted(found.items()):
        n = verdicts.injected - verdicts.left_out
        low, high = intervals.exact(verdicts.raised, n)
        rate = Figure(verdicts.raised / n, low, high, n) if n else Figure(None, None, None, 0)
        told[kind] = Negatives(
            injected=verdicts.injected,
            left_out=verdicts.left_out,
            raised=verdicts.raised,
            rate=rate,
        )
    return told
