"""How recordings are read: order, repeats, holes, zeros, clocks."""

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest

from monitor.assess import history, history_series
from monitor.assess.history_series import series_of
from monitor.errors import MeasureError


def test_repeats_are_dropped_and_holes_are_marked() -> None:
    """Out of order is put in order; a sample twice is one; three missing samples are unknown."""
    series = series_of("BTC", 60, [(120.0, 3.0, 3.0), (0.0, 1.0, 1.0), (61.0, 2.0, 2.0)])
    assert series.times_s.tolist() == [0.0, 61.0, 120.0]
    series = series_of("BTC", 60, [(0.0, 1.0, 4.0), (10.0, 9.0, 9.0), (241.0, 2.0, 5.0)])
    assert series.times_s.tolist() == [0.0, 60.0, 120.0, 180.0, 241.0]
    np.testing.assert_array_equal(series.interest, [1.0, math.nan, math.nan, math.nan, 2.0])
    np.testing.assert_array_equal(series.price, [4.0, math.nan, math.nan, math.nan, 5.0])


def write(path: Path, rows: list[list[object]]) -> None:
    """A compressed table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows(rows)


def test_five_minute_prices_are_dollars_over_coins(tmp_path: Path) -> None:
    """The file names no price: it is what the open interest is worth over its coins."""
    path = tmp_path / "history" / "binance_usdm_ETH_oi_5m.csv.gz"
    write(path, [["t", "oi", "oi_usd"], [300_000, 4.0, 1000.0], [600_000, 5.0, 1000.0]])
    series = history_series.five_minutes(tmp_path, "ETH")
    assert series.times_s.tolist() == [300.0, 600.0]
    assert series.price.tolist() == [250.0, 200.0]


def test_minutes_are_read_from_all_files_in_order(tmp_path: Path) -> None:
    """Daily files overlap; another coin's and the trades beside them are left alone."""
    folder = tmp_path / "history" / "hyperliquid_2026-06"
    folder.mkdir(parents=True)
    lines = {
        "ctx_BTC_20260611": [(0, 1.0), (60_500, 2.0), (121_000, 3.0)],
        "ctx_BTC_20260612": [(60_500, 2.0), (180_000, 4.0)],
        "ctx_ETH_20260611": [(0, 9.0)],
        "trades_BTC_20260611": [(0, 9.0)],
    }
    for name, rows in lines.items():
        with gzip.open(folder / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(
                f'{{"ts":{ts},"funding":0.1,"oi":{oi},"mark":7.0,"oracle":7.1}}\n'
                for ts, oi in rows
            )
    series = history_series.one_minute(tmp_path, "BTC")
    assert series.times_s.tolist() == [0.0, 60.5, 121.0, 180.0]
    assert series.interest.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert series.price.tolist() == [7.0] * 4


def test_hours_without_liquidations_are_zeros(tmp_path: Path) -> None:
    """A repeated row, a repeated value and an absent hour are zeros; stamps go back six hours."""
    folder = tmp_path / "history" / "binance_2024-08_1h"
    stamps = [f"2024-08-05 {hour:02}:00:00" for hour in range(6, 11)]
    write(folder / "SOL_ohlcv-history.csv.gz", [[t, 9, 9, 7, 8, 1, 1, 1, 1] for t in stamps])
    write(folder / "SOL_open-interest-history.csv.gz", [[t, 100, 1, 1, 90] for t in stamps])
    forced = [[stamps[0], 5, 1], [stamps[0], 5, 1], [stamps[2], 6, 0], [stamps[3], 6, 0]]
    write(folder / "SOL_liquidation-history.csv.gz", [*forced, [stamps[4], 6, 2]])
    hours = history_series.candles(tmp_path, "SOL")
    assert history_series.words_of(hours.times_s[0]) == "2024-08-05 00:00"
    assert hours.liquidated.tolist() == [[5, 1], [0, 0], [6, 0], [0, 0], [6, 2]]
    assert (hours.low[0], hours.close[0]) == (7.0, 8.0)
    assert (hours.interest_open[0], hours.interest_close[0]) == (100.0, 90.0)


def test_missing_files_are_named(tmp_path: Path) -> None:
    """A directory without recordings is refused by name, not by a stack of errors."""
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "btc_hours.csv").touch()
    missing = history.missing_files(tmp_path)
    assert "history/coinglass_btc_liquidations_1h.csv.gz" in missing
    assert "labels/btc_hours.csv" not in missing
    with pytest.raises(MeasureError, match="binance_usdm_AVAX_oi_5m"):
        history.evaluate_history(tmp_path)
