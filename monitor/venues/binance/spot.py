"""Binance spot: trades and books, the price against which futures are held. No liquidations.

The market-data host is used, which needs no key and carries nothing else.
https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from collections.abc import Sequence

import msgspec

from monitor.events import Completeness, Event
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues.binance.plan import (
    HOUR_S,
    sessions,
    stream,
    subscribe,
    unsubscribe,
    watched,
)
from monitor.venues.binance.reader import (
    DAMAGED,
    BinanceSpotReader,
    damage,
    decoder,
    refusal_in,
)
from monitor.venues.binance.rest import TRADING, listing
from monitor.venues.contract import Limits, Poll, Reader, Session, Venue
from monitor.venues.wire import asset_of

NAME = "binance_spot"
_CHANNELS = ("aggTrade", "bookTicker", "depth20@1000ms")


class SpotRow(msgspec.Struct, rename="camel"):
    """A pair of `GET /api/v3/exchangeInfo`.

    `{"symbol":"ETHBTC","status":"TRADING","baseAsset":"ETH","quoteAsset":"BTC"}`
    https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints
    """

    symbol: str
    status: str
    base_asset: str
    quote_asset: str


_read_row = decoder(SpotRow)


def _plan(table: InstrumentTable, watch: frozenset[str]) -> tuple[Session, ...]:
    topics = (
        stream(pair, channel) for pair in watched(table, "spot", watch) for channel in _CHANNELS
    )
    url = "wss://data-stream.binance.vision/stream"
    return sessions("spot", url, topics, "btcusdt@bookTicker")


def _polls(_table: InstrumentTable, _watch: frozenset[str]) -> tuple[Poll, ...]:
    return ()


def _reader(_session: str, table: InstrumentTable, _opened_ns: int) -> Reader:
    return BinanceSpotReader("spot", table)


def _answer(
    _poll: str, _key: str, body: bytes, received_ns: int, _table: InstrumentTable
) -> Sequence[Event]:
    """Events of a REST answer; never raises."""
    try:
        if (refused := refusal_in(body)) is not None:
            return (refused,)
        return listing(body, _read_row, _pair, received_ns)
    except DAMAGED as error:
        return (damage(error),)


def _pair(row: SpotRow) -> Instrument | None:
    if row.status != TRADING:
        return None
    asset, multiplier = asset_of(row.base_asset)
    return Instrument(
        venue=NAME,
        product="spot",
        symbol=row.symbol,
        asset=asset,
        quote=row.quote_asset,
        settle=row.quote_asset,
        unit=Unit.BASE,
        multiplier=multiplier,
    )


BINANCE_SPOT = Venue(
    name=NAME,
    docs="https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams",
    products=("spot",),
    completeness=Completeness.NONE,
    # "5 incoming messages per second"; REST has 6000 weight a minute, exchangeInfo costs 20.
    limits=Limits(connects_per_5min=300, frames_per_s=5.0, rest_weight_per_min=6000),
    listings=(
        Poll(
            "instruments",
            "spot",
            "https://data-api.binance.vision/api/v3/exchangeInfo"
            "?permissions=SPOT&showPermissionSets=false&symbolStatus=TRADING",
            HOUR_S,
            weight=20,
        ),
    ),
    plan=_plan,
    polls=_polls,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    reader=_reader,
    answer=_answer,
)
