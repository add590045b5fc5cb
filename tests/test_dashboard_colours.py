"""The colours of the ladder's states, as people with the usual kinds of colour blindness see them.

How much red, green and blue light reaches them is a matrix on linear light (Machado, Oliveira and
Fernandes 2009, severity 1); how unlike two colours look is their distance in CIE L*a*b*, where
about 2 is just noticeable.
"""

import itertools
import math
from pathlib import Path
from typing import Final

import orjson
import pytest

DASHBOARDS: Final = Path(__file__).resolve().parents[1] / "deploy" / "grafana" / "dashboards"
SEEN: Final = {
    "by most": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "without red cones": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green cones": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
LIGHT_TO_XYZ: Final = (
    (0.4124, 0.3576, 0.1805),
    (0.2126, 0.7152, 0.0722),
    (0.0193, 0.1192, 0.9505),
)
WHITE: Final = (0.95047, 1.0, 1.08883)
UNLIKE: Final = 20.0

Matrix = tuple[tuple[float, ...], ...]


def product(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, ...]:
    """Matrix times vector, kept between no light and all of it."""
    sums = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return tuple(min(max(value, 0.0), 1.1) for value in sums)


def light(colour: str) -> tuple[float, ...]:
    """Linear light of "#rrggbb"."""
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return tuple(s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)


def look(colour: str, eyes: Matrix) -> tuple[float, float, float]:
    """L*, a* and b* of a colour through these eyes."""
    xyz = product(LIGHT_TO_XYZ, product(eyes, light(colour)))
    x, y, z = (
        math.cbrt(value / white) if value / white > 0.008856 else 7.787 * value / white + 16 / 116
        for value, white in zip(xyz, WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("eyes", SEEN.values(), ids=SEEN)
def test_no_two_states_look_alike(eyes: Matrix) -> None:
    """Any two states of a ladder have colours far enough apart, through any of these eyes."""
    panels = orjson.loads((DASHBOARDS / "overview.json").read_bytes())["panels"]
    (panel,) = (panel for panel in panels if panel["title"] == "Ladders of $asset")
    (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
    looks = {s["text"]: look(s["color"], eyes) for s in mapping["options"].values()}
    alike = [
        pair
        for pair in itertools.combinations(looks, 2)
        if math.dist(looks[pair[0]], looks[pair[1]]) < UNLIKE
    ]
    assert alike == []
