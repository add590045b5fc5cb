"""Where something was measured: figures of two machines are two figures."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

import msgspec

_PACKAGES: Final = ("websockets", "uvloop", "msgspec", "orjson", "numba", "numpy", "aiomqtt")
_ASK_S: Final = 5.0


class Machine(msgspec.Struct, frozen=True):
    """The machine, and what ran on it.

    Attributes:
        cpu: Name of the processor; empty where the system does not say.
        cores: Cores this process may use.
        load: Load averages of 1, 5 and 15 minutes at the start.
        python: Version of Python.
        system: Name of the system.
        packages: Versions of the packages the figures depend on.
        commit: Revision of the project, "+" behind it where files differ; empty where there is
            no repository.
    """

    cpu: str
    cores: int
    load: tuple[float, ...]
    python: str
    system: str
    packages: dict[str, str]
    commit: str


def look() -> Machine:
    """This machine, now."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        load=tuple(round(value, 2) for value in os.getloadavg()),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages={name: _version(name) for name in _PACKAGES},
        commit=_commit(),
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    git, root = shutil.which("git"), Path(__file__).resolve().parents[2]
    if git is None or not (root / ".git").exists():
        return ""
    try:
        said = subprocess.run(  # noqa: S603 - a fixed command
            [git, "-C", str(root), "describe", "--always", "--dirty=+", "--exclude=*"],
            check=True,
            capture_output=True,
            timeout=_ASK_S,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode().strip()
