"""The Grafana dashboard: made of metrics that exist, and every query of it has data.

The second half runs everything for real: a served cascade, the daemon on it with a broker, and
a Prometheus with the shipped configuration. Each query of each panel is then put to Prometheus
as Grafana would put it.
"""

import contextlib
import functools
import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
import orjson
import pytest
import yaml

from monitor.parameters import Parameters
from monitor.publish.families import BASELINE_NUMBERS, STATE_NUMBERS
from monitor.publish.metrics import catalogue
from tests import brokers, running

pytestmark = pytest.mark.xdist_group("sockets")

DEPLOY: Final = Path(__file__).resolve().parents[1] / "deploy"
FILES: Final = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
OVERVIEW: Final[dict[str, Any]] = orjson.loads(
    (DEPLOY / "grafana" / "dashboards" / "overview.json").read_bytes()
)
PANELS: Final = {panel["title"]: panel for panel in OVERVIEW["panels"] if panel["type"] != "row"}
QUERIES: Final = [
    pytest.param(panel, target, id=f"{title}-{target['refId']}")
    for title, panel in PANELS.items()
    for target in panel["targets"]
]
COLUMNS: Final = 24
ADDED: Final = {"job", "instance"}  # labels that Prometheus itself adds
WITHIN_S: Final = 45.0

NAME = re.compile(r"\b(?:liqmon|process|python)_\w+")
MATCHERS = re.compile(r"\b(\w+)\{([^}]*)\}")
GROUPING = re.compile(r"\b(?:by|on|without|ignoring) \(([^)]*)\)")
RENAMED = re.compile(r'label_replace\(.*?, "(\w+)"')


def labels_by_name() -> dict[str, set[str]]:
    """The labels of everything that can be queried."""
    return {
        name: set(family.labels) | ADDED | ({"le"} if name.endswith("_bucket") else set())
        for family in catalogue()
        for name in family.series
    }


