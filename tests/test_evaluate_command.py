"""`liqmon evaluate`: what it asks for, what it prints where, and how it ends."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from monitor.assess import evaluation, history
from monitor.assess.evaluation import Evaluation, Simulated
from monitor.assess.history import History
from monitor.assess.scope import Scope, full, jobs, quick
from monitor.cli import app, evaluate, main
from monitor.errors import MeasureError
from monitor.parameters import Parameters
from tests.evaluations import sample

SAMPLE = sample()


class Asked:
    """What the command asked for; it is answered with made-up figures at once.

    Attributes:
        scope: Worlds to live through; None where none were asked for.
        processes: How many at once.
        parameters: Of the detector.
        data: Where recorded data was looked for; None where it was not.
    """

    def __init__(self, *, kept: bool = False, recorded: bool = True) -> None:
        self.scope: Scope | None = None
        self.processes = 0
        self.parameters: list[Parameters] = []
        self.data: Path | None = None
        self._kept = kept
        self._recorded = recorded

    @property
    def simulated(self) -> Simulated:
        """The figures, with all promises kept or as they are."""
        parts = {name: getattr(SAMPLE, name) for name in Simulated.__struct_fields__}
        found = Simulated(**parts)
        gates = tuple(
            msgspec.structs.replace(one, held=one.held or self._kept)
            for one in found.simulator.gates
        )
        simulator = msgspec.structs.replace(found.simulator, gates=gates)
        return msgspec.structs.replace(found, simulator=simulator)

    def simulate(
        self,
        scope: Scope,
        processes: int,
        progress: Callable[[int], object],
        *,
        parameters: Parameters,
    ) -> Simulated:
        """Stands in for living through worlds."""
        self.scope, self.processes = scope, processes
        self.parameters.append(parameters)
        for job in jobs(scope):
            progress(job.days)
        return self.simulated

    def past(self, data: Path, parameters: Parameters) -> History:
        """Stands in for reading recorded data."""
        self.data = data
        self.parameters.append(parameters)
        if not self._recorded:
            raise MeasureError(f"recorded data is incomplete: {data} lacks all")
        assert SAMPLE.history is not None
        return SAMPLE.history


def run(asked: Asked, monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> Result:
    """Type the command."""
    monkeypatch.setattr(evaluation, "simulate", asked.simulate)
    monkeypatch.setattr(history, "evaluate_history", asked.past)
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def told(result: Result) -> Evaluation:
    """What stands on stdout, which must be one JSON object in one line."""
    (line,) = result.stdout.splitlines()
    return msgspec.json.decode(line, type=Evaluation)


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_broken_promise_is_exit_code_1(
    kept: bool, form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is printed: 0 where every promise was kept, else 1."""
    assert run(Asked(kept=kept), monkeypatch, *form).exit_code == int(not kept)


