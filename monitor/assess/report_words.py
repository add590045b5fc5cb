"""How figures of the report are written: numbers, intervals, tables, all with n beside them."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final

from monitor.assess.results import Figure, Gate, Quantiles

WIDTH: Final = 98
NONE: Final = "–"  # noqa: RUF001 - a dash, where there is no figure
MEAN: Final = "**mean**"
_COUNTED: Final = {"low": "lower end", "high": "upper end", "value": "value"}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the first column is left, the others right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def prose(words: str) -> str:
    """A paragraph, or an entry of a list, in lines of the page's width."""
    indent = "  " if words.startswith("- ") else ""
    words = " ".join(words.split())
    return textwrap.fill(words, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def many(n: int, what: str) -> str:
    """So many of something."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def number(value: float | None) -> str:
    """A number with the two or three digits that count."""
    if value is None:
        return NONE
    size = abs(value)
    if value == 0.0 or size >= 100.0:  # noqa: PLR2004 - digits
        return f"{value:.0f}"
    if size < 0.1:  # noqa: PLR2004 - digits
        return f"{value:.2g}"
    return f"{value:.1f}" if size >= 10.0 else f"{value:.2f}"  # noqa: PLR2004 - digits


def told(figure: Figure) -> str:
    """Value, interval and number of cases."""
    return f"{between(figure)} n {figure.n}"


def between(figure: Figure) -> str:
    """Value and interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return number(figure.value)
    return f"{number(figure.value)} [{number(figure.low)}, {number(figure.high)}]"


def spread(quantiles: Quantiles) -> str:
    """Median, and the outer quantiles."""
    if quantiles.p50.n == 0:
        return f"{NONE} n 0"
    outer = f"{number(quantiles.p10.value)} to {number(quantiles.p90.value)}"
    return f"{number(quantiles.p50.value)} ({outer}) n {quantiles.p50.n}"


def asked(gate: Gate) -> str:
    """What was promised, and which number is held against it."""
    return f"{gate.comparator} {gate.bound:g} ({_COUNTED[gate.counted]})"


def kept(gate: Gate) -> str:
    """Whether a promise was kept."""
    return "yes" if gate.held else "**no**"


def measured(gate: Gate) -> str:
    """What a promise was held against."""
    return told(Figure(gate.value, gate.low, gate.high, gate.n))
