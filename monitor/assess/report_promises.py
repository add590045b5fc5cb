"""Promises of the report, each once: by themselves, with hard negatives, with rivals."""

from collections.abc import Iterator, Sequence
from typing import Final

from monitor.assess.report_charts import NAMES
from monitor.assess.report_words import asked, kept, measured, number, table, told
from monitor.assess.results import Gate, Results, Rival
from monitor.assess.tradeoff import RATES

THINNED: Final = "thinned."
_WORDS: Final = {
    "onset_false_alarms": "false ONSETs a symbol-month",
    "onset_recall": "cascades with an ONSET",
    "onset_recall_large": "cascades of 2 % and more with one",
    "onset_share_to_come_large": "share still to come at ONSET from 2 %, misses as 0",
    "onset_share_to_come_given_hit": "share still to come at ONSET, median of hits",
    "notice_share_to_come_given_hit": "share still to come at NOTICE, median of hits",
    "notice_false_alarms": "false NOTICEs a symbol-month",
    "exhausted_rewave": "another wave after EXHAUSTED",
    "exhausted_hold_s": "seconds without a new extreme before EXHAUSTED",
    "exhausted_missed": "ends of alarmed cascades missed",
    "rewave_calibration_error": "published chance of another wave, off by",
    "same_alarms_when_scaled": "worlds whose alarms differ with all prints scaled",
}
_OF_NEGATIVES: Final = {"injections": "injected", "raised": "raised", "raised_rate": "rate"}
_ADVANTAGE: Final = "advantage"


def promises(found: Results) -> str:
    """Every promise that stands beside no other table, and the same with thinned tapes."""
    gates = [one for one in found.gates if not _elsewhere(one, found)]
    thinned = {one.gate: one for one in gates if one.gate.startswith(THINNED)}
    rows = []
    for one in gates:
        if one.gate in thinned and one.gate.removeprefix(THINNED) in {g.gate for g in gates}:
            continue
        beside = thinned.get(THINNED + one.gate)
        rows.append(
            (
                _named(one.gate),
                asked(one),
                measured(one),
                kept(one),
                measured(beside) if beside else "",
                kept(beside) if beside else "",
            )
        )
    head = ("promise", "asked", "measured", "kept", "one print a second", "kept")
    return table(head, rows)


def broken(gates: Sequence[Gate]) -> Iterator[str]:
    """The promises that were not kept, in words."""
    for one in gates:
        if not one.held:
            name = one.gate.removeprefix(THINNED)
            words = f"{_named(name)}, thinned" if name != one.gate else _named(name)
            yield f"{words}: {measured(one)}, asked {asked(one)}"


def negatives(found: Results) -> str:
    """Hard negatives by kind, with what was promised of them."""
    rows = []
    for kind, one in found.negatives.items():
        of = {
            prefix: gate
            for prefix in _OF_NEGATIVES
            for gate in found.gates
            if gate.gate == f"{prefix}.{kind}"
        }
        rows.append(
            (
                f"`{kind}`",
                str(one.injected),
                str(one.left_out),
                f"{one.raised} of {one.rate.n}",
                f"{number(one.rate.value)} [{number(one.rate.low)}, {number(one.rate.high)}]",
                "; ".join(
                    f"{_OF_NEGATIVES[prefix]} {asked(gate)}: {kept(gate)}"
                    for prefix, gate in of.items()
                ),
            )
        )
    head = ("kind", "injected", "left out", "raised an ONSET", "rate", "asked")
    return table(head, rows)


def rivals(found: Results) -> str:
    """Recall at one false alarm a symbol-month of the detector and of what others use."""
    gates = {one.gate: one for one in found.gates}
    rows = [(NAMES["level"], told(found.detector), "", "", "", "")]
    best_first = sorted(found.rivals.items(), key=lambda one: -(one[1].shared.value or 0.0))
    for name, rival in best_first:
        gate = gates.get(f"{_ADVANTAGE}.{name}")
        rows.append(
            (
                NAMES.get(name, name),
                told(rival.shared),
                told(rival.tuned),
                told(rival.advantage),
                asked(gate) if gate else "",
                kept(gate) if gate else "",
            )
        )
    head = (
        "rule",
        "one threshold for all regimes",
        "the best one of each regime",
        "detector ahead by",
        "asked",
        "kept",
    )
    return table(head, rows)


def rival_of(found: Results) -> tuple[str, Rival] | None:
    """The best of the rivals with one threshold for all regimes, and its name in words."""
    if not found.rivals:
        return None
    name, rival = max(found.rivals.items(), key=lambda one: one[1].shared.value or 0.0)
    return NAMES.get(name, name), rival


def recalls(found: Results) -> str:
    """Recall of every statistic at several rates of false alarms, mean of regimes."""
    rows = [
        (NAMES.get(name, name), *(number(curve.recall_at[f"{rate:g}"].value) for rate in RATES))
        for name, curve in found.macro.curves.items()
    ]
    return table(("rule", *(f"at {rate:g} a month" for rate in RATES)), rows)


def _elsewhere(gate: Gate, found: Results) -> bool:
    """Whether a promise stands with hard negatives or rivals."""
    prefix, _, name = gate.gate.partition(".")
    if prefix in _OF_NEGATIVES:
        return name in found.negatives
    return prefix == _ADVANTAGE and name in found.rivals


def _named(gate: str) -> str:
    """A promise in words; by its key where there are none."""
    prefix, _, name = gate.partition(".")
    if gate not in _WORDS and prefix not in _WORDS:
        return f"`{gate}`"
    return f"{_WORDS[prefix]}, {name}" if name else _WORDS[gate]
