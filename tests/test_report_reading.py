"""Evaluations read back for the report: whole ones are, others are refused with a reason."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.assess import report, report_reading
from monitor.errors import ConfigError
from tests.evaluations import sample

ENCODED = msgspec.json.encode(sample())
GONE = object()


def written(place: Path, name: str = "evaluation.json", **other: Any) -> Path:
    """A sample's JSON, with some keys replaced or taken away."""
    told = json.loads(ENCODED)
    for key, value in other.items():
        if value is GONE:
            del told[key]
        else:
            told[key] = value
    path = place / name
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def test_an_evaluation_comes_back_as_it_was(tmp_path: Path) -> None:
    """What was written as JSON is read as the same figures, recorded data included."""
    run = sample()
    found = report_reading.read([written(tmp_path)])
    assert (found.lived, found.recorded) == (run, run)
    assert found.simulated.simulator == run.simulator


def test_recorded_data_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    """Two files are put together, in whatever order."""
    lived = written(tmp_path, "a.json", history=None)
    recorded = written(tmp_path, "b.json", simulator=None)
    for files in ([lived, recorded], [recorded, lived]):
        found = report_reading.read(files)
        assert found.lived.history is None
        assert found.recorded is not None
        assert found.recorded.history == sample().history


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"scope": {"regimes": []}}, r"missing required field `worlds` - at `\$.scope`"),
        ({"machine": GONE}, "missing required field `machine`"),
        ({"lived_days": GONE, "later": 1}, "keys of another version: lived_days, later$"),
        ({"thinned": None, "market": None}, "thinned, market: expected figures, was null"),
        ({"schema_version": 7}, "schema_version: expected 1, was 7"),
        ({"simulator": None}, "expected figures of simulated months, found none in .*n.json"),
    ],
)
def test_missing_figures_are_named(tmp_path: Path, other: dict[str, Any], words: str) -> None:
    """A file of an older version is refused by the key that it lacks."""
    with pytest.raises(ConfigError, match=words):
        report_reading.read([written(tmp_path, **other)])


def test_the_same_figures_twice_are_refused(tmp_path: Path) -> None:
    """Which of two runs is meant is not guessed."""
    files = [written(tmp_path, name) for name in ("a.json", "b.json")]
    with pytest.raises(
        ConfigError, match=r"simulated months in one file, found them in .*a\.json"
    ):
        report_reading.read(files)


def test_what_cannot_be_read_or_written_is_one_line(tmp_path: Path) -> None:
    """A file that is not there, is no JSON, or stands in the way is named."""
    with pytest.raises(ConfigError, match=r"none\.json: No such file"):
        report_reading.read([tmp_path / "none.json"])
    (tmp_path / "cut.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"cut\.json: expected the JSON of this version"):
        report_reading.read([tmp_path / "cut.json"])
    with pytest.raises(ConfigError, match=r"--docs .*cut\.json"):
        report.write(report_reading.read([written(tmp_path)]), tmp_path / "cut.json")
