"""`liqmon decode`: what goes in, what comes out, and with which exit code."""

import gzip
import io
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from monitor.cli import main
from monitor.cli.decode import split
from monitor.instruments import Instrument, Unit

TRADE = (
    b'{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256300,'
    b'"s":"BTCUSDT","t":5266583935,"p":"60000.50","q":"0.006","X":"MARKET","m":true}}'
)
FORCED = (
    b'{"e":"forceOrder","E":1790000001003,"o":{"s":"BTCUSDT","S":"SELL","o":"LIMIT","f":"IOC",'
    b'"q":"0.5","p":"60000","ap":"60010","X":"FILLED","l":"0.1","z":"0.4","T":1790000000020,'
    b'"ps":"BTCUSDT","st":1}}'
)
SPOT_TOP = (
    b'{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT","b":"59999.99","B":"3.5",'
    b'"a":"60000.01","A":"1.5"}}'
)
ACKNOWLEDGED = b'{"result":null,"id":1}'
BTC = Instrument("binance", "usdm", "BTCUSDT", "BTC", "USDT", "USDT", Unit.BASE, perpetual=True)
LISTING = {
    "symbols": [
        {
            "symbol": "BTCUSDT",
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
        }
    ]
}
LIQUIDATION = {
    "type": "liquidation",
    "venue": "binance",
    "product": "usdm",
    "symbol": "BTCUSDT",
    "asset": "BTC",
    "position": "long",
    "event_time_ms": 1790000000020,
    "quantity": 0.4,
    "quantity_base": 0.4,
    "notional_usd": 24004.0,
    "price": 60010.0,
    "price_basis": "average",
    "completeness": "one_per_second",
}


class Ran(NamedTuple):
    """What a run of the command left behind."""

    code: int
    lines: list[dict[str, Any]]
    errors: str


Decode = Callable[..., Ran]


