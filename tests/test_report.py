"""The page on detection quality: what stands on it, and that nothing is forgotten."""

import re
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from monitor.assess import evaluation, history, report, report_charts
from monitor.assess.evaluation import Evaluation, Simulated
from monitor.assess.history import History, Thresholds
from monitor.assess.history_figures import Spread
from monitor.assess.history_flat import CallFigures, FlatFigures
from monitor.assess.history_flush import FlushFigures, RuleFigures
from monitor.assess.history_hours import FlaggedHour
from monitor.assess.report_reading import Evaluated
from monitor.assess.results import Bin, Curve, Figure, Point, Quantiles, Results
from monitor.assess.scope import Scope
from monitor.cli import app
from monitor.simulate.market import digest
from tests.evaluations import changed, fields, sample
from tests.test_readme import commands

ROOT = Path(__file__).resolve().parents[1]
COMMITTED = ROOT / "docs" / report.PAGE
CURVES = "curves are drawn by recall and by share still to come"
RULES = "thresholds of rules are told by rule; the rest stand in the code that fixed them"
QUARTILES = "medians and outer deciles are enough"
LEFT_OUT = {
    (Evaluation, "schema_version"): "a matter of programs",
    (Results, "schema_version"): "a matter of programs",
    (Evaluation, "parameters"): "those that ship, at the commit that is told",
    (Evaluation, "history_reason"): "told where there is no history",
    (Scope, "regimes"): "every table names them",
    (Scope, "calibrated"): "seen from the table",
    (Bin, "low"): "their mean is drawn",
    (Bin, "high"): "their mean is drawn",
    (Curve, "unit"): CURVES,
    (Point, "threshold"): CURVES,
    (Point, "recall_large"): CURVES,
    (Point, "share_to_come_large"): CURVES,
    (Point, "share_to_come_given_hit"): CURVES,
    (Point, "mostly_to_come"): CURVES,
    (Point, "price_to_come"): CURVES,
    (Point, "delay_after_5_percent_s"): CURVES,
    (Thresholds, "primary"): RULES,
    (Thresholds, "memory_samples"): RULES,
    (Thresholds, "winsor"): RULES,
    (Thresholds, "alarm_gap_s"): RULES,
    (Thresholds, "early_s"): RULES,
    (Thresholds, "late_s"): RULES,
    (Thresholds, "flat_samples"): RULES,
    (Thresholds, "flat_horizon_s"): RULES,
    (Thresholds, "label_fall_ratio"): RULES,
    (Spread, "mean"): QUARTILES,
    (Spread, "p25"): QUARTILES,
    (Spread, "p75"): QUARTILES,
    (Spread, "least"): QUARTILES,
    (Spread, "most"): QUARTILES,
    (FlushFigures, "step_s"): "told in words",
    (FlatFigures, "step_s"): "told in words",
    (FlatFigures, "span_s"): "told among the notes",
    (RuleFigures, "to_come_all"): "told of those hit, beside how many were",
    (RuleFigures, "alarms"): "its rate is told",
    (RuleFigures, "unlabelled"): "its rate is told",
    (RuleFigures, "unlabelled_days"): "its rate is told",
    (RuleFigures, "coins"): "coins are told together",
    (CallFigures, "after_exhaustion_s"): "how many came before it is told",
    (FlaggedHour, "flow"): "hours are named alone",
    (FlaggedHour, "price_ratio"): "hours are named alone",
    (FlaggedHour, "price_z"): "hours are named alone",
    (FlaggedHour, "interest_ratio"): "hours are named alone",
    (FlaggedHour, "large"): "hours are named alone",
}


def evaluated(run: Evaluation, *, recorded: bool = True) -> Evaluated:
    """What a report is made of, from one run."""
    assert run.scope is not None
    parts = {name: getattr(run, name) for name in Simulated.__struct_fields__}
    return Evaluated(run, run.scope, Simulated(**parts), run if recorded else None)


def page(run: Evaluation, *, recorded: bool = True, findings: str = "") -> str:
    """The page of one run."""
    found = evaluated(run, recorded=recorded)
    drawn = report_charts.charts(found.simulated.simulator)
    return report.page(found, set(drawn), findings)


def whole(run: Evaluation) -> str:
    """The page and all pictures of one run."""
    assert run.simulator is not None
    return "".join((page(run), *report_charts.charts(run.simulator).values()))


