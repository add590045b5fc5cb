"""Binance futures: USD-M and COIN-M, whose liquidations come merged on one stream.

`!forceOrder@arr` on fstream carries the forced orders of both, at most one a symbol and second;
on COIN-M the quantity counts contracts of 100 or 10 dollars. A socket on a wrong route is
acknowledged and stays silent, so each session has a control stream that always flows. Open
interest and funding intervals come by REST only, on one weight budget for both products.
https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from monitor.events import Completeness
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable
from monitor.venues.binance.reader import BinanceReader
from monitor.venues.binance.rest import futures_answer
from monitor.venues.contract import Limits, Poll, Reader, Session, Venue

NAME = "binance"
HOUR_S = 3600
# "A single connection is only valid for 24 hours"; the server pings, the client need not.
LIFETIME_S = 23.5 * HOUR_S
QUIET_S = 10.0  # control streams flow every second
STREAMS_A_SESSION = 200
PARAMS_A_FRAME = 100
# https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
LIMITS = Limits(connects_per_5min=300, frames_per_s=10.0, rest_weight_per_min=2400)

_REST = {
    "usdm": "https://fapi.binance.com/fapi/v1",
    "coinm": "https://dapi.binance.com/dapi/v1",
}
# Half of the budget is left to listings, to retries, and to whoever shares the address.
_INTEREST_WEIGHT_PER_MIN = LIMITS.rest_weight_per_min / 2
_FAST_POLL_S, _SLOW_POLL_S = 10.0, 30.0


def watched(table: InstrumentTable, product: str, watch: frozenset[str]) -> tuple[Instrument, ...]:
    """Instruments of a product whose asset is watched and whose quote is a dollar."""
    chosen = (
        i
        for i in table
        if i.product == product and i.asset in watch and not i.tradfi and i.quote in USD_QUOTES
    )
    return tuple(sorted(chosen, key=lambda instrument: instrument.symbol))


def sessions(name: str, url: str, topics: Iterable[str], control: str) -> tuple[Session, ...]:
    """As many sessions as these streams need, each with the control stream; none for none."""
    asked = list(topics)
    if not asked:
        return ()
    wanted = [topic for topic in asked if topic != control]
    size = STREAMS_A_SESSION - 1
    return tuple(
        Session(
            name=name if start == 0 else f"{name}-{start // size + 1}",
            url=url,
            topics=(control, *wanted[start : start + size]),
            control=control,
            quiet_s=QUIET_S,
            lifetime_s=LIFETIME_S,
        )
        for start in range(0, max(1, len(wanted)), size)
    )


def stream(instrument: Instrument, channel: str) -> str:
    """Name of an instrument's stream: "All symbols for streams are lowercase"."""
    return f"{instrument.symbol.lower()}@{channel}"


def subscribe(session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    """Client frames that subscribe to these streams."""
    return _requests("SUBSCRIBE", session, topics)


def unsubscribe(session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    """Client frames that drop these streams."""
    return _requests("UNSUBSCRIBE", session, topics)


def _requests(method: str, _session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(
        msgspec.json.encode(
            {
                "method": method,
                "params": topics[start : start + PARAMS_A_FRAME],
                "id": start // PARAMS_A_FRAME + 1,
            }
        )
        for start in range(0, len(topics), PARAMS_A_FRAME)
    )


def _plan(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    """Sessions by route: a stream asked for on another route is acknowledged and never sent."""
    usdm, coinm = watched(table, "usdm", watch), watched(table, "coinm", watch)
    books = ("bookTicker", "depth20@500ms")
    market, public = "wss://fstream.binance.com/market", "wss://fstream.binance.com/public"
    return (
        *sessions(
            "liquidations", f"{market}/stream", ("!forceOrder@arr",), "btcusdt@markPrice@1s"
        ),
        *sessions("market", f"{market}/stream", _flow(usdm), "btcusdt@markPrice@1s"),
        *sessions("public", f"{public}/stream", _books(usdm, books), "btcusdt@bookTicker"),
        *sessions(
            "coinm-market",
            "wss://dstream.binance.com/market/stream",
            _flow(coinm),
            "btcusd_perp@markPrice@1s",
        ),
        *sessions(
            "coinm-public",
            "wss://dstream.binance.com/public/stream",
            _books(coinm, books[:1]),
            "btcusd_perp@bookTicker",
        ),
    )


def _flow(instruments: Iterable[Instrument]) -> list[str]:
    """Trades and mark prices; of dated futures only the mark price."""
    return [
        stream(instrument, channel)
        for instrument in instruments
        for channel in ("aggTrade", "markPrice@1s")
        if instrument.perpetual or channel != "aggTrade"
    ]


def _books(instruments: Iterable[Instrument], channels: tuple[str, ...]) -> list[str]:
    return [stream(i, channel) for i in instruments if i.perpetual for channel in channels]


def _polls(table: InstrumentTable, watch: frozenset[str]) -> tuple[Poll, ...]:
    """Funding intervals, and the open interest of every watched contract.

    An asset's USDT perpetual holds most of its interest and is asked for more often. All
    periods stretch alike when a long watch list would eat up the budget.
    """
    contracts = (*watched(table, "usdm", watch), *watched(table, "coinm", watch))
    periods = [
        _FAST_POLL_S if i.perpetual and i.quote == "USDT" else _SLOW_POLL_S for i in contracts
    ]
    weight_per_min = sum(60.0 / period_s for period_s in periods)
    stretch = max(1.0, weight_per_min / _INTEREST_WEIGHT_PER_MIN)
    return (
        *(
            Poll("funding_intervals", product, f"{rest}/fundingInfo", HOUR_S)
            for product, rest in _REST.items()
        ),
        *(
            Poll(
                "open_interest",
                i.symbol,
                f"{_REST[i.product]}/openInterest?symbol={quote(i.symbol, safe='')}",
                period_s * stretch,
            )
            for i, period_s in zip(contracts, periods, strict=True)
        ),
    )


def _reader(session: str, table: InstrumentTable, _opened_ns: int) -> Reader:
    return BinanceReader("coinm" if session.startswith("coinm") else "usdm", table)


BINANCE = Venue(
    name=NAME,
    docs="https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams",
    products=("usdm", "coinm"),
    completeness=Completeness.ONE_PER_SECOND,
    limits=LIMITS,
    listings=tuple(
        Poll("instruments", product, f"{rest}/exchangeInfo", HOUR_S)
        for product, rest in _REST.items()
    ),
    plan=_plan,
    polls=_polls,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    reader=_reader,
    answer=futures_answer,
)
