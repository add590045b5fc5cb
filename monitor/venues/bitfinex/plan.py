"""Bitfinex: derivatives and the margin pairs beside them, liquidations of all on one channel.

A connection holds at most 25 channels ("You can subscribe to 25 channels at the same time on the
same connection", https://docs.bitfinex.com/docs/ws-public), so a watch list takes several. The
liquidations share theirs with the derivatives' status, which flows always and prices them. Its
ticker sums 25 levels in a size, so the best bid and ask are read from a book of length 1.

Names are Bitfinex's own (UST is USDT, BTCF0 the BTC of a derivative) and its configuration maps
them; a pair is BASE:QUOTE, or three letters and three.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from monitor.events import Completeness, Event, Listing, Malformed, NotUsed, Unused
from monitor.instruments import USD_QUOTES, Instrument, InstrumentTable, Unit
from monitor.venues.bitfinex.reader import (
    DERIVATIVE,
    DERIVATIVES,
    FUNDING_INTERVAL_S,
    LIQUIDATIONS,
    NAME,
    SPOT,
    BitfinexReader,
)
from monitor.venues.contract import Limits, Poll, Reader, Session, Venue
from monitor.venues.wire import asset_of, malformed

_SOCKET = "wss://api-pub.bitfinex.com/ws/2"
_CONF = "https://api-pub.bitfinex.com/v2/conf/"
_NAMES = ",pub:map:currency:sym,pub:map:currency:undl"
_CONTROL_SYMBOL = "tBTCF0:USTF0"
_CHANNELS_A_SESSION = 25
_HOUR_S = 3600.0
# Trades and tops of a thin pair may rest for minutes; a heartbeat is no data.
_THIN_QUIET_S = 600.0

# Derivatives on currencies, metals and stock indices ("GERMANY40IX"); the rest are coins.
_TRADFI = frozenset({"EUR", "GBP", "JPY", "CHF", "XAU", "XAUT", "XAG", "USO", "OIL"})

_ANSWER = msgspec.json.Decoder(
    tuple[list[msgspec.Raw], list[tuple[str, str]], list[tuple[str, str]]]
)
_PAIR = msgspec.json.Decoder(str)
# ["error",11010,"ratelimit: error"]
_REFUSED = msgspec.json.Decoder(tuple[Literal["error"], int, str])


def _answer(
    _poll: str, key: str, body: bytes, received_ns: int, _table: InstrumentTable
) -> Sequence[Event]:
    try:
        pairs, names, underlyings = _ANSWER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return (_refusal(body) or malformed(error),)
    renamed, underlying = dict(names), dict(underlyings)
    events: list[Event] = []
    listed: list[Instrument] = []
    for raw in pairs:
        try:
            pair = _PAIR.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            events.append(malformed(error))
            continue
        base, _, quote = pair.partition(":") if ":" in pair else (pair[:3], "", pair[3:])
        if not base or not quote:
            events.append(Malformed("bad value", f"expected a pair, was {pair}"[:200]))
        elif not base.startswith("TEST"):
            coin = _currency(base, renamed, underlying)
            money = _currency(quote, renamed, underlying)
            listed.append(_instrument(key, pair, coin, money))
    if not listed:  # an empty answer does not take every pair off the list
        events.append(Malformed("bad value", "expected pairs, was none"))
        return events
    return [*events, Listing(NAME, key, received_ns, tuple(listed))]


def _refusal(body: bytes) -> NotUsed | None:
    try:
        _, code, message = _REFUSED.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return NotUsed(Unused.REFUSED, f"{code} {message}"[:200])


def _currency(name: str, renamed: dict[str, str], underlying: dict[str, str]) -> str:
    """What everyone else calls it: USTF0 -> UST -> USDt -> USDT."""
    bare = underlying.get(name, name.removesuffix("F0"))
    return renamed.get(bare, bare).upper()


def _instrument(product: str, pair: str, coin: str, money: str) -> Instrument:
    asset, multiplier = asset_of(coin)
    derivative = product == DERIVATIVES
    return Instrument(
        NAME,
        product,
        f"t{pair}",
        asset=asset,
        quote=money,
        settle=money,
        unit=Unit.BASE,
        multiplier=multiplier,
        perpetual=derivative,
        funding_interval_s=FUNDING_INTERVAL_S if derivative else 0,
        tradfi=asset in _TRADFI or (derivative and asset.endswith("IX")),
    )


def _plan(table: InstrumentTable, watched: frozenset[str]) -> tuple[Session, ...]:
    followed = sorted(
        (i for i in table if i.asset in watched and i.quote in USD_QUOTES and not i.tradfi),
        key=lambda instrument: (instrument.product, instrument.symbol),
    )
    statuses = [f"{DERIVATIVE}{i.symbol}" for i in followed if i.product == DERIVATIVES]
    if table.get(_CONTROL_SYMBOL) is not None:
        statuses.insert(0, f"{DERIVATIVE}{_CONTROL_SYMBOL}")
    market = [f"{channel}:{i.symbol}" for i in followed for channel in ("trades", "book")]
    return (
        *_sessions("status", [LIQUIDATIONS, *dict.fromkeys(statuses)]),
        *_sessions("market", market),
    )


def _sessions(name: str, topics: Iterable[str]) -> Iterable[Session]:
    rest = iter(topics)
    for number in itertools.count(1):
        held = tuple(itertools.islice(rest, _CHANNELS_A_SESSION))
        if not held:
            return
        control = next((topic for topic in held if topic.startswith(DERIVATIVE)), "")
        yield Session(
            name=f"{name}-{number}",
            url=_SOCKET,
            topics=held,
            control=control,
            quiet_s=60.0 if control else _THIN_QUIET_S,
        )


def _polls(_table: InstrumentTable, _watched: frozenset[str]) -> tuple[Poll, ...]:
    return ()


def _subscribe(_session: Session, topics: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(msgspec.json.encode(_request(*topic.split(":", 1))) for topic in topics)


def _request(channel: str, what: str) -> dict[str, str]:
    request = {"event": "subscribe", "channel": channel}
    match channel:
        case "status":
            return request | {"key": what}
        case "book":
            return request | {"symbol": what, "prec": "P0", "freq": "F0", "len": "1"}
        case _:
            return request | {"symbol": what}


def _unsubscribe(_session: Session, _topics: tuple[str, ...]) -> tuple[bytes, ...]:
    """Nothing: a channel is dropped by its id only, which is the connection's own.

    A dropped topic goes on until the connection ends, and is not asked for again.
    """
    return ()


def _reader(_session: str, table: InstrumentTable, _opened_ns: int) -> Reader:
    return BitfinexReader(table)


BITFINEX = Venue(
    name=NAME,
    docs="https://docs.bitfinex.com/docs/ws-public",
    products=(DERIVATIVES, SPOT),
    completeness=Completeness.FULL,
    # "20 connections per minute"; the configuration "90 reqs/min".
    limits=Limits(connects_per_5min=100, frames_per_s=10.0, rest_weight_per_min=90),
    listings=(
        Poll("instruments", DERIVATIVES, f"{_CONF}pub:list:pair:futures{_NAMES}", _HOUR_S),
        Poll("instruments", SPOT, f"{_CONF}pub:list:pair:exchange{_NAMES}", _HOUR_S),
    ),
    plan=_plan,
    polls=_polls,
    subscribe=_subscribe,
    unsubscribe=_unsubscribe,
    reader=_reader,
    answer=_answer,
)