@pytest.fixture
def decode(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Decode:
    """Run `liqmon decode` in this process, on given lines of stdin."""

    def run(*arguments: str | Path, stdin: Sequence[bytes] = ()) -> Ran:
        given = io.TextIOWrapper(io.BytesIO(b"".join(line + b"\n" for line in stdin)))
        monkeypatch.setattr(sys, "stdin", given)
        with pytest.raises(SystemExit) as left:
            main(["decode", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        lines = [json.loads(line) for line in out.splitlines()]
        code = left.value.code
        assert isinstance(code, int)
        return Ran(code, lines, err.decode())

    return run


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """A file of instruments in this program's own words."""
    path = tmp_path / "instruments.json"
    path.write_bytes(msgspec.json.encode([BTC]))
    return path


def test_known_instrument_gives_every_figure(decode: Decode, listed: Path) -> None:
    """A liquidation of a listed contract has exactly the documented keys, none of them null."""
    ran = decode("binance", "--instruments", listed, stdin=[FORCED])
    assert ran == Ran(0, [LIQUIDATION], "")
    assert list(ran.lines[0]) == list(LIQUIDATION)


def test_rest_listing_serves_as_instruments(decode: Decode, tmp_path: Path) -> None:
    """The body of the venue's own listing is understood as it is."""
    path = tmp_path / "exchangeInfo.json"
    path.write_text(json.dumps(LISTING), encoding="utf-8")
    assert decode("binance", "--instruments", path, stdin=[FORCED]) == Ran(0, [LIQUIDATION], "")


def test_unknown_instrument_gives_null_with_a_reason(decode: Decode) -> None:
    """Coins and dollars of a contract that nobody listed are null, and the line says why."""
    ran = decode("binance", stdin=[FORCED])
    reason = "unknown_instrument"
    expected = LIQUIDATION | {
        "asset": None,
        "quantity_base": None,
        "notional_usd": None,
        "unknown": {"quantity_base": reason, "notional_usd": reason},
    }
    assert ran == Ran(0, [expected], "")


def test_trade_names_its_taker(decode: Decode, listed: Path) -> None:
    """A trade carries its taker's direction, here and nowhere else."""
    ran = decode("binance", "-", "--instruments", listed, stdin=[TRADE])
    assert ran.lines == [
        {
            "type": "trade",
            "venue": "binance",
            "product": "usdm",
            "symbol": "BTCUSDT",
            "asset": "BTC",
            "taker": "sell",
            "event_time_ms": 1723161256300,
            "quantity": 0.006,
            "quantity_base": 0.006,
            "notional_usd": 60000.5 * 0.006,
            "price": 60000.5,
        }
    ]


def test_damage_leaves_its_neighbours_and_ends_in_1(decode: Decode) -> None:
    """Damaged lines become malformed lines, the frames around them stand, the exit code is 1."""
    ran = decode("binance", stdin=[FORCED, TRADE[:70], b"\xff\x00", b"", FORCED])
    assert ran.code == 1
    assert [line["type"] for line in ran.lines] == [
        "liquidation",
        "malformed",
        "malformed",
        "liquidation",
    ]
    assert ran.lines[0] == ran.lines[3]
    assert [set(line) for line in ran.lines[1:3]] == [{"type", "reason", "detail"}] * 2
    assert [line["reason"] for line in ran.lines[1:3]] == ["not json", "not json"]


@pytest.mark.parametrize("every", [True, False])
def test_frames_without_use_are_printed_on_demand(decode: Decode, every: bool) -> None:
    """Acknowledgements are left out, unless --all asks for them, and are no failure."""
    ran = decode("binance", *(["--all"] if every else []), stdin=[ACKNOWLEDGED])
    told = [{"type": "not_used", "reason": "acknowledged", "detail": ""}]
    assert ran == Ran(0, told if every else [], "")


@pytest.mark.parametrize(
    ("stamp", "received_ns"),
    [
        (b"1723161256172216566 ", 1_723_161_256_172_216_566),
        (b"1723161256172216 ", 1_723_161_256_172_216_000),
        (b"1723161256172 ", 1_723_161_256_172_000_000),
        (b"1723161256 ", 1_723_161_256_000_000_000),
        (b"1723161256.25 ", 1_723_161_256_250_000_000),
        (b"1626916403.8469708: ", 1_626_916_403_846_970_800),
        (b"1723161256172:\t", 1_723_161_256_172_000_000),
        (b"", 0),
    ],
)
def test_stamps_are_told_apart_by_magnitude(stamp: bytes, received_ns: int) -> None:
    """A stamp before a frame is in s, ms, us or ns, with or without a colon behind it."""
    assert split(stamp + SPOT_TOP + b"\r\n") == (received_ns, SPOT_TOP)


def test_stamp_times_what_the_venue_does_not(decode: Decode) -> None:
    """A spot top has no time of its own, so it takes the stamp of its line."""
    ran = decode("binance_spot", stdin=[b"1723161256172216566 " + SPOT_TOP, SPOT_TOP])
    assert [line["event_time_ms"] for line in ran.lines] == [1723161256172, 0]


@pytest.mark.parametrize("name", ["frames.txt", "frames.gz"])
def test_files_are_read_plain_or_packed(decode: Decode, tmp_path: Path, name: str) -> None:
    """A file holds the same lines as stdin would, packed or not."""
    path = tmp_path / name
    path.write_bytes(gzip.compress(TRADE + b"\n") if name.endswith(".gz") else TRADE + b"\n")
    ran = decode("binance", path)
    assert (ran.code, [line["symbol"] for line in ran.lines]) == (0, ["BTCUSDT"])


def test_pipes_are_read_as_files(decode: Decode, tmp_path: Path) -> None:
    """FILE may be something that cannot be sought in, such as a pipe of the shell's."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(TRADE + b"\n",), daemon=True)
    writer.start()
    ran = decode("binance", path)
    writer.join(timeout=10)
    assert (ran.code, [line["type"] for line in ran.lines]) == (0, ["trade"])


def test_packed_file_that_ends_in_the_middle_is_a_failure(decode: Decode, tmp_path: Path) -> None:
    """What could be read is printed; then one line says that the file is cut, exit code 1."""
    path = tmp_path / "frames.gz"
    path.write_bytes(gzip.compress(b"".join(TRADE + b"\n" for _ in range(1000)))[:-20])
    ran = decode("binance", path)
    assert ran.code == 1
    assert len(ran.errors.splitlines()) == 1
    assert "frames.gz" in ran.errors


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nowhere"], "binance, binance_spot"),
        (["binance", "absent.jsonl"], "absent.jsonl"),
        (["binance", "--instruments", "absent.json"], "absent.json"),
        (["binance", "--instruments", os.devnull], os.devnull),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    decode: Decode, arguments: list[str], named: str
) -> None:
    """An unknown venue, and files that cannot be used, are named in one line."""
    ran = decode(*arguments, stdin=[TRADE])
    assert (ran.code, ran.lines) == (2, [])
    assert len(ran.errors.splitlines()) == 1
    assert named in ran.errors


def test_instruments_of_another_venue_are_refused(decode: Decode, listed: Path) -> None:
    """A list of another venue's instruments is a mistake, not an empty list."""
    ran = decode("binance_spot", "--instruments", listed, stdin=[SPOT_TOP])
    assert (ran.code, ran.lines) == (2, [])
    assert "binance_spot" in ran.errors
