"""Events as plain records: one JSON object each, the form people and fixtures read them in.

"Buy" and "sell" appear here and nowhere else outside a venue, as the `taker` of a trade. A
figure that is not known is null and has its reason under `unknown`.
"""

import math

from monitor.events import (
    Book,
    BookTop,
    Event,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Trade,
)
from monitor.instruments import Instrument
from monitor.venues.wire import NS_PER_MS

Record = dict[str, object]
_NO_PRICE = "price_not_known"  # contracts worth dollars need one to become coins
_NOT_SENT = "not_sent"


def record(event: Event) -> Record:
    """The event as one JSON object, keys in reading order, times in milliseconds."""
    match event:
        case NotUsed():
            return {"type": "not_used", "reason": event.reason.value, "detail": event.detail}
        case Malformed():
            return {"type": "malformed", "reason": event.reason, "detail": event.detail}
        case Listing():
            return {
                "type": "listing",
                "venue": event.venue,
                "product": event.product,
                "instruments": len(event.instruments),
            }
        case Liquidation():
            return _liquidation(event)
        case Trade():
            return _trade(event)
        case _:
            return _quote(event)


def _liquidation(event: Liquidation) -> Record:
    return (
        _of(event.instrument, "liquidation")
        | {
            "position": event.position.value,
            "event_time_ms": _ms(event.event_ns),
            "quantity": event.quantity,
            "quantity_base": _figure(event.quantity_base),
            "notional_usd": _figure(event.notional_usd),
            "price": _figure(event.price),
            "price_basis": event.price_basis.value,
            "completeness": event.completeness.value,
        }
        | _unknown(
            event.instrument.unknown_reason or _NO_PRICE,
            quantity_base=event.quantity_base,
            notional_usd=event.notional_usd,
        )
    )


def _trade(event: Trade) -> Record:
    notional_usd = event.instrument.notional_usd(event.quantity, event.price)
    return (
        _of(event.instrument, "trade")
        | {
            "taker": "buy" if event.taker_bought else "sell",
            "event_time_ms": _ms(event.event_ns),
            "quantity": event.quantity,
            "quantity_base": _figure(event.quantity_base),
            "notional_usd": _figure(notional_usd),
            "price": event.price,
        }
        | _unknown(
            event.instrument.unknown_reason or _NO_PRICE,
            quantity_base=event.quantity_base,
            notional_usd=notional_usd,
        )
    )


def _quote(event: OpenInterest | Funding | Mark | BookTop | Book) -> Record:
    """What a venue states of an instrument, as against what was done in it."""
    at = {"event_time_ms": _ms(event.event_ns)}
    reason = event.instrument.unknown_reason or _NO_PRICE
    match event:
        case OpenInterest():
            return (
                _of(event.instrument, "open_interest")
                | at
                | {
                    "open_interest": event.open_interest,
                    "open_interest_base": _figure(event.open_interest_base),
                }
                | _unknown(reason, open_interest_base=event.open_interest_base)
            )
        case Funding():
            return _funding(event)
        case Mark():
            return (
                _of(event.instrument, "mark")
                | at
                | {
                    "mark_price": _figure(event.mark_price),
                    "index_price": _figure(event.index_price),
                }
                | _unknown(_NOT_SENT, mark_price=event.mark_price, index_price=event.index_price)
            )
        case BookTop():
            return (
                _of(event.instrument, "book_top")
                | at
                | {
                    "bid_price": _figure(event.bid_price),
                    "bid_base": _figure(event.bid_base),
                    "ask_price": _figure(event.ask_price),
                    "ask_base": _figure(event.ask_base),
                }
                | _unknown(reason, bid_base=event.bid_base, ask_base=event.ask_base)
            )
        case Book():
            return (
                _of(event.instrument, "book")
                | at
                | {"bids": _rows(event.bids), "asks": _rows(event.asks)}
                | _unknown(reason, bids=_sum(event.bids), asks=_sum(event.asks))
            )


def _funding(event: Funding) -> Record:
    missing = {
        name: _NOT_SENT
        for name, value in (
            ("interval_s", event.interval_s),
            ("next_funding_time_ms", event.next_funding_ns),
        )
        if value == 0
    }
    return (
        _of(event.instrument, "funding")
        | {
            "event_time_ms": _ms(event.event_ns),
            "rate_ratio": event.rate_ratio,
            "interval_s": event.interval_s or None,
            "next_funding_time_ms": _ms(event.next_funding_ns) or None,
        }
        | ({"unknown": missing} if missing else {})
    )


def _of(instrument: Instrument, kind: str) -> Record:
    return {
        "type": kind,
        "venue": instrument.venue,
        "product": instrument.product,
        "symbol": instrument.symbol,
        "asset": instrument.asset or None,
    }


def _unknown(reason: str, **figures: float) -> Record:
    """Why these figures are null; empty if none of them is."""
    missing = {name: reason for name, value in figures.items() if not math.isfinite(value)}
    return {"unknown": missing} if missing else {}


def _figure(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _rows(rows: tuple[tuple[float, float], ...]) -> list[tuple[float, float | None]]:
    return [(price, _figure(base)) for price, base in rows]


def _sum(rows: tuple[tuple[float, float], ...]) -> float:
    return sum(base for _, base in rows)


def _ms(at_ns: int) -> int:
    return at_ns // NS_PER_MS