def section(text: str, name: str) -> str:
    """What stands under a heading of the second level."""
    return text.split(f"\n## {name}\n")[1].split("\n## ", maxsplit=1)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_figure_is_shown_or_left_out_on_purpose() -> None:
    """A figure whose change changes neither page nor pictures is one that is named above."""
    run = sample()
    usual = whole(run)
    silent = {
        (kind, name)
        for kind, name in dict.fromkeys(fields(run, LEFT_OUT))
        if whole(changed(run, kind, name)) == usual
    }
    assert silent == set(LEFT_OUT)


def test_every_promise_stands_once_with_its_figures() -> None:
    """Promises stand by themselves, with their thinned twin, or with what they are about."""
    run = sample()
    assert run.simulator is not None
    gates = {one.gate: one for one in run.simulator.gates}
    text = page(run)
    table = rows(section(text, "Promises"))
    assert [row[0] for row in table[2:]] == [
        "false ONSETs a symbol-month",
        "false ONSETs a symbol-month, wild",
        "cascades with an ONSET",
        "`something_new`",
        "`thinned.only_so`",
    ]
    recall, thinned = gates["onset_recall"], gates["thinned.onset_recall"]
    [row] = [row for row in table if row[0] == "cascades with an ONSET"]
    assert row[2].endswith(f"n {recall.n}")
    assert row[4].endswith(f"n {thinned.n}")
    assert (row[3], row[5]) == tuple("yes" if g.held else "**no**" for g in (recall, thinned))
    kinds = {row[0]: row[5] for row in rows(section(text, "Hard negatives"))}
    assert re.findall(r"(injected|raised|rate) [<>]=", kinds["`whale`"]) == [
        "injected",
        "raised",
        "rate",
    ]
    assert re.findall(r"(injected|raised|rate) [<>]=", kinds["`spot_drop`"]) == [
        "injected",
        "rate",
    ]
    ahead = [row[4][:6] for row in rows(section(text, "Beside what others use"))[3:5]]
    assert ahead == [">= 0.2", ">= 0.2"]


def test_promises_that_were_not_kept_are_named() -> None:
    """Each of them is an entry of its own, with what was asked; without any, that is said."""
    run = sample()
    assert run.simulator is not None
    named = section(page(run), "Promises")
    broken = [one for one in run.simulator.gates if not one.held]
    assert len(re.findall(r"^- ", named, re.MULTILINE)) == len(broken) > 0
    assert f"**{len(run.simulator.gates) - len(broken)} of {len(run.simulator.gates)} " in page(
        run
    )
    kept = tuple(msgspec.structs.replace(one, held=True) for one in run.simulator.gates)
    fine = msgspec.structs.replace(
        run, simulator=msgspec.structs.replace(run.simulator, gates=kept)
    )
    assert "All were kept." in section(page(fine), "Promises")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ({"quick": True}, "This was a quick run"),
        ({"held_out": False}, "Its worlds are those for tuning"),
    ],
)
def test_what_is_no_evidence_says_so(scope: dict[str, Any], words: str) -> None:
    """A quick run and one on seeds for tuning are told as such; a whole one is not."""
    run = sample()
    assert run.scope is not None
    assert "no evidence" not in page(run)
    other = page(msgspec.structs.replace(run, scope=msgspec.structs.replace(run.scope, **scope)))
    assert words in " ".join(other.split())
    assert "no evidence" in " ".join(other.split())


def test_what_was_not_measured_is_said_to_be_missing() -> None:
    """Without recorded data its reason stands there; without a calibration that is said."""
    run = msgspec.structs.replace(sample(), history_reason="not asked for", calibration=None)
    text = page(run, recorded=False)
    assert section(text, "Recorded data").strip() == "Left out: not asked for."
    place = "The simulated market beside published facts"
    assert section(text, place).strip() == "Not measured in this run."


def test_what_was_written_by_hand_stands_as_it_was_written() -> None:
    """Findings keep every word and their headings, before what was measured by."""
    text = page(sample(), findings="## Limits\n\nNone | at all.\n")
    assert section(text, "Limits").strip() == "None | at all."
    assert text.index("## Limits") < text.index("## Measured by")


