"""What Bitfinex's arrays mean: channel ids, first payloads, and one order told many times."""

import json
from collections.abc import Sequence

import msgspec
import pytest

from monitor.events import (
    BookTop,
    Event,
    Funding,
    Liquidation,
    Listing,
    Malformed,
    Mark,
    NotUsed,
    OpenInterest,
    Position,
    PriceBasis,
    Trade,
    Unused,
)
from monitor.instruments import InstrumentTable, Unit
from monitor.venues.bitfinex import BITFINEX
from monitor.venues.contract import Reader
from tests import tapes
from tests.frames import RECORDED, golden_pairs, needs_recorded

LIQUIDATIONS = b'{"event":"subscribed","channel":"status","chanId":7,"key":"liq:global"}'
STATUS = b'{"event":"subscribed","channel":"status","chanId":8,"key":"deriv:tBTCF0:USTF0"}'
TRADES = b'{"event":"subscribed","channel":"trades","chanId":9,"symbol":"tBTCUSD"}'
BOOK = b'{"event":"subscribed","channel":"book","chanId":10,"symbol":"tBTCUSD"}'
AT_MS = 1_790_000_000_000


def started(*frames: bytes) -> tuple[Reader, InstrumentTable]:
    """A Reader that has read these frames, its table holding the fixture's listings."""
    table = InstrumentTable("bitfinex")
    for number, line in enumerate(tapes.lines("bitfinex")):
        if line.frame is None:
            tapes.answer(BITFINEX, table, line, number)
    reader = BITFINEX.reader("status-1", table, 0)
    for frame in frames:
        reader.read(frame, tapes.STARTED_NS)
    return reader, table


def told(reader: Reader, *message: object) -> Sequence[Event]:
    """The events of one array frame."""
    return reader.read(json.dumps(message).encode(), tapes.STARTED_NS)


def position(amount: float, *, match: int = 0, symbol: str = "tBTCUSD") -> list[object]:
    """A row of the liquidation feed, entered at 50000."""
    return ["pos", 1, AT_MS, None, symbol, amount, 50_000.0, None, match, 1, None, None]


def status(mark: float, rate: float = 0.0001) -> list[object]:
    """A derivative's status."""
    row: list[object] = [None] * 23
    row[0], row[3], row[7], row[11], row[14], row[17] = AT_MS, mark, AT_MS, rate, mark, 100.0
    return row


def test_each_line_of_the_fixture_gives_what_is_expected() -> None:
    """The fixture's events equal the expected ones, which a person has read against the docs."""
    table = InstrumentTable("bitfinex")
    read = tapes.read(
        BITFINEX, BITFINEX.reader("status-1", table, 0), table, tapes.lines("bitfinex")
    )
    assert [tapes.records(events) for events in read] == tapes.expected("bitfinex")


def test_names_of_its_own_become_everyones() -> None:
    """UST is USDT, BTCF0 is BTC, DSH is DASH; play money is left out, indices are no coins."""
    _, table = started()
    listed = {i.symbol: (i.product, i.asset, i.quote, i.perpetual, i.tradfi) for i in table}
    assert listed == {
        "tBTCF0:USTF0": ("derivatives", "BTC", "USDT", True, False),
        "tETHF0:USTF0": ("derivatives", "ETH", "USDT", True, False),
        "tETHF0:BTCF0": ("derivatives", "ETH", "BTC", True, False),
        "tEURF0:USTF0": ("derivatives", "EUR", "USDT", True, True),
        "tGERMANY40IXF0:USTF0": ("derivatives", "GERMANY40IX", "USDT", True, True),
        "tBTCUSD": ("spot", "BTC", "USD", False, False),
        "tBTCUST": ("spot", "BTC", "USDT", False, False),
        "tBTCEUR": ("spot", "BTC", "EUR", False, False),
        "tBTCUDC": ("spot", "BTC", "USDC", False, False),
        "tETHUSD": ("spot", "ETH", "USD", False, False),
        "tDSHUSD": ("spot", "DASH", "USD", False, False),
        "tBSVUSD": ("spot", "BSV", "USD", False, False),
        "tAVAX:USD": ("spot", "AVAX", "USD", False, False),
    }
    assert {(i.unit, i.contract_size, i.multiplier) for i in table} == {(Unit.BASE, 1.0, 1.0)}
    assert {i.funding_interval_s for i in table if i.perpetual} == {28_800}


