"""BitMEX: inverse, linear and quanto contracts on one socket, liquidations of all of them.

The size of a contract is the vendor's own rule: "for inverse contracts
Multiplier/underlyingToSettleMultiplier, for linear contracts 1/underlyingToPositionMultiplier"
(https://support.bitmex.com/hc/en-gb/articles/16797952159261). A quanto contract pays in another
currency than it is about, so its quantity is neither coins nor dollars.
"""

from collections.abc import Sequence

import msgspec

from monitor.events import Completeness, Event, Listing, Malformed, NotUsed, Unused
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable, Unit
from monitor.venues.bitmex.messages import Stamp
from monitor.venues.bitmex.reader import NAME, PRODUCT, BitmexReader, interval_s
from monitor.venues.contract import Limits, Poll, Reader, Session, Venue
from monitor.venues.wire import DamagedValue, asset_of, malformed, positive, row_by_row

_SOCKET = "wss://ws.bitmex.com/realtime"
_LISTING = "https://www.bitmex.com/api/v1/instrument/active"
# Funding, mark and open interest of it change every few seconds.
_CONTROL = "instrument:XBTUSD"
_ARGS_A_FRAME = 20
_HOUR_S = 3600.0

# "The instrument type is specified by the `typ` param" (https://www.bitmex.com/api/explorer/):
# perpetuals on coins, on currencies, on stocks; futures. Spot, options and indices are not read.
_PERPETUAL = frozenset({"FFWCSX", "FFWCSF", "FFSCSX"})
_TRADFI = frozenset({"FFWCSF", "FFSCSX"})
_CONTRACTS = _PERPETUAL | {"FFCCSX"}
# Amounts settle in the smallest unit of a currency, which has a name of its own.
_SETTLE = {"XBt": "BTC", "USDt": "USDT", "Gwei": "ETH", "LAMp": "SOL"}


class ListedRow(msgspec.Struct, gc=False, rename="camel"):
    """An instrument as listed.

    {"symbol":"XBTUSD","state":"Open","typ":"FFWCSX","underlying":"XBT","quoteCurrency":"USD",
    "multiplier":-100000000,"settlCurrency":"XBt","underlyingToSettleMultiplier":-100000000,
    "isQuanto":false,"isInverse":true,"fundingInterval":"2000-01-01T08:00:00.000Z"}
    https://support.bitmex.com/hc/en-gb/articles/6206354894365--instrument-Field-Definitions
    """

    symbol: str
    typ: str
    state: str
    underlying: str = ""
    quote_currency: str = ""
    settl_currency: str | None = None
    is_inverse: bool = False
    is_quanto: bool = False
    multiplier: float | None = None
    underlying_to_position_multiplier: float | None = None
    underlying_to_settle_multiplier: float | None = None
    funding_interval: Stamp | None = None


class RefusedAnswer(msgspec.Struct):
    """{"error":{"message":"Rate limit exceeded, retry in 1 seconds.","name":"RateLimitError"}}."""

    error: dict[str, str]


_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_LISTED = msgspec.json.Decoder(ListedRow)
_REFUSED = msgspec.json.Decoder(RefusedAnswer)


def _answer(
    _poll: str, _key: str, body: bytes, received_ns: int, _table: InstrumentTable
) -> Sequence[Event]:
    events: list[Event] = []
    listed: list[Instrument] = []
    try:
        for row in row_by_row(_ROWS.decode(body), _LISTED):
            try:
                if isinstance(row, Malformed):
                    events.append(row)
                elif row.typ in _CONTRACTS and row.state == "Open":
                    listed.append(_instrument(row))
            except DamagedValue as error:
                events.append(malformed(error))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return (_refusal(body) or malformed(error),)
    if not listed:  # an empty answer does not take every contract off the list
        events.append(Malformed("bad value", "expected open contracts, was none"))
        return events
    return [*events, Listing(NAME, PRODUCT, received_ns, tuple(listed))]


def _refusal(body: bytes) -> NotUsed | None:
    try:
        error = _REFUSED.decode(body).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return NotUsed(Unused.REFUSED, error.get("message", "")[:200])


def _instrument(row: ListedRow) -> Instrument:
    asset, multiplier = asset_of(row.underlying)
    unit, size = _unit(row)
    settle = row.settl_currency or ""
    return Instrument(
        NAME,
        PRODUCT,
        row.symbol,
        asset=asset,
        quote=asset_of(row.quote_currency)[0],
        settle=_SETTLE.get(settle, settle),
        unit=unit,
        contract_size=size,
        multiplier=multiplier,
        perpetual=row.typ in _PERPETUAL,
        funding_interval_s=0 if row.funding_interval is None else interval_s(row.funding_interval),
        tradfi=row.typ in _TRADFI,
    )


def _unit(row: ListedRow) -> tuple[Unit, float]:
    if row.is_inverse and row.multiplier and row.underlying_to_settle_multiplier:
        size = row.multiplier / row.underlying_to_settle_multiplier
        return Unit.QUOTE, positive(size, "contract size")
    if not row.is_inverse and not row.is_quanto and row.underlying_to_position_multiplier:
        size = 1.0 / row.underlying_to_position_multiplier
        return Unit.BASE, positive(size, "contract size")
    return Unit.UNKNOWN, 1.0


def _plan(table: InstrumentTable, watched: frozenset[str]) -> tuple[Session, ...]:
    contracts = sorted(
        i.symbol for i in table if i.asset in watched and i.quote in USD_QUOTES and not i.tradfi
    )
    topics = ["liquidation", _CONTROL]
    for symbol in contracts:
        topics += [f"instrument:{symbol}", f"trade:{symbol}", f"quote:{symbol}"]
    return (
        Session(
            name="realtime",
            url=_SOCKET,
            topics=tuple(dict.fromkeys(topics)),
            control=_CONTROL,
            ping=b"ping",
            ping_interval_s=5.0,
        ),
    )


def _polls(_table: InstrumentTable, _watched: frozenset[str]) -> tuple[Poll, ...]:
    return ()


def _frames(operation: str, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(
        msgspec.json.encode({"op": operation, "args": topics[at : at + _ARGS_A_FRAME]})
        for at in range(0, len(topics), _ARGS_A_FRAME)
    )


def _subscribe(_session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    return _frames("subscribe", topics)


def _unsubscribe(_session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    return _frames("unsubscribe", topics)


def _reader(_session: str, table: InstrumentTable, _opened_ns: int) -> Reader:
    return BitmexReader(table)


BITMEX = Venue(
    name=NAME,
    docs="https://www.bitmex.com/app/wsAPI",
    products=(PRODUCT,),
    completeness=Completeness.FULL,
    # The welcome counts connections down from 40 an hour (2021) and 720 an hour (2024);
    # REST without a key: 30 requests a minute.
    limits=Limits(connects_per_5min=10, frames_per_s=2.0, rest_weight_per_min=30),
    listings=(Poll("instruments", PRODUCT, _LISTING, _HOUR_S),),
    plan=_plan,
    polls=_polls,
    subscribe=_subscribe,
    unsubscribe=_unsubscribe,
    reader=_reader,
    answer=_answer,
)
