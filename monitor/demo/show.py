"""Who looks at a demo: a person at a terminal, a picture file, or nobody."""

import asyncio
import io
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from monitor.clock import NS
from monitor.demo import screen
from monitor.demo.plan import ASSET
from monitor.demo.sight import Sight
from monitor.detect.verdict import State

EVERY_S: Final = 0.25
# A picture is taken when so much market time has passed in CASCADING: when the fall is over.
PICTURE_AFTER_S: Final = 120
PICTURE_WIDTH, PICTURE_HEIGHT = 116, 46
FONTS: Final = "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace"

Look = Callable[[], Sight]


class Show(Protocol):
    """What a demo tells of itself while it goes on."""

    def prepare(self, ratio: float) -> None:
        """So much of the preparation is done."""

    async def run(self, look: Look) -> None:
        """Look at the running demo until cancelled."""


class Portrait:
    """Takes one picture of the running view, where the cascade is at its height."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._taken = False

    def consider(self, sight: Sight) -> None:
        """Take the picture if this is the moment.

        Raises:
            OSError: It cannot be written.
        """
        if self._taken or not _at_its_height(sight):
            return
        self._taken = True
        console = Console(
            record=True,
            width=PICTURE_WIDTH,
            height=PICTURE_HEIGHT,
            file=io.StringIO(),
            force_terminal=True,
            color_system="truecolor",
        )
        console.print(Group(*screen.lines(sight, PICTURE_WIDTH, PICTURE_HEIGHT)))
        picture = console.export_svg(title="liqmon demo")
        # What it would load from elsewhere is left out: a picture must stand for itself.
        picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
        self._path.write_text(picture.replace("Fira Code, monospace", FONTS))


class Nobody:
    """Draws nothing; takes a picture if one is wanted."""

    def __init__(self, portrait: Portrait | None = None) -> None:
        self._portrait = portrait

    def prepare(self, ratio: float) -> None:
        """Nothing to tell."""

    async def run(self, look: Look) -> None:
        """Wait for the moment of the picture, if one is wanted."""
        while self._portrait is not None:
            await asyncio.sleep(EVERY_S)
            self._portrait.consider(look())


class Terminal:
    """Draws the view on a terminal four times a second; a context that gives it back whole."""

    def __init__(self, console: Console, portrait: Portrait | None = None) -> None:
        self._console = console
        self._portrait = portrait
        self._live = Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._drawn_s = 0.0

    def __enter__(self) -> Self:
        """Take the terminal."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back as it was."""
        self._live.stop()

    def prepare(self, ratio: float) -> None:
        """Draw how far it is."""
        now_s = time.monotonic()
        if now_s - self._drawn_s >= EVERY_S:
            self._drawn_s = now_s
            self._draw(screen.preparing(ratio, *self._console.size))

    async def run(self, look: Look) -> None:
        """Draw until cancelled."""
        while True:
            sight = look()
            self._draw(screen.lines(sight, *self._console.size))
            if self._portrait is not None:
                self._portrait.consider(sight)
            await asyncio.sleep(EVERY_S)

    def _draw(self, drawn: list[Text]) -> None:
        self._live.update(Group(*drawn), refresh=True)


def _at_its_height(sight: Sight) -> bool:
    ladder = next(asset.long for asset in sight.view.assets if asset.asset == ASSET)
    return (
        ladder.state is State.CASCADING and sight.now_ns - ladder.since_ns >= PICTURE_AFTER_S * NS
    )