def test_a_channel_id_means_what_its_notice_said() -> None:
    """Equal arrays mean nothing before the notice, a trade after it, nothing after the drop."""
    reader, _ = started()
    row = [1, AT_MS, 0.5, 60_000.0]
    dropped = b'{"event":"unsubscribed","status":"OK","chanId":9}'
    before = told(reader, 9, "te", row)
    reader.read(TRADES, tapes.STARTED_NS)
    (trade,) = told(reader, 9, "te", row)
    other = told(reader, 10, "te", row)
    reader.read(dropped, tapes.STARTED_NS)
    after = told(reader, 9, "te", row)
    assert isinstance(trade, Trade)
    assert (trade.instrument.symbol, trade.quantity, trade.taker_bought) == ("tBTCUSD", 0.5, True)
    assert list(before) == list(other) == list(after)
    assert list(before) == [NotUsed(Unused.OTHER, "channel not subscribed")]


def test_a_channel_id_given_anew_begins_anew() -> None:
    """A second notice for an id changes its topic and makes its first payload history again."""
    reader, _ = started(LIQUIDATIONS)
    replayed = [NotUsed(Unused.REPLAYED, "liquidations from before the subscription")]
    assert list(told(reader, 7, [position(1.0)])) == replayed
    assert [type(event) for event in told(reader, 7, [position(1.0)])] == [Liquidation]
    reader.read(LIQUIDATIONS, tapes.STARTED_NS)
    assert list(told(reader, 7, [position(1.0)])) == replayed


def test_the_first_payload_is_history_even_when_empty_or_after_heartbeats() -> None:
    """What comes first on the liquidation channel is history; a heartbeat does not come first."""
    for first in ([], [position(1.0), position(2.0)]):
        reader, _ = started(LIQUIDATIONS)
        assert list(told(reader, 7, "hb")) == [NotUsed(Unused.PONG, "heartbeat")]
        (history,) = told(reader, 7, first)
        assert isinstance(history, NotUsed)
        assert history.reason is Unused.REPLAYED
        assert [type(event) for event in told(reader, 7, [position(1.0)])] == [Liquidation]


@pytest.mark.parametrize(("amount", "closed"), [(0.5, Position.LONG), (-0.5, Position.SHORT)])
def test_the_sign_of_the_amount_is_the_position(amount: float, closed: Position) -> None:
    """A positive amount was a long position, a negative one a short; the quantity is positive."""
    reader, _ = started(LIQUIDATIONS, b"[7,[]]")
    (order,) = told(reader, 7, [position(amount)])
    assert isinstance(order, Liquidation)
    assert (order.position, order.quantity, order.quantity_base) == (closed, 0.5, 0.5)


def test_a_position_counts_at_its_trigger_only() -> None:
    """Of the trigger and the executions of a position, the trigger alone is an order."""
    reader, _ = started(LIQUIDATIONS, b"[7,[]]")
    events = told(reader, 7, [position(1.0), position(0.6, match=1), position(0.4, match=1)])
    assert [type(event) for event in events] == [Liquidation, NotUsed, NotUsed]


def test_an_order_is_priced_by_the_mark_once_it_is_known() -> None:
    """Before a status of the asset the entry price is all there is; after it, the mark price."""
    reader, _ = started(LIQUIDATIONS, STATUS, b"[7,[]]")
    (first,) = told(reader, 7, [position(2.0)])
    told(reader, 8, status(60_000.0))
    later = told(
        reader,
        7,
        [position(2.0), position(2.0, symbol="tBTCEUR"), position(2.0, symbol="tETHUSD")],
    )
    orders = [order for order in (first, *later) if isinstance(order, Liquidation)]
    assert [(o.price, o.price_basis, o.notional_usd) for o in orders[:2]] == [
        (50_000.0, PriceBasis.ENTRY, 100_000.0),
        (60_000.0, PriceBasis.MARK, 120_000.0),
    ]
    assert [o.price_basis for o in orders[2:]] == [PriceBasis.ENTRY, PriceBasis.ENTRY]