def test_recorded_data_alone_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without simulated worlds there is no promise to break."""
    asked = Asked()
    found = run(asked, monkeypatch, "--suite", "history", "--json")
    assert found.exit_code == 0
    assert asked.scope is None
    said = told(found)
    assert (said.scope, said.simulator, said.seeds) == (None, None, {})
    assert said.history == SAMPLE.history


def test_json_is_one_object_on_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that was found and what it was found by; progress and words stay out of it."""
    terminal = SimpleNamespace(stderr=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(evaluate, "sys", terminal)
    asked = Asked()
    found = run(asked, monkeypatch, "--quick", "--json", "--seed", "3")
    days = sum(job.days for job in jobs(quick((), 3)))
    assert "living through worlds" in found.stderr
    assert f"{days} of {days} days" in found.stderr
    said = told(found)
    assert said.scope == asked.scope == quick((), 3)
    assert said.seeds == evaluation.seeds(jobs(quick((), 3)))
    assert said.simulator == asked.simulated.simulator
    assert (said.history, said.history_reason) == (SAMPLE.history, "")
    assert said.parameters == Parameters()
    assert len(said.simulator_digest) == 16
    assert said.machine.cores >= 1
    assert 0.0 <= said.duration_s < 60.0


def test_without_a_terminal_there_is_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks, nothing but the object is written."""
    assert run(Asked(), monkeypatch, "--json").stderr == ""


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_the_object_is_written_to_a_file_too(
    form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With `--out` the file holds what `--json` prints, promises kept or not."""
    place = tmp_path / "found.json"
    found = run(Asked(), monkeypatch, "--out", place, *form)
    assert found.exit_code == 1
    written = place.read_text(encoding="utf-8")
    assert msgspec.json.decode(written, type=Evaluation).simulator == SAMPLE.simulator
    assert (found.stdout == written) is bool(form)


def test_a_person_sees_promises_and_how_to_get_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without `--json` there are tables: every promise, kept or not, the rules, the command."""
    monkeypatch.setenv("COLUMNS", "200")
    said = run(Asked(), monkeypatch, "--regime", "wild", "--seed", "2").stdout
    assert SAMPLE.simulator is not None
    for one in SAMPLE.simulator.gates:
        (line,) = [text for text in said.splitlines() if f" {one.gate} " in text]
        assert (" not held " in line) is not one.held
    gates = SAMPLE.simulator.gates
    assert f"{sum(one.held for one in gates)} of {len(gates)} promises kept" in said
    assert "price_only" in said
    assert "liqmon evaluate --suite all --regime wild --months 24 --seed 2\n" in said


@pytest.mark.parametrize(
    ("arguments", "scope"),
    [
        ((), full((), 24)),
        (("--months", "9", "--seed", "4"), full((), 9, 4)),
        (("--regime", "wild", "--regime", "base", "--regime", "wild"), full(("wild", "base"), 24)),
        (("--train",), full((), 24, held_out=False)),
        (("--quick",), quick(())),
        (("--quick", "--regime", "quiet", "--train"), quick(("quiet",), held_out=False)),
    ],
)
def test_options_are_the_scope(
    arguments: tuple[str, ...], scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regimes, months, seeds and length are those that were typed; the command says so again."""
    asked = Asked()
    found = run(asked, monkeypatch, "--json", *arguments)
    assert asked.scope == scope
    again = Asked()
    program, name, *words = told(found).command.split()
    assert (program, name) == ("liqmon", "evaluate")
    run(again, monkeypatch, *words)
    assert again.scope == scope


def test_the_number_of_processes_is_that_of_cores_or_as_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Zero, and nothing said, is one for each core that may be used."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    for arguments, processes in (((), 3), (("--jobs", "0"), 3), (("--jobs", "7"), 7)):
        asked = Asked()
        run(asked, monkeypatch, *arguments)
        assert asked.processes == processes


def test_the_detector_is_that_of_the_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With `--config` every suite evaluates the detector as the file sets it, and says so."""
    place = tmp_path / "other.toml"
    place.write_text("[detector]\nonset_tier = 9.5\n", encoding="utf-8")
    asked = Asked()
    found = run(asked, monkeypatch, "--config", place, "--json")
    assert asked.parameters == [Parameters(onset_tier=9.5)] * 2
    assert told(found).parameters == Parameters(onset_tier=9.5)
    assert told(found).command.endswith(" --config other.toml")


# Recorded data.


def test_recorded_data_is_where_it_is_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`--data` names the directory; else it is the one beside the project."""
    for arguments, place in (((), evaluate.RECORDED), (("--data", str(tmp_path)), tmp_path)):
        asked = Asked()
        run(asked, monkeypatch, *arguments)
        assert asked.data == place


@pytest.mark.parametrize("suite", ["all", "simulator"])
def test_recorded_data_may_be_absent(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who did not ask for it alone gets the rest, with the reason why it is not there."""
    asked = Asked(recorded=False)
    found = run(asked, monkeypatch, "--suite", suite, "--json")
    assert asked.scope == full((), 24)
    said = told(found)
    reasons = {"all": "no recorded data beside the project", "simulator": "not asked for"}
    assert (said.history, said.history_reason) == (None, reasons[suite])
    assert (asked.data is None) is (suite == "simulator")
    assert (
        f"history: left out, {reasons[suite]}" in run(asked, monkeypatch, "--suite", suite).stdout
    )


def failed(
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    *arguments: str | Path,
) -> tuple[Any, str, str]:
    """Exit code, stdout and stderr of a command that cannot be done."""
    monkeypatch.setattr(evaluation, "simulate", asked.simulate)
    monkeypatch.setattr(history, "evaluate_history", asked.past)
    with pytest.raises(SystemExit) as left:
        main(["evaluate", *map(str, arguments)])
    said = capfd.readouterr()
    return left.value.code, said.out, said.err


@pytest.mark.parametrize("named", [False, True])
def test_recorded_data_that_was_asked_for_must_be_there(
    named: bool,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """With `--data`, or alone, its absence is exit code 1 and one line, before any world."""
    asked = Asked(recorded=False)
    arguments = ("--data", tmp_path) if named else ("--suite", "history")
    place = tmp_path if named else evaluate.RECORDED
    assert failed(asked, monkeypatch, capfd, *arguments) == (
        1,
        "",
        f"liqmon: recorded data is incomplete: {place} lacks all\n",
    )
    assert asked.scope is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--regime", "mild"), "liqmon: --regime: expected one of base, "),
        (("--months", "129"), "liqmon: --months: expected at most 128, was 136\n"),
        (("--train", "--seed", "10"), "liqmon: --seed: expected at most 9 with --train, was 10\n"),
        (("--months", "0"), "Usage: liqmon evaluate"),
        (("--data", "/nowhere/at/all"), "Usage: liqmon evaluate"),
        (("--config", "/nowhere/at/all"), "Usage: liqmon evaluate"),
        (("--out", "/"), "Usage: liqmon evaluate"),
        (("--out", "/nowhere/at/all"), "liqmon: --out /nowhere/at/all: No such file"),
    ],
)
def test_what_cannot_be_asked_for_is_exit_code_2(
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is said at once, with what is possible, and nothing is lived through."""
    asked = Asked()
    code, out, err = failed(asked, monkeypatch, capfd, *arguments)
    assert (code, out, asked.scope, asked.data) == (2, "", None, None)
    assert err.lstrip().startswith(said)


def test_help_names_every_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer sees what can be chosen and what the exit code means."""
    monkeypatch.setenv("COLUMNS", "120")
    said = run(Asked(), monkeypatch, "--help").stdout
    for option in ("--suite", "--months", "--regime", "--seed", "--jobs", "--quick", "--train"):
        assert option in said
    for option in ("--json", "--data", "--out", "--config"):
        assert option in said
    assert "Exits 1 when a promise is not kept" in " ".join(said.split())