def test_pages_have_pictures_only_where_there_are_some() -> None:
    """A run without curves or calls has a page without their pictures."""
    run = sample()
    named = re.findall(r"\(images/(.*?)\)", page(run))
    assert sorted(named) == sorted(report_charts.charts(_results(run)))
    bare = changed_figures(run)
    assert report_charts.charts(_results(bare)) == {}
    text = page(bare)
    assert "images/" not in text
    assert {row[5] for row in rows(section(text, "The end"))[2:]} == {"– n 0"}  # noqa: RUF001
    assert "the best of the rules" not in " ".join(text.split())


def changed_figures(run: Evaluation) -> Evaluation:
    """The same run with no curve, call, or alarm at all."""
    nothing = Figure(None, None, None, 0)

    def emptied(figures: Any) -> Any:
        quantiles = dict.fromkeys(("p10", "p50", "p90"), nothing)
        alerts = {
            tier: msgspec.structs.replace(
                alarms,
                groups={
                    name: msgspec.structs.replace(
                        group, delay_s=msgspec.structs.replace(group.delay_s, **quantiles)
                    )
                    for name, group in alarms.groups.items()
                },
            )
            for tier, alarms in figures.alerts.items()
        }
        ends = msgspec.structs.replace(
            figures.exhaustion, holds=(), reliability=(), lag_s=Quantiles(*(nothing,) * 3)
        )
        return msgspec.structs.replace(figures, alerts=alerts, exhaustion=ends, curves={})

    found = _results(run)
    regimes = {name: emptied(figures) for name, figures in found.regimes.items()}
    bare = msgspec.structs.replace(found, regimes=regimes, macro=emptied(found.macro), rivals={})
    return msgspec.structs.replace(run, simulator=bare)


def _results(run: Evaluation) -> Results:
    assert run.simulator is not None
    return run.simulator


def follow(shown: list[str], place: Path, run: Evaluation, monkeypatch: Any) -> None:
    """Type a page's commands in a directory; what takes long gives a run's figures at once."""
    found = evaluated(run).simulated

    def simulate(*_: object, **__: object) -> Simulated:
        return found

    def recorded(*_: object) -> History:
        assert run.history is not None
        return run.history

    monkeypatch.setattr(evaluation, "simulate", simulate)
    monkeypatch.setattr(history, "evaluate_history", recorded)
    monkeypatch.chdir(place)
    for command in shown:
        program, *arguments = shlex.split(command)
        assert program == "liqmon", command
        done = CliRunner().invoke(app, arguments)
        # Broken promises are an exit code of `evaluate`, not a failure to measure.
        assert done.exit_code in ({0, 1} if arguments[0] == "evaluate" else {0}), done.output


def test_the_commands_of_a_page_make_such_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types them gets figures, pictures, and a page with the same commands."""
    run = sample()
    for apart in (False, True):
        text = page(run, findings=report.FINDINGS.read_text(encoding="utf-8"))
        place = tmp_path / str(apart)
        place.mkdir()
        if apart:
            other = msgspec.structs.replace(run, command="liqmon evaluate --suite history")
            run = msgspec.structs.replace(
                run, command=run.command.replace("--suite all", "--suite simulator")
            )
            found = Evaluated(*_but_last(evaluated(run)), other)
            drawn = report_charts.charts(_results(run))
            text = report.page(found, set(drawn), "")
        first = place / "first.md"
        first.write_text(text, encoding="utf-8")
        shown = list(commands(first))
        assert len(shown) == 2 + apart
        follow(shown, place, run, monkeypatch)
        second = place / "docs" / report.PAGE
        assert list(commands(second)) == shown
        assert section(second.read_text(), "Promises") == section(text, "Promises")


def _but_last(found: Evaluated) -> tuple[Evaluation, Scope, Simulated]:
    return found.lived, found.scope, found.simulated


@pytest.mark.skipif(not COMMITTED.exists(), reason="the page has not been generated yet")
def test_the_committed_page_is_that_of_this_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest, findings and pictures are those of the project, and its commands work."""
    text = COMMITTED.read_text(encoding="utf-8")
    assert f"Simulator `{digest()}`" in text
    assert report.FINDINGS.read_text(encoding="utf-8").strip() in text
    named = set(re.findall(r"\(images/(quality-.*?\.svg)\)", text))
    assert named == {path.name for path in (COMMITTED.parent / "images").glob("quality-*.svg")}
    follow(list(commands(COMMITTED)), tmp_path, sample(), monkeypatch)