def test_funding_is_told_when_it_changes() -> None:
    """Mark price and open interest are told each time, funding when rate or time is new."""
    reader, _ = started(STATUS)
    kinds = [
        [type(event) for event in told(reader, 8, status(60_000.0, rate))]
        for rate in (0.0001, 0.0001, 0.0002)
    ]
    assert kinds == [
        [Mark, OpenInterest, Funding],
        [Mark, OpenInterest],
        [Mark, OpenInterest, Funding],
    ]


def test_a_damaged_status_changes_no_price() -> None:
    """A status whose open interest cannot be leaves the mark price as it was."""
    reader, _ = started(LIQUIDATIONS, STATUS, b"[7,[]]")
    told(reader, 8, status(60_000.0))
    damaged = status(10.0)
    damaged[17] = -1.0
    assert [type(event) for event in told(reader, 8, damaged)] == [Malformed]
    (order,) = told(reader, 7, [position(1.0)])
    assert isinstance(order, Liquidation)
    assert order.price == 60_000.0


def test_the_top_of_a_book_follows_its_levels() -> None:
    """Tops are told when one changes; levels below it, and a half book, tell none."""
    reader, _ = started(BOOK)
    changes: list[tuple[list[object], tuple[float, float, float, float] | None]] = [
        ([[100.0, 1, 2.0], [99.0, 1, 5.0], [101.0, 1, -3.0]], (100.0, 2.0, 101.0, 3.0)),
        ([99.0, 2, 6.0], None),
        ([102.0, 1, -1.0], None),
        ([100.0, 0, 1.0], (99.0, 6.0, 101.0, 3.0)),
        ([101.0, 0, -1.0], (99.0, 6.0, 102.0, 1.0)),
        ([102.0, 0, -1.0], None),
        ([102.5, 1, -4.0], (99.0, 6.0, 102.5, 4.0)),
        ([[98.0, 1, 1.0], [99.0, 1, -1.0]], (98.0, 1.0, 99.0, 1.0)),
    ]
    for rows, top in changes:
        (event,) = told(reader, 10, rows)
        if top is None:
            assert isinstance(event, NotUsed)
        else:
            assert isinstance(event, BookTop)
            assert (event.bid_price, event.bid_base, event.ask_price, event.ask_base) == top


def test_books_and_channels_are_bounded() -> None:
    """A book of endless levels keeps its best, a connection of endless channels its latest."""
    reader, _ = started(BOOK)
    for level in range(1, 400):
        told(reader, 10, [float(level), 1, 1.0])
    held = msgspec.to_builtins(reader.state)["channels"][10]
    assert [price for price, _ in held["bids"]] == [float(n) for n in range(399, 149, -1)]
    for channel in range(1_000, 1_100):
        notice = {"event": "subscribed", "channel": "trades", "chanId": channel, "symbol": "t"}
        reader.read(json.dumps(notice).encode(), tapes.STARTED_NS)
    assert list(msgspec.to_builtins(reader.state)["channels"]) == list(range(1_000, 1_100))


def test_sessions_hold_what_a_connection_may() -> None:
    """At most 25 channels each; liquidations come with statuses, pairs with trades and a book."""
    _, table = started()
    plan = BITFINEX.plan(table, frozenset({"BTC", "ETH", "AVAX", "DASH", "BSV", "EUR"}))
    assert {session.name: session.topics for session in plan} == {
        "status-1": (
            "status:liq:global",
            "status:deriv:tBTCF0:USTF0",
            "status:deriv:tETHF0:USTF0",
        ),
        "market-1": tuple(
            f"{channel}:{symbol}"
            for symbol in (
                *("tBTCF0:USTF0", "tETHF0:USTF0"),
                *("tAVAX:USD", "tBSVUSD", "tBTCUDC", "tBTCUSD", "tBTCUST", "tDSHUSD", "tETHUSD"),
            )
            for channel in ("trades", "book")
        ),
    }
    assert plan[0].control == "status:deriv:tBTCF0:USTF0"
    many = InstrumentTable("bitfinex")
    many.replace(
        "derivatives",
        [
            msgspec.structs.replace(i, symbol=f"t{n:02}F0:USTF0")
            for n in range(60)
            for i in table
            if i.symbol == "tBTCF0:USTF0"
        ],
    )
    sizes = {s.name: len(s.topics) for s in BITFINEX.plan(many, frozenset({"BTC"}))}
    assert sizes == {
        "status-1": 25,
        "status-2": 25,
        "status-3": 11,
        **{f"market-{n}": 25 for n in range(1, 5)},
        "market-5": 20,
    }


