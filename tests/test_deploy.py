"""What is shipped to run it: image, locks, compose file, the configuration of its neighbours."""

import getpass
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from paho.mqtt import publish

from monitor.config import examine
from tests.brokers import Broker, free_port, mosquitto_program
from tests.listening import retained

ROOT: Final = Path(__file__).resolve().parents[1]
DEPLOY: Final = ROOT / "deploy"
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Final[dict[str, Any]] = COMPOSE["services"]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

PINNED = re.compile(r"[\w./-]+:v?\d+\.\d+\.\d+[\w.-]*")
SECRET = re.compile(r"password|secret|token|key", re.IGNORECASE)


def instructions(name: str) -> list[str]:
    """What follows every instruction of this name in the Dockerfile, lines joined."""
    joined = re.sub(r"\\\n\s*", "", DOCKERFILE)
    return [line.split(maxsplit=1)[1] for line in joined.splitlines() if line.startswith(name)]


def image_environment() -> dict[str, str]:
    """The variables that the final stage of the image sets."""
    final = instructions("ENV ")[-1]
    return dict(pair.split("=", 1) for pair in re.split(r"\s+", final))


def locked(path: Path) -> dict[str, frozenset[str]]:
    """Every "name==version" of a lock, with its hashes."""
    found: dict[str, frozenset[str]] = {}
    for block in re.split(r"\n(?=\S)", path.read_text().strip()):
        pin, *hashes = block.replace("\\", "").split()
        found[pin] = frozenset(hashes)
    return found


def mounts(name: str) -> list[list[str]]:
    """Source, target and mode of what a service mounts."""
    return [mount.split(":") for mount in SERVICES[name]["volumes"]]


# The image


