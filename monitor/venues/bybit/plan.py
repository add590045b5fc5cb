"""Bybit v5: what to connect to and to ask for, and what is listed.

All contracts' liquidations take one topic a symbol, so they are spread over sessions within the
characters that one connection may subscribe. Market data has sessions of its own: a burst
there cannot delay a liquidation.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from monitor.events import Completeness, Event, Listing, Malformed, NotUsed, Unused
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable, Unit
from monitor.venues.bybit import messages as wire
from monitor.venues.bybit.reader import BybitReader
from monitor.venues.contract import Limits, Poll, Session, Venue
from monitor.venues.wire import asset_of, malformed, row_by_row

_SOCKET = "wss://stream.bybit.com/v5/public/"
_INSTRUMENTS = "https://api.bybit.com/v5/market/instruments-info?limit=1000&category="
# "args of one connection <= 21,000 characters in total"; quotes and commas are counted too.
_TOPIC_CHARACTERS = 20_000
_MOST_DETAIL = 200

_TRADFI = frozenset({"stock", "forex", "commodity", "etf", "xstocks", "mstocks"})


def _sessions(product: str, name: str, topics: Iterable[str], control: str) -> Iterator[Session]:
    """As many sessions as the topics need, each with the control topic."""
    batches: list[list[str]] = [[control]]
    room = _TOPIC_CHARACTERS - len(control) - 3
    for topic in topics:
        if topic == control:
            continue
        if room < len(topic) + 3:
            batches.append([control])
            room = _TOPIC_CHARACTERS - len(control) - 3
        batches[-1].append(topic)
        room -= len(topic) + 3
    for number, batch in enumerate(batches, 1):
        yield Session(
            name=f"{name}-{number}",
            url=_SOCKET + product,
            topics=tuple(batch),
            control=control,
            quiet_s=30.0,
            ping=b'{"op":"ping"}',
            ping_interval_s=20.0,
        )


def _watched(table: InstrumentTable, product: str, watch: frozenset[str]) -> list[Instrument]:
    found = [
        instrument
        for instrument in table
        if instrument.product == product
        and instrument.asset in watch
        and instrument.quote in USD_QUOTES
        and not instrument.tradfi
    ]
    return sorted(found, key=lambda instrument: instrument.symbol)


def _control(symbols: Sequence[str], *preferred: str) -> str:
    return next((symbol for symbol in preferred if symbol in symbols), symbols[0])


def _plan(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    """Liquidations of every contract, and market data of the watched ones apart from them."""
    sessions: list[Session] = []
    for product in ("linear", "inverse"):
        listed = sorted(
            (i for i in table if i.product == product and not i.tradfi), key=lambda i: i.symbol
        )
        if not listed:
            continue
        symbols = [i.symbol for i in listed]
        perpetual = [i.symbol for i in listed if i.perpetual] or symbols
        control = f"tickers.{_control(perpetual, 'BTCUSDT', 'BTCUSD')}"
        liquidations = [f"allLiquidation.{symbol}" for symbol in symbols]
        sessions += _sessions(product, product, liquidations, control)
        topics: list[str] = []
        for instrument in _watched(table, product, watch):
            kinds = ["tickers"]
            if instrument.perpetual:
                kinds += ["publicTrade", "orderbook.1"]
                if product == "linear":
                    kinds.append("orderbook.50")
            topics += [f"{kind}.{instrument.symbol}" for kind in kinds]
        if topics:
            sessions += _sessions(product, f"{product}-market", topics, control)
    return tuple(sessions)


def _plan_spot(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    """Trades and book tops of the watched pairs."""
    symbols = [instrument.symbol for instrument in _watched(table, "spot", watch)]
    if not symbols:
        return ()
    topics = [f"{kind}.{symbol}" for symbol in symbols for kind in ("publicTrade", "orderbook.1")]
    control = f"orderbook.1.{_control(symbols, 'BTCUSDT', 'BTCUSDC')}"
    return tuple(_sessions("spot", "spot", topics, control))


def _requests(op: str, most: int, _session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    """Client frames with at most `most` topics each."""
    return tuple(
        msgspec.json.encode({"op": op, "args": topics[start : start + most]})
        for start in range(0, len(topics), most)
    )


def _no_polls(_table: InstrumentTable, _watch: frozenset[str]) -> tuple[Poll, ...]:
    """Nothing: the tickers carry open interest."""
    return ()


def _answer(
    poll: str, key: str, body: bytes, received_ns: int, table: InstrumentTable
) -> Sequence[Event]:
    """The listing of a product, and what in it could not be read."""
    if poll != "instruments":
        return (NotUsed(Unused.OTHER, f"expected the poll instruments, was {poll}"),)
    try:
        answer = wire.LISTED_ANSWER.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return (malformed(error),)
    if answer.ret_code != 0:
        return (NotUsed(Unused.REFUSED, answer.ret_msg[:_MOST_DETAIL]),)
    listed: list[Instrument] = []
    events: list[Event] = []
    for row in row_by_row(answer.result.rows, wire.LISTED):
        if isinstance(row, Malformed):
            events.append(row)
        elif not (row.symbol and row.base_coin and row.quote_coin):
            events.append(Malformed("bad value", f"expected two coins of {row.symbol[:40]}"))
        elif row.status == "Trading":
            listed.append(_instrument(table.venue, key, row))
    if answer.result.next_page_cursor:
        events.append(NotUsed(Unused.OTHER, "listing truncated: a further page was announced"))
    if not listed:
        # An empty listing would make every instrument unknown; no venue lists nothing.
        return (*events, NotUsed(Unused.OTHER, "listing without instruments"))
    return (Listing(table.venue, key, received_ns, tuple(listed)), *events)


def _instrument(venue: str, product: str, row: wire.ListedRow) -> Instrument:
    asset, multiplier = asset_of(row.base_coin)
    return Instrument(
        venue=venue,
        product=product,
        symbol=row.symbol,
        asset=asset,
        quote=row.quote_coin,
        settle=row.settle_coin or row.quote_coin,
        unit=Unit.QUOTE if product == "inverse" else Unit.BASE,
        multiplier=multiplier,
        perpetual=row.contract_type.endswith("Perpetual"),
        funding_interval_s=row.funding_interval * 60,
        tradfi=row.symbol_type.lower() in _TRADFI,
    )


def _reader(session: str, table: InstrumentTable, _opened_ns: int) -> BybitReader:
    """Bybit replays nothing on subscribe, so the time of opening does not matter."""
    return BybitReader("inverse" if session.startswith("inverse") else "linear", table)


def _spot_reader(_session: str, table: InstrumentTable, _opened_ns: int) -> BybitReader:
    return BybitReader("spot", table)


def _listings(*products: str) -> tuple[Poll, ...]:
    return tuple(
        Poll("instruments", product, _INSTRUMENTS + product, 3600.0) for product in products
    )


# "500 connections per 5 minutes"; 600 requests in 5 seconds. No rate of client frames is
# stated; ten a second is far above what the plan needs.
_LIMITS = Limits(connects_per_5min=500, frames_per_s=10.0, rest_weight_per_min=7_200)

# "No args limit for Futures"; 200 keep a frame below 8 KB.
BYBIT = Venue(
    name="bybit",
    docs="https://bybit-exchange.github.io/docs/v5/websocket/public/all-liquidation",
    products=("linear", "inverse"),
    completeness=Completeness.FULL,
    limits=_LIMITS,
    listings=_listings("linear", "inverse"),
    plan=_plan,
    polls=_no_polls,
    subscribe=partial(_requests, "subscribe", 200),
    unsubscribe=partial(_requests, "unsubscribe", 200),
    reader=_reader,
    answer=_answer,
)

# "Spot can input up to 10 args for each subscription request."
BYBIT_SPOT = Venue(
    name="bybit_spot",
    docs="https://bybit-exchange.github.io/docs/v5/websocket/public/trade",
    products=("spot",),
    completeness=Completeness.NONE,
    limits=_LIMITS,
    listings=_listings("spot"),
    plan=_plan_spot,
    polls=_no_polls,
    subscribe=partial(_requests, "subscribe", 10),
    unsubscribe=partial(_requests, "unsubscribe", 10),
    reader=_spot_reader,
    answer=_answer,
)
