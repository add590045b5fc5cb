"""The one decorator of compiled code, and where its cache lives.

Kernels are plain functions over flat arrays with eager signatures, so everything is compiled
(or read from the cache) when its module is imported and nothing compiles later. Flags are the
same everywhere: `fastmath` off, because it makes `isnan` false and reorders sums.

numba's cache watches only the file that holds a function, and numba wants to write wherever it
reads. So the cache directory is named by a digest of all kernel sources (an edited file never
meets stale callers), belongs to the user, and may be read-only once it is filled, as in an
image; where there is none, compilation does without.
"""

import contextlib
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


def _usable_cache() -> str:
    """A directory of compiled code that this user can write, or that is filled; else empty."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    candidate = Path(chosen) if chosen else Path(base) / "liqmon" / f"kernels-{_sources_digest()}"
    try:
        candidate.mkdir(parents=True, exist_ok=True)
        # Creating a file is the only test that also sees read-only mounts.
        with tempfile.TemporaryFile(dir=candidate):
            pass
    except OSError:
        filled = candidate.is_dir() and any(candidate.rglob("*.nbi"))
        return str(candidate) if filled else ""
    return str(candidate)


CACHE_DIR = _usable_cache()
if CACHE_DIR:
    os.environ["NUMBA_CACHE_DIR"] = CACHE_DIR
    os.environ["NUMBA_CACHE_LOCATOR_CLASSES"] = f"{__name__}.Locator"

from numba import config, njit  # noqa: E402 - numba reads the environment when it is imported
from numba.core.caching import UserProvidedCacheLocator  # noqa: E402 - the same

# Somebody may have imported numba before us.
config.reload_config()  # type: ignore[no-untyped-call]


class Locator(UserProvidedCacheLocator):
    """The cache directory, as it is: numba's own locator leaves one that cannot be written."""

    def ensure_cache_path(self) -> None:
        """Make the directory if that can be done."""
        with contextlib.suppress(OSError):
            super().ensure_cache_path()  # type: ignore[no-untyped-call]


def kernel(*signatures: Any) -> Callable[[F], F]:
    """Compile a function for these signatures; under NUMBA_DISABLE_JIT=1 leave it as it is."""

    def compiled(function: F) -> F:
        try:
            return decorated(function, cached=bool(CACHE_DIR))
        except OSError:
            # Not in the cache, or made for another processor, and the cache takes nothing new.
            return decorated(function, cached=False)

    def decorated(function: F, *, cached: bool) -> F:
        decorate = njit(
            list(signatures),
            cache=cached,
            fastmath=False,
            nogil=True,
            error_model="numpy",
        )
        return cast("F", decorate(function))

    return compiled