def colours(panel: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Value -> word and colour of a panel's mapping."""
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    return {n: (shown["text"], shown["color"]) for n, shown in mapping["options"].items()}


def steps(panel: dict[str, Any]) -> list[float]:
    """The thresholds of a panel, without its base."""
    return [
        step["value"]
        for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        if step["value"] is not None
    ]


# The file


# Grafana's types announce, when they are imported, the schema that is to follow this one.
@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2:DeprecationWarning")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_grafana_knows_every_key(file: Path) -> None:
    """Read and written by Grafana's own types, the dashboard loses no key and changes no value."""
    from grafana_foundation_sdk.cog import plugins  # noqa: PLC0415 - for the warning, see above
    from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: PLC0415 - the same
    from grafana_foundation_sdk.models.dashboard import Dashboard  # noqa: PLC0415 - the same

    plugins.register_default_plugins()
    ours = orjson.loads(file.read_bytes())
    theirs = orjson.loads(json.dumps(Dashboard.from_json(ours), cls=JSONEncoder))
    assert list(_lost(ours, theirs, file.stem)) == []


def _lost(ours: object, theirs: object, path: str) -> Iterator[str]:
    """Where something of ours is not in theirs; defaults that they add do not matter."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from _lost(value, theirs[key], f"{path}.{key}")
            else:
                yield f"{path}.{key}"
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (mine, yours) in enumerate(zip(ours, theirs, strict=True)):
            yield from _lost(mine, yours, f"{path}[{place}]")
    elif ours != theirs:
        yield path


def test_panels_do_not_overlap() -> None:
    """No two panels take the same cell of the grid, and none leaves it."""
    taken: dict[tuple[int, int], str] = {}
    for panel in OVERVIEW["panels"]:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    height = max(y for _, y in taken) + 1
    assert len(taken) == COLUMNS * height, "there is a hole in the grid"


def test_panels_and_queries_have_names_of_their_own() -> None:
    """Ids are unique in the dashboard, letters in a panel, titles among the panels."""
    ids = [panel["id"] for panel in OVERVIEW["panels"]]
    assert len(set(ids)) == len(ids)
    assert len(PANELS) == sum(panel["type"] != "row" for panel in OVERVIEW["panels"])
    for panel in PANELS.values():
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEF"[: len(letters)])


@pytest.mark.parametrize("panel", PANELS.values(), ids=PANELS)
def test_panel_explains_itself(panel: dict[str, Any]) -> None:
    """A panel says what it shows, in which unit, and why there may be no data."""
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["description"].endswith(".")
    assert defaults["noValue"].endswith(".")
    assert panel["type"] == "state-timeline" or defaults["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_variables_have_values_before_anyone_chooses() -> None:
    """The data source is the one that is provisioned; the asset is one watched by default."""
    current = {v["name"]: v["current"]["value"] for v in OVERVIEW["templating"]["list"]}
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yml").read_text())["datasources"]
    assert current == {"datasource": source["uid"], "asset": "BTC"}


@pytest.mark.parametrize(("panel", "target"), QUERIES)
def test_query_names_what_exists(panel: dict[str, Any], target: dict[str, Any]) -> None:
    """Every metric and label of a query, and of its legend, is one that the code declares."""
    known, expr = labels_by_name(), target["expr"]
    names = set(NAME.findall(expr))
    assert names
    assert names <= known.keys()
    for name, matchers in MATCHERS.findall(expr):
        assert {part.split("=")[0].strip(" !~") for part in matchers.split(",")} <= known[name]
    grouped = {label.strip() for labels in GROUPING.findall(expr) for label in labels.split(",")}
    assert grouped <= set().union(*(known[name] for name in names))
    shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
    assert shown <= grouped | set(RENAMED.findall(expr)), panel["title"]


@pytest.mark.parametrize("title", ["Ladders that left QUIET", "Ladders of $asset"])
def test_states_are_shown_in_their_words(title: str) -> None:
    """Every number of the state metric is shown as the state's word, in a colour of its own."""
    shown = colours(PANELS[title])
    assert {number: word for number, (word, _) in shown.items()} == {
        str(number): state.value for state, number in STATE_NUMBERS.items()
    }
    assert len({colour for _, colour in shown.values()}) == len(STATE_NUMBERS)


def test_baseline_is_shown_in_its_words() -> None:
    """Every number of the baseline metric is shown as its word."""
    shown = {number: word for number, (word, _) in colours(PANELS["Scale rests on"]).items()}
    assert shown == {str(number): base.value for base, number in BASELINE_NUMBERS.items()}


def test_lines_are_the_default_tiers() -> None:
    """The dashed lines stand where the detector's own defaults are."""
    rules = Parameters()
    assert steps(PANELS["Pressure of $asset"]) == [
        rules.notice_tier,
        rules.building_tier,
        rules.onset_tier,
    ]
    assert steps(PANELS["Pressure of the market"]) == steps(PANELS["Pressure of $asset"])
    assert steps(PANELS["Breadth"]) == [rules.breadth_ratio]
    told = PANELS["Breadth"]["description"] + PANELS["Pressure of the market"]["description"]
    assert f"fed at {rules.breadth_level:g} u" in told
    assert f"within {rules.breadth_within_s // 60} minutes" in told
    assert f"{rules.market_assets} assets at least" in told
    assert f"stand {rules.breadth_lift:g} u lower" in told
    assert steps(PANELS["Open interest, change of 5 minutes"]) == [
        rules.cascading_interest_ratio,
        rules.interest_confirmer_ratio,
    ]


# What Prometheus answers


class Prometheus(msgspec.Struct, frozen=True):
    """A running Prometheus: its port, and the wall time at which it was started."""

    port: int
    started_s: float

    def answer(self, target: dict[str, Any]) -> list[dict[str, Any]]:
        """The series of a query, asked as Grafana asks it; an error of Prometheus fails."""
        now_s = time.time()
        expr = substituted(target["expr"], now_s - self.started_s)
        if target["instant"]:
            asked = {"query": expr, "time": now_s}
        else:
            asked = {"query": expr, "start": self.started_s, "end": now_s, "step": 1}
        kind = "query" if target["instant"] else "query_range"
        status, body = running.fetched(self.port, f"/api/v1/{kind}?{urlencode(asked)}")
        assert status == 200, body
        return list(orjson.loads(body)["data"]["result"])


def substituted(expr: str, range_s: float) -> str:
    """The query with its variables replaced; scrapes come every second."""
    for name, value in (
        ("$asset", "BTC"),
        ("$__rate_interval", "4s"),
        ("$__range", f"{math.ceil(range_s)}s"),
    ):
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr


def numbers(series: dict[str, Any]) -> list[float]:
    """The finite numbers of a series, in order of time."""
    pairs = series["values"] if "values" in series else [series["value"]]
    return [float(text) for _, text in pairs if math.isfinite(float(text))]


def legend(target: dict[str, Any], series: dict[str, Any]) -> str:
    """What a series is called in its panel."""
    text: str = target["legendFormat"]
    for label in re.findall(r"{{(\w+)}}", text):
        text = text.replace(f"{{{{{label}}}}}", series["metric"].get(label, ""))
    return text


@contextlib.contextmanager
def prometheus(program: str, directory: Path, daemon_port: int) -> Iterator[Prometheus]:
    """A Prometheus with the shipped configuration, but for addresses and pace."""
    port = brokers.free_port()
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    here = {"liqmon": daemon_port, "prometheus": port}
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{here[job['job_name']]}"]}]
    file = directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'metrics'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (
        (directory / "prometheus.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            running.until(functools.partial(_is_ready, port), 20.0, "for Prometheus")
            yield Prometheus(port, time.time())
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        return running.fetched(port, "/-/ready")[0] == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has watched a daemon since it came up, until an onset was published."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: apt-get install prometheus)")
    directory = tmp_path_factory.mktemp("observed")
    with (
        brokers.mosquitto(directory) as broker,
        running.market(speed=20.0, lead_s=6.0) as market,
    ):
        # A third asset, for a market there is none of with fewer.
        watch = {"assets": ["BTC", "ETH", "SOL"]}
        table = running.settings(market, directory, broker.port, watch=watch)
        with (
            prometheus(program, directory, table["http"]["port"]) as found,
            running.monitor(directory, table) as daemon,
        ):
            daemon.until_told("state changed", WITHIN_S, state="CASCADING")
            yield found


@pytest.mark.parametrize(("panel", "target"), QUERIES)
def test_query_has_data(
    panel: dict[str, Any], target: dict[str, Any], observed: Prometheus
) -> None:
    """Every series that a query gives has a legend of its own, and one at least has numbers."""
    running.until(
        lambda: any(numbers(series) for series in observed.answer(target)),
        WITHIN_S,
        f"for {panel['title']}: {target['expr']}",
    )
    legends = [legend(target, series) for series in observed.answer(target)]
    assert len(set(legends)) == len(legends)
    assert all(text.strip() for text in legends)


def test_cascade_is_seen_in_words(observed: Prometheus) -> None:
    """The longs that broke are shown from QUIET to CASCADING; what stayed QUIET is not."""
    panel = PANELS["Ladders that left QUIET"]
    (target,) = panel["targets"]

    def shown() -> dict[tuple[str, str], list[str]]:
        words = colours(panel)
        return {
            (series["metric"]["asset"], series["metric"]["position"]): list(
                dict.fromkeys(words[f"{number:.0f}"][0] for number in numbers(series))
            )
            for series in observed.answer(target)
        }

    running.until(lambda: "CASCADING" in shown().get(("BTC", "long"), []), WITHIN_S)
    ladders = shown()
    broken = ladders["BTC", "long"]
    assert broken[-1] == "CASCADING" or "EXHAUSTING" in broken
    # Other assets fall with it, some of them far enough.
    assert all(words[0] == "QUIET" and len(words) > 1 for words in ladders.values())


def test_longs_are_what_was_forced(observed: Prometheus) -> None:
    """The headline shows the cascade's side far ahead, and the long share says the same."""
    (target,) = PANELS["Forced, 1 h"]["targets"]
    usd = {series["metric"]["position"]: numbers(series)[0] for series in observed.answer(target)}
    assert usd.keys() == {"long", "short"}
    assert usd["long"] > 10 * usd["short"]
    (target,) = PANELS["Long share"]["targets"]
    share = {series["metric"]["window"]: numbers(series)[0] for series in observed.answer(target)}
    assert share.keys() == {"1h", "24h"}
    assert share["1h"] > 0.9
