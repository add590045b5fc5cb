"""The simulated market in the report: what was measured of it beside what is published."""

from typing import Final

from monitor.assess.calibration import Calibration, Spread
from monitor.assess.evaluation import Calibrated
from monitor.assess.october import Crash, Range
from monitor.assess.report_words import NONE, many, number, prose, table, told
from monitor.assess.results import Figure

STUDY: Final = "[one study](https://github.com/min66633/liquidation-cascade-research)"
RECORD: Final = "[record](https://github.com/ConejoCapital/HyperMultiAssetedADL)"
_MINUTE_S: Final = 60.0


def calibration(found: Calibrated) -> str:
    """A regime beside published facts, and a crash beside a recorded one."""
    usual, crash = found.usual, found.crash
    parts = (
        prose(
            f"Regime `{usual.regime}`, {number(usual.symbol_months)} symbol-months: "
            f"{many(len(usual.seeds), 'world')} of {many(usual.assets, 'asset')} and "
            f"{many(usual.days, 'day')}, seeds {_seeds(usual.seeds)}, those of training. "
            f"The market alone takes {number(usual.market_ns)} ns an asset and second. Published "
            f"figures are of {STUDY} of up to 21 contracts of Binance, 2020 to 2026. Its events "
            f"are moves of 8 sigmas with a fall of open interest by 2 % in five minutes; no "
            f"public feed tells what was forced, so they are alike but not the same. The "
            f"exponent is a working figure, and the part that is printed a range that was seen, "
            f"not its quantiles. Intervals: 95 %, symbol-months drawn again; of the exponent, "
            f"1.96 alpha / sqrt(n)."
        ),
        rates(usual),
        spreads(usual),
        prose(
            f"A crash of a whole market, {many(crash.assets, 'asset')} in each of "
            f"{many(len(crash.seeds), 'world')} (seeds {_seeds(crash.seeds)}), beside 10 October "
            f"2025: a {RECORD} of one venue's forced orders, and from the same study how thin "
            f"the books of five coins became within the day. Simulated are quantiles over assets "
            f"and worlds; that day is a single one."
        ),
        october(crash),
    )
    return "\n\n".join(parts)


def rates(found: Calibration) -> str:
    """How often episodes come, how their sizes fall off, how much days move."""
    rows = (
        ("cascades a symbol-month", "0.7 to 1.2", found.positives_per_month),
        ("episodes of 0.3 to 1 % of OI", NONE, found.minor_per_month),
        ("episodes of 1 % and more that are no cascades", NONE, found.other_per_month),
        ("exponent of sizes above 1 % of OI", "1.7", found.tail_from_1_percent),
        ("the same above 0.3 %", "1.7", found.tail_from_0_3_percent),
        ("volatility of a day", NONE, found.daily_volatility),
    )
    return table(("", "published", "simulated"), [(*row[:2], told(row[2])) for row in rows])


def spreads(found: Calibration) -> str:
    """Quantiles over episodes of at least 1 % of open interest."""
    rows = [
        (name, published, *(told(_over(figure, scale)) for figure in _three(spread)))
        for name, published, spread, scale in (
            ("minutes to the bottom, within 1 h", "p50 5, p90 46", found.bottom_1_h_s, _MINUTE_S),
            ("the same within 2 h", NONE, found.bottom_2_h_s, _MINUTE_S),
            ("forced flow over the decline of OI", NONE, found.forced_of_decline, 1.0),
            ("printed flow over it", "0.01 to 0.30", found.printed_of_decline, 1.0),
            ("depth before, over the thinnest", "p50 3.4, p90 17", found.depth_fall, 1.0),
        )
        if spread is not None
    ]
    return table(("episodes from 1 % of OI", "published", "p10", "p50", "p90"), rows)


def october(found: Crash) -> str:
    """How fast forced flow was done, and how deep the market fell."""
    rows = [
        (
            f"seconds to {100.0 * one.part:g} % of the forced flow",
            str(one.published_s),
            *_quantiles(one.seconds),
        )
        for one in found.reached
    ]
    rows += [
        ("forced flow over OI", NONE, *_quantiles(found.forced)),
        ("fall of the price", NONE, *_quantiles(found.price_fall)),
        ("fall of OI", NONE, *_quantiles(found.interest_fall)),
        ("depth before, over the thinnest", "20 to 561", *_quantiles(found.depth_fall)),
    ]
    return table(("crash", "10 October 2025", "p5", "p50", "p95"), rows)


def _over(figure: Figure, scale: float) -> Figure:
    value, low, high = (
        None if one is None else one / scale for one in (figure.value, figure.low, figure.high)
    )
    return Figure(value, low, high, figure.n)


def _three(spread: Spread) -> tuple[Figure, Figure, Figure]:
    return spread.p10, spread.p50, spread.p90


def _quantiles(found: Range) -> tuple[str, str, str]:
    return number(found.p5), number(found.p50), number(found.p95)


def _seeds(seeds: tuple[int, ...]) -> str:
    whole = tuple(range(seeds[0], seeds[-1] + 1)) == seeds
    return f"{seeds[0]} to {seeds[-1]}" if whole and len(seeds) > 1 else ", ".join(map(str, seeds))
