"""OKX v5: what to connect to and to ask for, and what is listed.

Two topics carry the liquidations of all contracts; they have a connection of their own, so a
burst of market data cannot delay them. Our topics are "channel:instId", with the type of
instrument in place of the id for liquidations ("liquidation-orders:SWAP").
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import msgspec

from monitor.events import Completeness, Event, Listing, Malformed, NotUsed, Unused
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable, Unit
from monitor.venues.contract import Limits, Poll, Session, Venue
from monitor.venues.okx import messages as wire
from monitor.venues.okx.reader import OkxReader, index_pair
from monitor.venues.wire import DamagedValue, asset_of, malformed, positive, row_by_row

_SOCKET = "wss://ws.okx.com:8443/ws/v5/public"
_INSTRUMENTS = "https://openapi.okx.com/api/v5/public/instruments?instType="
# "The total length of multiple channels cannot exceed 64 KB."
_CHANNEL_CHARACTERS = 60_000
_REQUEST_TOPICS = 200
_MOST_DETAIL = 200
# Contracts of a new listing take post-only orders before they trade.
_TRADABLE = frozenset({"live", "post_only"})
_CRYPTO = frozenset({"", "1"})


def _arg(topic: str) -> dict[str, str]:
    channel, _, of = topic.partition(":")
    return {"channel": channel, "instType" if channel == "liquidation-orders" else "instId": of}


def _session(name: str, topics: Sequence[str], control: str) -> Session:
    return Session(
        name=name,
        url=_SOCKET,
        topics=tuple(topics),
        control=control,
        # A mark price comes each 10 s though nothing changes.
        quiet_s=40.0,
        ping=b"ping",
        ping_interval_s=20.0,
    )


def _sessions(topics: Iterable[str], control: str) -> Iterator[Session]:
    """As many sessions as the topics need, each with the control topic."""
    batches: list[list[str]] = []
    room = 0
    for topic in topics:
        size = len(msgspec.json.encode(_arg(topic))) + 1
        if room < size:
            batches.append([control])
            room = _CHANNEL_CHARACTERS - len(msgspec.json.encode(_arg(control))) - 1
        if topic != control:
            batches[-1].append(topic)
            room -= size
    for number, batch in enumerate(batches, 1):
        yield _session(f"market-{number}", batch, control)


def _watched(table: InstrumentTable, product: str, watch: frozenset[str]) -> list[Instrument]:
    found = (
        instrument
        for instrument in table
        if instrument.product == product
        and instrument.asset in watch
        and instrument.quote in USD_QUOTES
        and not instrument.tradfi
    )
    return sorted(found, key=lambda instrument: instrument.symbol)


def _plan(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    """Liquidations of every contract, and market data of the watched ones apart from them."""
    swaps = sorted(i.symbol for i in table if i.product == "swap" and not i.tradfi)
    if not swaps:
        return ()
    first = "BTC-USDT-SWAP" if "BTC-USDT-SWAP" in swaps else swaps[0]
    control = f"mark-price:{first}"
    liquidations = (control, "liquidation-orders:SWAP", "liquidation-orders:FUTURES")
    topics: dict[str, None] = {}
    for product, channels in (
        ("swap", ("mark-price", "open-interest", "funding-rate", "trades", "bbo-tbt", "books5")),
        ("futures", ("mark-price", "open-interest")),
    ):
        for instrument in _watched(table, product, watch):
            topics[f"index-tickers:{index_pair(instrument.symbol)}"] = None
            topics.update((f"{channel}:{instrument.symbol}", None) for channel in channels)
    return (_session("liquidations", liquidations, control), *_sessions(topics, control))


def _plan_spot(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    """Trades and book tops of the watched pairs."""
    symbols = [instrument.symbol for instrument in _watched(table, "spot", watch)]
    if not symbols:
        return ()
    first = "BTC-USDT" if "BTC-USDT" in symbols else symbols[0]
    topics = [f"{channel}:{symbol}" for symbol in symbols for channel in ("bbo-tbt", "trades")]
    return tuple(_sessions(topics, f"bbo-tbt:{first}"))


def _requests(op: str, _session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    """Client frames that ask for these topics."""
    return tuple(
        msgspec.json.encode({"op": op, "args": [_arg(topic) for topic in batch]})
        for start in range(0, len(topics), _REQUEST_TOPICS)
        if (batch := topics[start : start + _REQUEST_TOPICS])
    )


def _no_polls(_table: InstrumentTable, _watch: frozenset[str]) -> tuple[Poll, ...]:
    """Nothing: a channel carries open interest."""
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
    if answer.code != "0":
        return (NotUsed(Unused.REFUSED, f"{answer.code} {answer.msg}"[:_MOST_DETAIL]),)
    listed: list[Instrument] = []
    events: list[Event] = []
    for row in row_by_row(answer.data, wire.LISTED):
        if isinstance(row, Malformed):
            events.append(row)
        elif row.state in _TRADABLE:
            try:
                listed.append(_instrument(table.venue, key, row))
            except ValueError as error:
                events.append(malformed(error))
    if not listed:
        # An empty listing would make every instrument unknown; no venue lists nothing.
        return (*events, NotUsed(Unused.OTHER, "listing without instruments"))
    return (Listing(table.venue, key, received_ns, tuple(listed)), *events)


def _instrument(venue: str, product: str, row: wire.ListedRow) -> Instrument:
    """An instrument of the listing.

    Raises:
        ValueError: It names no pair, or a contract states no size.
    """
    underlying = row.uly or index_pair(row.inst_id)
    base, _, quote = underlying.partition("-")
    base, quote = row.base_ccy or base, row.quote_ccy or quote
    if not (row.inst_id and base and quote):
        raise DamagedValue(f"expected two coins of {row.inst_id[:40]!r}")
    unit, contract_size = Unit.BASE, 1.0
    if product != "spot":
        contract_size = positive(float(row.ct_val), "ctVal") * positive(
            float(row.ct_mult or 1.0), "ctMult"
        )
        if row.ct_val_ccy != base:
            inverse = row.ct_type == "inverse" and row.ct_val_ccy == quote
            unit = Unit.QUOTE if inverse else Unit.UNKNOWN
    asset, multiplier = asset_of(base)
    return Instrument(
        venue=venue,
        product=product,
        symbol=row.inst_id,
        asset=asset,
        quote=quote,
        settle=row.settle_ccy or quote,
        unit=unit,
        contract_size=contract_size,
        multiplier=multiplier,
        perpetual=product == "swap",
        tradfi=row.inst_category not in _CRYPTO,
    )


def _reader(_session: str, table: InstrumentTable, opened_ns: int) -> OkxReader:
    return OkxReader(table, opened_ns)


def _listings(*products: str) -> tuple[Poll, ...]:
    return tuple(
        Poll("instruments", product, _INSTRUMENTS + product.upper(), 3600.0)
        for product in products
    )


# "Connection limit: 3 requests per second (based on IP)"; instruments 20 requests in 2 s.
# "480 requests of subscribe, unsubscribe and login per hour" on one connection.
_LIMITS = Limits(connects_per_5min=900, frames_per_s=2.0, rest_weight_per_min=600)

OKX = Venue(
    name="okx",
    docs="https://www.okx.com/docs-v5/en/#public-data-websocket-liquidation-orders-channel",
    products=("swap", "futures"),
    completeness=Completeness.ONE_PER_SECOND,
    limits=_LIMITS,
    listings=_listings("swap", "futures"),
    plan=_plan,
    polls=_no_polls,
    subscribe=partial(_requests, "subscribe"),
    unsubscribe=partial(_requests, "unsubscribe"),
    reader=_reader,
    answer=_answer,
)

OKX_SPOT = Venue(
    name="okx_spot",
    docs="https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-trades-channel",
    products=("spot",),
    completeness=Completeness.NONE,
    limits=_LIMITS,
    listings=_listings("spot"),
    plan=_plan_spot,
    polls=_no_polls,
    subscribe=partial(_requests, "subscribe"),
    unsubscribe=partial(_requests, "unsubscribe"),
    reader=_reader,
    answer=_answer,
)
