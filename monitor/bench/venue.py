"""The venue that measured processes are pointed at: Binance's own Reader, on loopback.

It is the real venue but for its plan: one session carries everything, since one socket is what
a bare process is compared on, and its listing and open interest come from the sender.
"""

from typing import Final

import msgspec
import orjson

from monitor.config import Clock, Config, Http, Log, Mqtt, Record, StateFile, Watch
from monitor.events import Answer, Fact, FactKind
from monitor.instruments import InstrumentTable
from monitor.parameters import Parameters
from monitor.venues.binance import BINANCE
from monitor.venues.contract import Poll, Session, Venue

SESSION: Final = "all"
ASSETS: Final = Watch().assets
SYMBOLS: Final = tuple(f"{asset}USDT" for asset in ASSETS)
OPEN_INTEREST: Final = 1_000_000.0  # coins of each symbol
LISTING_PATH: Final = "/listing"
INTEREST_PATH: Final = "/interest"
_HOUR_S: Final = 3600.0
_INTEREST_EVERY_S: Final = 10.0


def loopback_venue(port: int, path: str) -> Venue:
    """Binance as a sender on this port gives it; its one socket is at `path`."""
    origin = f"127.0.0.1:{port}"
    session = Session(SESSION, f"ws://{origin}{path}", ("!forceOrder@arr",), quiet_s=60.0)
    interests = tuple(
        Poll(
            "open_interest",
            symbol,
            f"http://{origin}{INTEREST_PATH}?symbol={symbol}",
            _INTEREST_EVERY_S,
        )
        for symbol in SYMBOLS
    )

    def plan(_table: InstrumentTable, _watch: frozenset[str]) -> tuple[Session, ...]:
        return (session,)

    def polls(_table: InstrumentTable, _watch: frozenset[str]) -> tuple[Poll, ...]:
        return interests

    return msgspec.structs.replace(
        BINANCE,
        listings=(Poll("instruments", "usdm", f"http://{origin}{LISTING_PATH}", _HOUR_S),),
        plan=plan,
        polls=polls,
    )


def listing_body() -> bytes:
    """What it lists: a linear perpetual of every watched asset."""
    rows = [
        {
            "symbol": symbol,
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "baseAsset": asset,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "underlyingType": "COIN",
        }
        for asset, symbol in zip(ASSETS, SYMBOLS, strict=True)
    ]
    return orjson.dumps({"symbols": rows})


def interest_body(symbol: str, time_ms: int) -> bytes:
    """What it says of a symbol's open interest."""
    said = {"symbol": symbol, "openInterest": f"{OPEN_INTEREST:.3f}", "time": time_ms}
    return orjson.dumps(said)


def opening(received_ns: int) -> tuple[Answer | Fact, ...]:
    """A log's entries from the start to the first frame of connection 1."""
    time_ms = received_ns // 1_000_000
    listed = Answer(received_ns, "binance", "instruments", "usdm", 200, listing_body())
    interests = (
        Answer(received_ns, "binance", "open_interest", s, 200, interest_body(s, time_ms))
        for s in SYMBOLS
    )
    facts = (
        Fact(received_ns, 1, "binance", SESSION, kind)
        for kind in (FactKind.CONNECTING, FactKind.CONNECTED, FactKind.SUBSCRIBED)
    )
    return (Fact(received_ns, 0, "", "", FactKind.STARTED), listed, *interests, *facts)


def settings(
    *,
    epoch_ns: int = 0,
    mqtt_port: int = 0,
    http: bool = False,
    state: str = "",
    detector: Parameters = Parameters(),  # noqa: B008 - a frozen value
) -> Config:
    """A daemon's configuration; without a broker where its port is 0, without a state file."""
    return Config(
        clock=Clock(epoch_ns=epoch_ns),
        detector=detector,
        mqtt=Mqtt(enabled=mqtt_port > 0, port=mqtt_port or 1883, client_id="liqmon-bench"),
        http=Http(enabled=http, port=0),
        state=StateFile(path=state),
        record=Record(),
        log=Log(level="error", format="json"),
    )
