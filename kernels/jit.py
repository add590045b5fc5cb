"""The one decorator of compiled code, and where its cache lives.

Kernels are plain functions over flat arrays with eager signatures, so everything is compiled
(or read from the cache) when its module is imported and nothing compiles later. Flags are the
same everywhere: `fastmath` off, because it makes `isnan` false and reorders sums.

numba's cache watches only the file that holds a function and raises where it cannot write. So
the cache directory is named by a digest of all kernel sources (an edited file never meets
stale callers), belongs to the user, and where none can be written compilation does without.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _writable_cache() -> str:
    """A directory for compiled code that this user can write; empty when there is none."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    candidate = Path(chosen) if chosen else Path(base) / "liqmon" / f"kernels-{_sources_digest()}"
    try:
        candidate.mkdir(parents=True, exist_ok=True)
        # Creating a file is the only test that also sees read-only mounts. A cache that was
        # filled when an image was built is used although it cannot be written.
        with tempfile.TemporaryFile(dir=candidate):
            pass
    except OSError:
        filled = candidate.is_dir() and any(candidate.rglob("*.nbi"))
        return str(candidate) if filled else ""
    return str(candidate)


CACHE_DIR = _writable_cache()
if CACHE_DIR:
    os.environ["NUMBA_CACHE_DIR"] = CACHE_DIR

from numba import njit  # noqa: E402 - numba reads NUMBA_CACHE_DIR when it is imported


def kernel(*signatures: Any) -> Callable[[F], F]:
    """Compile a function for these signatures; under NUMBA_DISABLE_JIT=1 leave it as it is."""

    def compiled(function: F) -> F:
        return cast("F", decorate(function))

    decorate = njit(
        list(signatures),
        cache=bool(CACHE_DIR),
        fastmath=False,
        nogil=True,
        error_model="numpy",
    )
    return compiled
