"""Where a venue's addresses really lead.

Venues name their own public addresses. A demo, a test or a relay puts other ones in their
place: the same code then talks to the loopback, and nothing else about it changes.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def routed(url: str, endpoints: Mapping[str, str]) -> str:
    """The address to use for a venue's `url`.

    `endpoints` maps scheme, host and port, as the venue writes them ("wss://ws.okx.com:8443"),
    to what takes their place ("ws://127.0.0.1:9001/ws.okx.com"); path and query are kept.
    """
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    base = endpoints.get(origin)
    return url if base is None else base.rstrip("/") + url[len(origin) :]


def is_loopback(url: str) -> bool:
    """Whether an address is on this machine, where no proxy may come between."""
    return urlsplit(url).hostname in _LOOPBACK
