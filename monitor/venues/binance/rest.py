"""What Binance says over REST: listings, funding intervals, open interest of futures."""

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec

from monitor.events import Event, Listing, Malformed, NotUsed, Unused
from monitor.instruments import Instrument, InstrumentTable, Unit
from monitor.venues.binance.messages import Amount
from monitor.venues.binance.reader import DAMAGED, damage, decoder, open_interest, refusal_in
from monitor.venues.wire import asset_of

TRADING = "TRADING"
_HOUR_S = 3600
# fundingInfo lists "symbols that had FundingRateCap / FundingRateFloor / fundingIntervalHours
# adjustment"; every other perpetual is funded each 8 hours.
_USUAL_FUNDING_H = 8
_COINS = frozenset({"COIN", "PREMARKET"})
_PERPETUAL = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})
R = TypeVar("R")


class UsdmRow(msgspec.Struct, rename="camel"):
    """A contract of `GET /fapi/v1/exchangeInfo`.

    `{"symbol":"BLZUSDT","contractType":"PERPETUAL","status":"TRADING","baseAsset":"BLZ",
    "quoteAsset":"USDT","marginAsset":"USDT","underlyingType":"COIN"}`; stocks and metals are
    TRADIFI_PERPETUAL.
    https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Exchange-Information
    """

    symbol: str
    contract_type: str
    status: str
    base_asset: str
    quote_asset: str
    margin_asset: str
    underlying_type: str = "COIN"


class CoinmRow(msgspec.Struct, rename="camel"):
    """A contract of `GET /dapi/v1/exchangeInfo`, worth `contractSize` dollars.

    `{"symbol":"BTCUSD_200925","contractType":"CURRENT_QUARTER","contractStatus":"TRADING",
    "contractSize":100,"baseAsset":"BTC","quoteAsset":"USD","marginAsset":"BTC"}`
    https://developers.binance.com/docs/derivatives/coin-margined-futures/market-data/rest-api/Exchange-Information
    """

    symbol: str
    contract_type: str
    contract_status: str
    contract_size: Amount
    base_asset: str
    quote_asset: str
    margin_asset: str


class FundingRow(msgspec.Struct, rename="camel"):
    """A perpetual whose funding was adjusted, of `GET /fapi/v1/fundingInfo`.

    `[{"symbol":"BLZUSDT","adjustedFundingRateCap":"0.02500000","fundingIntervalHours":8}]`
    https://developers.binance.com/docs/derivatives/usds-margined-futures/market-data/rest-api/Get-Funding-Rate-Info
    """

    symbol: str
    funding_interval_hours: Annotated[int, msgspec.Meta(ge=1, le=24)]


class ListingBody(msgspec.Struct):
    """`GET exchangeInfo` of any product: rows are read one by one, so one may be damaged."""

    symbols: list[msgspec.Raw]


_read_body = decoder(ListingBody)
_read_funding = decoder(list[FundingRow])
_read_usdm = decoder(UsdmRow)
_read_coinm = decoder(CoinmRow)


def listing(
    body: bytes,
    row_of: Callable[[msgspec.Raw], R],
    instrument_of: Callable[[R], Instrument | None],
    received_ns: int,
) -> tuple[Event, ...]:
    """Events of an exchangeInfo body: one listing, and what was damaged in it.

    A body without a tradable instrument makes no listing: it would wipe out the one before.

    Raises:
        msgspec.DecodeError: The body is not a listing at all.
    """
    damaged: list[Event] = []
    listed: list[Instrument] = []
    for raw in _read_body(body).symbols:
        try:
            instrument = instrument_of(row_of(raw))
        except DAMAGED as error:
            damaged.append(damage(error))
        else:
            if instrument is not None:
                listed.append(instrument)
    if not listed:
        return (*damaged, Malformed("bad value", "expected instruments, was an empty listing"))
    first = listed[0]
    return (*damaged, Listing(first.venue, first.product, received_ns, tuple(listed)))


def futures_answer(
    poll: str, key: str, body: bytes, received_ns: int, table: InstrumentTable
) -> Sequence[Event]:
    """Events of a REST answer of USD-M or COIN-M; never raises."""
    try:
        if (refused := refusal_in(body)) is not None:
            return (refused,)
        if poll == "open_interest":
            return open_interest(body, received_ns, table, "usdm")
        if poll == "funding_intervals":
            return _funded(key, body, received_ns, table)
        if key == "coinm":
            return listing(body, _read_coinm, lambda row: _coinm(row, table), received_ns)
        return listing(body, _read_usdm, lambda row: _usdm(row, table), received_ns)
    except DAMAGED as error:
        return (damage(error),)


def _funded(
    product: str, body: bytes, received_ns: int, table: InstrumentTable
) -> Sequence[Event]:
    """The listing as it is, with its funding intervals."""
    hours = {row.symbol: row.funding_interval_hours for row in _read_funding(body)}
    listed = tuple(
        msgspec.structs.replace(
            i, funding_interval_s=hours.get(i.symbol, _USUAL_FUNDING_H) * _HOUR_S
        )
        if i.perpetual
        else i
        for i in table
        if i.product == product
    )
    if not listed:
        return (NotUsed(Unused.OTHER, "funding intervals before the listing"),)
    return (Listing(table.venue, product, received_ns, listed),)


def _usdm(row: UsdmRow, table: InstrumentTable) -> Instrument | None:
    if row.status != TRADING:
        return None
    asset, multiplier = asset_of(row.base_asset)
    return Instrument(
        venue=table.venue,
        product="usdm",
        symbol=row.symbol,
        asset=asset,
        quote=row.quote_asset,
        settle=row.margin_asset,
        unit=Unit.BASE,
        multiplier=multiplier,
        perpetual=row.contract_type in _PERPETUAL,
        funding_interval_s=_known_interval_s(row.symbol, table),
        tradfi=row.contract_type == "TRADIFI_PERPETUAL" or row.underlying_type not in _COINS,
    )


def _coinm(row: CoinmRow, table: InstrumentTable) -> Instrument | None:
    if row.contract_status != TRADING:
        return None
    asset, multiplier = asset_of(row.base_asset)
    return Instrument(
        venue=table.venue,
        product="coinm",
        symbol=row.symbol,
        asset=asset,
        quote=row.quote_asset,
        settle=row.margin_asset,
        unit=Unit.QUOTE,
        contract_size=row.contract_size,
        multiplier=multiplier,
        perpetual=row.contract_type in _PERPETUAL,
        funding_interval_s=_known_interval_s(row.symbol, table),
    )


def _known_interval_s(symbol: str, table: InstrumentTable) -> int:
    """What fundingInfo said before; 0, not known, until it has spoken."""
    known = table.get(symbol)
    return known.funding_interval_s if known is not None else 0
