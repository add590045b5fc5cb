"""What a venue may do wrong on purpose: one flag each, `NAME@VENUE`."""

import enum

import msgspec

from monitor.errors import ConfigError

# OKX's spot shares one host with its swaps, so it shares their faults.
VENUES = ("binance", "binance_spot", "bybit", "bybit_spot", "okx")


class FaultKind(enum.StrEnum):
    """Ways to fail."""

    ACCEPT_AND_CLOSE = "accept-and-close"  # a connection is accepted and closed at once
    ACK_NO_DATA = "ack-no-data"  # subscriptions are acknowledged, nothing follows
    HTTP_429 = "http-429"  # every request and handshake is answered 429
    HTTP_451 = "http-451"  # likewise 451, as from a blocked country
    GARBAGE = "garbage"  # noise instead of every data frame
    TRUNCATED = "truncated"  # every data frame ends in the middle
    OVERSIZED = "oversized"  # now and then a frame of two megabytes
    MUTE = "mute"  # everything but liquidations


HTTP_STATUS = {FaultKind.HTTP_429: 429, FaultKind.HTTP_451: 451}
# What ends connections that are already open.
ENDS_CONNECTIONS = frozenset({FaultKind.ACCEPT_AND_CLOSE, *HTTP_STATUS})


class Fault(msgspec.Struct, frozen=True):
    """One fault of one venue."""

    kind: FaultKind
    venue: str

    def __str__(self) -> str:
        return f"{self.kind}@{self.venue}"


def parse_fault(text: str) -> Fault:
    """The fault that `NAME@VENUE` names.

    Raises:
        ConfigError: There is no such fault or venue; names those that exist.
    """
    name, _, venue = text.partition("@")
    if name not in set(FaultKind):
        kinds = ", ".join(FaultKind)
        raise ConfigError(f"fault: expected NAME@VENUE with a name of {kinds}; was {text!r}")
    if venue not in VENUES:
        known = ", ".join(VENUES)
        raise ConfigError(f"fault: expected NAME@VENUE with a venue of {known}; was {text!r}")
    return Fault(FaultKind(name), venue)
