"""The view of a demo: it fits every terminal, and shows what goes on before anything else."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from monitor.clock import NS
from monitor.config.sections import DEFAULT_ASSETS
from monitor.demo import screen, words
from monitor.demo.plan import EPOCH_NS, Plan
from monitor.demo.show import Portrait
from monitor.demo.sight import BINS, Sight
from monitor.detect.verdict import Kind, Phase, State
from monitor.detect.view import AssetView
from monitor.events import Position
from tests import samples

SIZES = [(60, 20), (80, 24), (80, 50), (100, 30), (116, 43), (140, 60), (170, 40), (240, 70)]


def calm(name: str) -> AssetView:
    """An asset of which nothing is to be told."""
    return samples.asset_view(name, State.QUIET)


def sight(*assets: AssetView, after_s: int = 200) -> Sight:
    """A moment with these assets, so long after the start."""
    view = samples.market_view(assets=DEFAULT_ASSETS)
    flow = tuple(1e5 * k for k in range(BINS))
    start = samples.verdict()
    end = msgspec.structs.replace(start, kind=Kind.PRESSURE, phase=Phase.END)
    return Sight(
        now_ns=EPOCH_NS + after_s * NS,
        plan=Plan(),
        second=EPOCH_NS // NS + after_s,
        view=msgspec.structs.replace(view, assets=assets),
        forced_usd={Position.LONG: flow, Position.SHORT: (0.0,) * BINS},
        rates={(stream.venue, stream.session): 812.0 for stream in view.streams},
        alerts=(start, end) * 9,
        published=5,
        received=4,
        addresses=(("MQTT 3.1.1", "mqtt://127.0.0.1:1"), ("alerts", "liqmon tail"), ("m", "x")),
    )


def texts(lines: list[Text]) -> list[str]:
    """What stands on the lines, without the blanks at their ends."""
    return [line.plain.rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits_the_terminal_exactly(width: int, height: int) -> None:
    """The view has as many lines as the terminal, each as wide as it is."""
    drawn = screen.lines(sight(*map(calm, DEFAULT_ASSETS)), width, height)
    assert [line.cell_len for line in drawn] == [width] * height
    assert all(line.cell_len == width for line in screen.preparing(0.4, width, height))


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_what_goes_on_is_never_left_out(width: int, height: int) -> None:
    """An asset under pressure has its row on every terminal, wherever it is on the list."""
    quiet = [calm(name) for name in DEFAULT_ASSETS[:-1]]
    drawn = texts(screen.lines(sight(*quiet, samples.asset_view("PEPE")), width, height))
    (row,) = [line for line in drawn if line.startswith("PEPE")]
    if width >= 80:
        assert "ONSET" in row
        assert words.SIGNS[State.ONSET] in row


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_market_has_a_row_below_its_assets(width: int, height: int) -> None:
    """All assets together have a row of their own, which a market under pressure never loses."""
    drawn = texts(screen.lines(sight(*map(calm, DEFAULT_ASSETS)), width, height))
    (place,) = [place for place, line in enumerate(drawn) if line.startswith("all ")]
    assert drawn[place + 1].split(";")[-1].strip().startswith("off the watch list")
    shown = sum(line.split(" ")[0] in DEFAULT_ASSETS for line in drawn[:place])
    rest = f"{len(DEFAULT_ASSETS) - shown} more, all quiet; " if shown < 20 else "off the"
    assert drawn[place + 1].startswith(rest)


def test_everything_asked_for_is_on_80_by_24() -> None:
    """On 80 x 24 there are clock, table, flow, feeds, alerts and addresses."""
    drawn = "\n".join(texts(screen.lines(sight(samples.asset_view(), calm("ETH")), 80, 24)))
    for part in (
        "liqmon demo  12:03:20 UTC 20x  simulated market  BTC fell 1:20 ago",
        "coin   price long 1m     1h short 1m     1h   OI 5m    u",
        "── forced flow ─",
        "── feeds ─",
        "5 published, 4 received over MQTT",
        "BTC long cascade ● ONSET $45.3M pressure of 6.25 u is at or above 6 u",
        "BTC long pressure   ends in ONSET",
        "mqtt://127.0.0.1:1",
        "liqmon tail",
        "Ctrl-C ends",
    ):
        assert part in drawn


def test_the_fall_is_told_before_it_happens() -> None:
    """Before the asset falls the view counts down to it."""
    drawn = texts(screen.lines(sight(calm("BTC"), after_s=57), 80, 24))
    assert drawn[0].endswith("BTC falls in 1:03")


def test_states_are_told_apart_without_colour() -> None:
    """Every state has a sign of its own, and a cascade of shorts points up."""
    signs = [words.state(state, Position.LONG, word=False).plain for state in State]
    assert len(set(signs)) == len(State)
    assert words.state(State.CASCADING, Position.SHORT).plain == "▲ CASCADING"


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-8, 1e11))
def test_figures_fit_their_columns(value: float) -> None:
    """Dollars take six cells at most and prices seven, whatever they are."""
    assert len(words.usd(value)) <= 6
    assert len(words.price(min(value, 9e5))) <= 7


def test_figures_are_what_they_say() -> None:
    """Dollars and prices keep their first digits and their magnitude."""
    assert [words.usd(v) for v in (0.0, 7.4, 999.4, 999.6, 12_345.0, 99_960.0, 4.0962e8, 2e9)] == [
        "·", "$7", "$999", "$1.0k", "$12.3k", "$100k", "$410M", "$2.0B",
    ]  # fmt: skip
    assert [words.price(v) for v in (83_817.4, 2897.13, 134.94, 2.11, 0.15012, 4.5e-6)] == [
        "83,817", "2897", "134.9", "2.110", "0.1501", "4.5e-06",
    ]  # fmt: skip


def test_the_picture_is_taken_once_the_fall_is_over(tmp_path: Path) -> None:
    """One picture is taken, some minutes into the cascade, and it loads nothing from elsewhere."""
    path = tmp_path / "demo.svg"
    portrait = Portrait(path)
    asset = samples.asset_view("BTC", State.CASCADING)
    for since_s, taken in ((100, False), (130, True)):
        long = msgspec.structs.replace(asset.long, since_ns=EPOCH_NS + (200 - since_s) * NS)
        portrait.consider(sight(msgspec.structs.replace(asset, long=long)))
        assert path.exists() == taken
    picture = path.read_text()
    assert "CASCADING" in picture
    assert "url(http" not in picture.replace('"', "")
    path.unlink()
    portrait.consider(sight(msgspec.structs.replace(asset, long=long)))
    assert not path.exists()
