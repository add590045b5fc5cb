"""The page on detection quality: everything an evaluation found, for people.

`write` makes `detection-quality.md` and its pictures from figures alone, but for what is told
of attempts and limits, which stands in `findings.md` beside this file and is written by hand.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from monitor.assess import report_charts, report_history, report_market, report_promises
from monitor.assess import report_tables as tables
from monitor.assess.report_method import measured_by, method
from monitor.assess.report_promises import rival_of
from monitor.assess.report_reading import Evaluated
from monitor.assess.report_words import between, prose
from monitor.assess.results import ALL, LARGE
from monitor.errors import ConfigError

PAGE: Final = "detection-quality.md"
FINDINGS: Final = Path(__file__).with_name("findings.md")


def write(found: Evaluated, docs: Path) -> tuple[Path, ...]:
    """Write the page and its pictures below a directory; returns what was written.

    Raises:
        ConfigError: It cannot be written.
    """
    drawn = report_charts.charts(found.simulated.simulator)
    images = docs / "images"
    files = {images / name: picture for name, picture in drawn.items()}
    files[docs / PAGE] = page(found, set(drawn), FINDINGS.read_text(encoding="utf-8"))
    try:
        images.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--docs {docs}: {error.strerror}") from error
    return tuple(files)


def page(found: Evaluated, drawn: set[str], findings: str) -> str:
    """The page.

    Args:
        found: The figures.
        drawn: Names of the pictures there are.
        findings: What was written by hand, in sections of the second level.
    """

    def picture(name: str, words: str) -> str:
        return f"![{words}](images/{name})" if name in drawn else ""

    parts = (
        "# Detection quality",
        prose(_opening(found)),
        prose(_short(found)),
        picture("quality-recall.svg", "Recall against false alarms"),
        "## How it was measured",
        method(found),
        "## Promises",
        _promised(found),
        "## The simulated market beside published facts",
        _calibrated(found),
        "## Onsets",
        *_onsets(found, picture),
        "## Beside what others use",
        *_rivals(found, picture),
        "## The end",
        *_ends(found, picture),
        "## Hard negatives",
        prose(
            "Put into months of the base regime, which are lived through once more without them. "
            "Left out is where the market itself made an episode at that time, and where the "
            "alarm came without them, too. Bounds are exact (Clopper and Pearson), one-sided "
            "95 % each."
        ),
        report_promises.negatives(found.simulated.simulator),
        "## Other prints, same market",
        *_prints(found),
        "## The market as a whole",
        prose("The ladder over all assets of a world together, against their pooled truth:"),
        tables.market(found.simulated.market),
        "## Recorded data",
        _recorded(found),
        findings.strip(),
        "## Measured by",
        measured_by(found),
        prose(
            "The JSON holds more: each rule's curve in each regime, every tier by size and "
            "position, thinned and market-wide figures whole, recorded data coin by coin, the "
            "detector's parameters."
        ),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(found: Evaluated) -> str:
    gates = found.simulated.simulator.gates
    held = sum(one.held for one in gates)
    said = (
        "How surely and how early this program sees liquidation cascades begin, and end, "
        "measured on simulated months whose truth is known. Written by `liqmon report` from "
        "the JSON of `liqmon evaluate`; only what is told of attempts and limits is written by "
        f"hand. **{held} of {len(gates)} promises were kept.**"
    )
    if found.scope.quick:
        said += (
            " This was a quick run: few worlds and short months, whose values alone were held "
            "against promises. It is no evidence."
        )
    if not found.scope.held_out:
        said += " Its worlds are those for tuning. It is no evidence."
    return said


def _short(found: Evaluated) -> str:
    """The main figures in a few sentences."""
    some = found.simulated.simulator
    onset, ends = some.macro.alerts["ONSET"], some.macro.exhaustion
    every, large = onset.groups[ALL], onset.groups[LARGE]
    said = (
        f"Mean of regimes: ONSET was false {between(onset.false_alarms)} times a symbol-month "
        f"and met {between(every.recall)} of cascades, {between(large.recall)} of those of 2 % of "
        f"open interest and more, with {between(every.share_to_come_given_hit)} of the forced "
        f"flow still to come at the median. After EXHAUSTED, another wave came in "
        f"{between(ends.rewave)} of cases."
    )
    best = rival_of(some)
    if best is not None:
        name, rival = best
        said += (
            f" At one false alarm a symbol-month and one threshold for all, the detector's bucket "
            f"met {between(some.detector)}, the best of the rules that others use ({name}) "
            f"{between(rival.shared)}."
        )
    return said


def _promised(found: Evaluated) -> str:
    some = found.simulated.simulator
    broken = [prose(f"- {one}") for one in report_promises.broken(some.gates)]
    said = (
        "Beside each promise stands the same with full tapes thinned to one print a second. "
        "Those about hard negatives and rivals stand in their own tables below. "
    )
    parts = [prose(said + ("Not kept:" if broken else "All were kept."))]
    if broken:
        parts.append("\n".join(broken))
    return "\n\n".join((*parts, report_promises.promises(some)))


def _calibrated(found: Evaluated) -> str:
    calibrated = found.simulated.calibration
    if calibrated is None:
        return "Not measured in this run."
    return report_market.calibration(calibrated)


def _onsets(found: Evaluated, picture: Callable[[str, str], str]) -> tuple[str, ...]:
    some = found.simulated.simulator
    return (
        "What there was to find in a symbol-month:",
        tables.truths(some.regimes, some.macro),
        prose(
            "How often ONSET was false, and what it met. An alarm in the band of 0.3 to 1 %, or "
            "at an episode of 1 % that is no cascade, is not false:"
        ),
        tables.onsets(some.regimes, some.macro),
        picture("quality-regimes.svg", "Recall against false alarms, by regime"),
        "How early it was:",
        tables.timing(some.regimes, some.macro),
        picture("quality-delay.svg", "Share still to come against delay"),
        "By size and position, mean of regimes:",
        tables.groups(some.macro),
        "By tier, mean of regimes; ONSET counts every wave of an episode, EPISODE the first:",
        tables.tiers(some.macro),
    )


def _rivals(found: Evaluated, picture: Callable[[str, str], str]) -> tuple[str, ...]:
    some = found.simulated.simulator
    return (
        prose(
            "Recall of cascades at no more than one false alarm a symbol-month. Every rule sees "
            "the same observation and has the threshold that is best for it here. The detector "
            "stands with its bucket alone, under the same terms and without its ladder:"
        ),
        report_promises.rivals(some),
        "The same at other rates of false alarms, one threshold for all regimes:",
        report_promises.recalls(some),
        picture("quality-to-come.svg", "Share still to come against false alarms"),
    )


def _ends(found: Evaluated, picture: Callable[[str, str], str]) -> tuple[str, ...]:
    some = found.simulated.simulator
    ends = some.macro.exhaustion
    return (
        prose(
            f"Detected episodes ended so: {tables.named_endings(ends)}. Another wave after "
            f"EXHAUSTED, ends missed, and how far the published chance of another wave is off "
            f"what came. Of missed ends, {ends.overtaken} are left out, since another episode "
            f"began before a call:"
        ),
        tables.endings(some.regimes, some.macro),
        picture("quality-rewave.svg", "Another wave by hold"),
        picture("quality-reliability.svg", "Reliability of the published chance"),
    )


def _prints(found: Evaluated) -> tuple[str, ...]:
    thinned, scaled = found.simulated.thinned, found.simulated.scaled
    return (
        prose(
            "The same worlds with every full tape thinned to one print a second; all else that is "
            "promised of them stands beside the promises above:"
        ),
        tables.onsets(thinned.regimes, thinned.macro),
        prose(
            "All prints times a constant: alarms that only one of both ways has. The first is a "
            "power of the step of the own scale's histogram, where all should stay; the second "
            "moves values within its steps:"
        ),
        tables.rescaled((("exact", scaled.exact), ("round", scaled.round))),
    )


def _recorded(found: Evaluated) -> str:
    run = found.recorded
    if run is None or run.history is None:
        return f"Left out: {found.lived.history_reason}."
    return report_history.history(run.history)