def test_requests_are_in_bitfinex_words() -> None:
    """A status is asked for by its key, trades by symbol, a book at full precision, length 1."""
    (session, *_) = BITFINEX.plan(started()[1], frozenset())
    topics = ("status:liq:global", "status:deriv:tBTCF0:USTF0", "trades:tBTCUSD", "book:tBTCUSD")
    assert [json.loads(frame) for frame in BITFINEX.subscribe(session, topics)] == [
        {"event": "subscribe", "channel": "status", "key": "liq:global"},
        {"event": "subscribe", "channel": "status", "key": "deriv:tBTCF0:USTF0"},
        {"event": "subscribe", "channel": "trades", "symbol": "tBTCUSD"},
        {
            "event": "subscribe",
            "channel": "book",
            "symbol": "tBTCUSD",
            "prec": "P0",
            "freq": "F0",
            "len": "1",
        },
    ]
    assert BITFINEX.unsubscribe(session, topics) == ()


def test_an_empty_or_refused_listing_is_no_listing() -> None:
    """Nothing listed, an error or a broken page leaves the instruments as they were."""
    table = InstrumentTable("bitfinex")
    for body in (b"[[],[],[]]", b'["error",11010,"ratelimit: error"]', b"<html>", b"[]"):
        events = BITFINEX.answer("instruments", "spot", body, tapes.STARTED_NS, table)
        assert [type(event) for event in events if isinstance(event, Listing)] == []


@needs_recorded
def test_recorded_messages_mean_what_a_normaliser_expects() -> None:
    """Every golden trade agrees in side, symbol, time and size; history and repeats give none."""
    reader, _ = started()
    for frame, wanted in golden_pairs("map bitfinex messages"):
        events = reader.read(frame, tapes.STARTED_NS)
        assert [event for event in events if isinstance(event, Malformed)] == []
        assert [
            {
                "symbol": event.instrument.symbol.removeprefix("t"),
                "side": "buy" if event.taker_bought else "sell",
                "amount": event.quantity,
                "price": event.price,
                "id_ms": event.event_ns // 1_000_000,
            }
            for event in events
            if isinstance(event, Trade)
        ] == [
            {name: fields[name] for name in ("symbol", "side", "amount", "price")}
            | {"id_ms": json.loads(frame)[2][1]}
            for fields in wanted
            if fields["type"] == "trade"
        ]


@needs_recorded
def test_a_recorded_stream_is_read_whole() -> None:
    """No frame of a capture is damaged to us, and its tops are those of an independent book."""
    reader, _ = started()
    path = RECORDED / "streams" / "cryptofeed_BITFINEX.ws.11.0.gz"
    books: dict[int, dict[float, float]] = {}
    symbols: dict[int, str] = {}
    told_tops: list[tuple[str, float, float]] = []
    tops: list[tuple[str, float, float]] = []
    last: dict[int, object] = {}
    for received_ns, frame in tapes.recorded_stream(path):
        events = reader.read(frame, received_ns)
        assert [event for event in events if isinstance(event, Malformed)] == []
        told_tops += [
            (event.instrument.symbol, event.bid_price, event.ask_price)
            for event in events
            if isinstance(event, BookTop)
        ]
        message = json.loads(frame)
        if isinstance(message, dict):
            if message.get("channel") == "book":
                books[message["chanId"]] = {}
                symbols[message["chanId"]] = message["symbol"]
            continue
        book = books.get(message[0])
        if book is None or not isinstance(message[1], list):
            continue
        rows = message[1] if isinstance(message[1][0], list) else [message[1]]
        for price, count, amount in rows:
            book.pop(price, None)
            if count:
                book[price] = amount
        bids = [price for price, amount in book.items() if amount > 0.0]
        asks = [price for price, amount in book.items() if amount < 0.0]
        top = (max(bids), book[max(bids)], min(asks), book[min(asks)])
        if last.get(message[0]) != top:
            tops.append((symbols[message[0]], max(bids), min(asks)))
        last[message[0]] = top
    assert told_tops == tops
    assert len(symbols) == 7
    assert tops