def test_dockerfile_has_no_complaints() -> None:
    """Hadolint finds nothing in the Dockerfile, and no rule is switched off for it."""
    program = Path(sys.executable).parent / "hadolint"
    done = subprocess.run(
        [program, "--no-color", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "hadolint" not in DOCKERFILE


def test_both_stages_start_from_one_pinned_image() -> None:
    """What is built with one interpreter runs with the same one, and which is written down."""
    images = [line.split()[0] for line in instructions("FROM ")]
    assert len(images) == 2
    assert len(set(images)) == 1
    assert PINNED.fullmatch(images[0])
    assert images[0].startswith("python:3.11.")


def test_image_runs_the_daemon_without_rights() -> None:
    """The daemon is the first process, under a fixed number that is not root's."""
    uid, gid = instructions("USER ")[-1].split(":")
    assert (uid, gid) == ("10001", "10001")
    assert f"--uid {uid}" in DOCKERFILE
    assert instructions("ENTRYPOINT ") == ['["liqmon"]']
    assert instructions("CMD ") == ['["run"]']
    assert instructions("STOPSIGNAL ") == ["SIGTERM"]
    assert instructions("HEALTHCHECK ")[0].endswith('CMD ["liqmon", "healthcheck"]')


def test_image_says_what_it_is() -> None:
    """The labels give the project's own version and licence, and so does the tag."""
    labels = dict(re.findall(r'org\.opencontainers\.image\.(\w+)="([^"]*)"', DOCKERFILE))
    assert labels["version"] == PROJECT["version"]
    assert labels["licenses"] == PROJECT["license"]
    assert labels["title"] == PROJECT["name"]
    assert SERVICES["monitor"]["image"] == f"{PROJECT['name']}:{PROJECT['version']}"


def test_image_is_built_from_what_the_context_lets_in() -> None:
    """Everything the Dockerfile copies exists and is not left out of the build's context."""
    let_in = [
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    sources = [
        source
        for line in instructions("COPY ")
        if not line.startswith("--from")
        for source in line.split()[:-1]
    ]
    assert "monitor" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(Path(source).match(pattern) for pattern in let_in), source


def test_image_locks_are_parts_of_the_one_lock() -> None:
    """The image runs and is built with the versions and hashes that the tests ran with."""
    whole = locked(ROOT / "requirements.lock")
    runtime = locked(DEPLOY / "image" / "runtime.lock")
    build = locked(DEPLOY / "image" / "build.lock")
    for part in (runtime, build):
        assert part
        assert part.items() <= whole.items()
    names = {pin.partition("==")[0] for pin in runtime}
    wanted = {re.split(r"[><=!;\s]", line)[0] for line in PROJECT["dependencies"]}
    assert wanted <= names
    dev = {re.split(r"[><=!;\s]", line)[0] for line in PROJECT["optional-dependencies"]["dev"]}
    assert not names & dev


# The kernels' cache: an image brings it along, and nobody may be able to write it

KERNEL = """
from kernels.jit import kernel

@kernel("int64(int64)")
def twice(x):
    return 2 * x
"""
CALL = """
from kernels.jit import CACHE_DIR
from kernels.tiny import twice

print(twice(21), bool(CACHE_DIR), sum(twice.stats.cache_hits.values()))
"""


def unprivileged() -> list[str]:
    """What to put before a command so that the modes of files hold for it, for root too."""
    if os.geteuid():
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (Debian: apt-get install util-linux)")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner"]


def run_kernel(directory: Path, **environ: str) -> str:
    """Call the small kernel as somebody whom modes stop: result, any cache, taken from it."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run(
        [*unprivileged(), sys.executable, "-W", "error", "-c", CALL],
        cwd=directory,
        env={**clean, "HOME": "/proc", "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A directory with a package of one small kernel, that cannot be written."""
    package = tmp_path / "kernels"
    package.mkdir()
    shutil.copy(ROOT / "kernels" / "jit.py", package)
    (package / "__init__.py").touch()
    (package / "tiny.py").write_text(KERNEL)
    package.chmod(0o555)
    return tmp_path


@pytest.fixture
def filled(tiny: Path) -> Path:
    """A cache that was filled for a generic processor, and then made read-only."""
    cache = tiny / "cache"
    cache.mkdir()
    assert run_kernel(tiny, NUMBA_CACHE_DIR=str(cache), NUMBA_CPU_NAME="generic") == "42 True 0"
    assert list(cache.rglob("*.nbc"))
    for path in (cache, *cache.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return cache


def test_filled_cache_is_used_although_it_cannot_be_written(tiny: Path, filled: Path) -> None:
    """A container with a read-only root compiles nothing when it starts."""
    assert run_kernel(tiny, NUMBA_CACHE_DIR=str(filled), NUMBA_CPU_NAME="generic") == "42 True 1"


def test_cache_for_another_processor_is_done_without(tiny: Path, filled: Path) -> None:
    """Code that is not in a read-only cache is compiled; the daemon starts all the same."""
    assert run_kernel(tiny, NUMBA_CACHE_DIR=str(filled), NUMBA_CPU_NAME="x86-64-v2") == "42 True 0"


def test_kernels_compile_where_nothing_can_be_written(tiny: Path) -> None:
    """Without any place for a cache the kernels compile, and there is none."""
    assert run_kernel(tiny) == "42 False 0"


# The compose file


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_pinned_bounded_and_hardened(name: str) -> None:
    """Each service has a pinned image, a health check, limits, and a root nobody can write."""
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"])
    assert service["healthcheck"]["test"][0] == "CMD"
    assert {"cpus", "memory", "pids"} == set(service["deploy"]["resources"]["limits"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_reached_from_this_machine_only(name: str) -> None:
    """No port is published on an address that others can reach."""
    assert SERVICES[name]["ports"]
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)


@pytest.mark.parametrize("name", SERVICES)
def test_everything_mounted_is_there(name: str) -> None:
    """A mounted file exists and is read-only; a named volume is declared."""
    for source, target, *mode in mounts(name):
        assert target.startswith("/")
        if source.startswith("./"):
            assert (DEPLOY / source).exists(), source
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_nothing_secret_stands_in_the_compose_file() -> None:
    """No variable that could hold a secret has a value; the switches about them may."""
    for service in SERVICES.values():
        for name, text in service.get("environment", {}).items():
            assert not SECRET.search(name) or text in {"true", "false"}, name


def test_services_wait_for_services_that_exist() -> None:
    """Whoever waits for another's health names one of this file."""
    for service in SERVICES.values():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()


def test_composed_daemon_has_a_good_configuration() -> None:
    """Image and compose file set known keys: the broker's service, all addresses, the volume."""
    environ = {**image_environment(), **SERVICES["monitor"]["environment"]}
    (file,) = (
        source for source, target, *_ in mounts("monitor") if target == environ["LIQMON_CONFIG"]
    )
    ours = {name: text for name, text in environ.items() if name.startswith("LIQMON_")}
    outcome = examine(DEPLOY / file, ours)
    assert outcome.problems == ()
    assert outcome.config is not None
    assert outcome.config.mqtt.host in SERVICES
    assert outcome.config.http.host == "0.0.0.0"
    assert outcome.config.log.format == "json"
    volumes = [target for source, target, *_ in mounts("monitor") if source in COMPOSE["volumes"]]
    assert [str(Path(outcome.config.state.path).parent)] == volumes
    assert instructions("VOLUME ") == [f'["{volumes[0]}"]']
    port = outcome.config.http.port
    assert SERVICES["monitor"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert instructions("EXPOSE ") == [str(port)]


# The neighbours


def test_prometheus_scrapes_the_daemon_every_five_seconds() -> None:
    """The daemon is scraped by its service's name and port, as often as Grafana thinks."""
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    jobs = {
        job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]
    }
    assert jobs["liqmon"] == ["monitor:9108"]
    assert config["global"]["scrape_interval"] == "5s"
    assert _datasource()["jsonData"]["timeInterval"] == "5s"


def test_promtool_accepts_the_configuration() -> None:
    """Prometheus' own tool finds nothing wrong with what Prometheus is given."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    command = [program, "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """The data source leads to Prometheus, and dashboards are looked for where they are."""
    assert _datasource()["url"] == "http://prometheus:9090"
    folder = DEPLOY / "grafana" / "provisioning" / "dashboards"
    (provider,) = yaml.safe_load((folder / "liqmon.yml").read_text())["providers"]
    places = {target: source for source, target, *_ in mounts("grafana")}
    assert places[provider["options"]["path"]] == "./grafana/dashboards"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (DEPLOY / places[str(home.parent)] / home.name).is_file()


def _datasource() -> dict[str, Any]:
    folder = DEPLOY / "grafana" / "provisioning" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yml").read_text())["datasources"]
    return dict(source)


def test_mosquitto_runs_with_its_configuration(tmp_path: Path) -> None:
    """The broker takes the file as it is shipped, and what is retained outlives a restart."""
    program = mosquitto_program()
    if program is None:
        pytest.skip("mosquitto is not installed (Debian: apt-get install mosquitto)")
    port = free_port()
    text = (DEPLOY / "mosquitto.conf").read_text()
    for ours, here in (
        ("listener 1883\n", f"listener {port} 127.0.0.1\nuser {getpass.getuser()}\n"),
        ("location /mosquitto/data/\n", f"location {tmp_path}/\n"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (tmp_path / "mosquitto.conf").write_text(text)
    broker = Broker([program, "-c", str(tmp_path / "mosquitto.conf")], port, tmp_path / "log")
    broker.start()
    try:
        publish.single("kept", b'"so"', qos=1, retain=True, hostname=broker.host, port=port)
        broker.stop()
        broker.start()
        assert retained(port, "kept") == {"kept": "so"}
    finally:
        broker.stop()
