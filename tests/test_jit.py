import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import jit
from monitor.detect import snapshot
from tests import wide
from tests.tape import WARM_S, Market, cascade, engine, lines, play

ROOT = Path(__file__).resolve().parents[1]
KERNEL_TESTS = (
    "test_flow.py",
    "test_flow_rules.py",
    "test_context.py",
    "test_quantile.py",
    "test_trend.py",
    "test_assess_kernels.py",
    "test_market_kernel.py",
    "test_pool.py",
)
PROGRAM = """
import sys
import numba
from tests.test_jit import verdicts_and_state
assert numba.config.DISABLE_JIT
verdicts, state = verdicts_and_state()
sys.stdout.buffer.write(verdicts + state)
"""


def verdicts_and_state() -> tuple[bytes, bytes]:
    """The alert log of two cascades, the second of a whole market, and the state they leave."""
    core, whole = engine(), wide.engine()
    said = play(core, cascade(Market().go(WARM_S)).go(180).entries)
    said += play(whole, wide.cascade(wide.WideMarket().go(WARM_S)).go(180).entries)
    return lines(said), snapshot.take(core) + snapshot.take(whole)


def uncompiled(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """A Python of its own in which kernels stay Python, with fewer examples."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "TEST_EXAMPLES_PERCENT": "10"},
        capture_output=True,
        timeout=300,
        check=False,
    )


def test_verdicts_are_byte_equal_compiled_and_not() -> None:
    """The same log gives the same alert log, and state, whether or not kernels are compiled."""
    verdicts, state = verdicts_and_state()
    assert verdicts.count(b"\n") == 6 + 3 * 6 + 5
    found = uncompiled("-c", PROGRAM)
    assert found.stderr == b""
    assert found.stdout[: len(verdicts)] == verdicts
    assert found.stdout[len(verdicts) :] == state


def test_the_kernels_tests_pass_without_compilation() -> None:
    """The referees of the kernels hold in the interpreter too, where coverage can see them."""
    files = [f"tests/{name}" for name in KERNEL_TESTS]
    found = uncompiled("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *files)
    assert found.returncode == 0, found.stdout.decode()


def test_a_chosen_cache_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever names a directory for compiled code gets it, made if it is not there."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "here"))
    assert jit._usable_cache() == str(tmp_path / "here")
    assert (tmp_path / "here").is_dir()


def test_the_cache_is_named_by_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Left to itself, compiled code lies in the user's cache under a digest of all kernels."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    expected = tmp_path / "liqmon" / f"kernels-{jit._sources_digest()}"
    assert jit._usable_cache() == str(expected)


def test_without_a_usable_cache_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where no directory can be made, kernels are compiled at each start."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert jit._usable_cache() == ""
