"""Where forced flow really was, told while it goes on.

A spell of one asset and position runs while the forced coins of the last two minutes are at
least a small part of open interest. It begins with the first forced second of those that began
it, and ends with the last one while it ran. Told are those of 0.3 % of open interest or more:
whatever is smaller is no cascade.
"""

from collections import deque
from typing import Final

import msgspec

WINDOW_S: Final = 120
LEAST_SHARE: Final = 5e-5  # of open interest, in a window, for a spell to run
TOLD_SHARE: Final = 3e-3  # of open interest, in all, for a spell to be told


class Flow(msgspec.Struct, frozen=True, gc=False):
    """What was forced in one second, and open interest in it."""

    second: int
    forced_base: float
    forced_usd: float
    interest_base: float


class Spell(msgspec.Struct):
    """One stretch of forced flow, up to now.

    Attributes:
        onset: First second with forced flow.
        end: Last one so far.
        interest_base: Open interest at the onset.
        forced_base, forced_usd: What was forced, coins and dollars.
    """

    onset: int
    end: int
    interest_base: float
    forced_base: float = 0.0
    forced_usd: float = 0.0

    def add(self, flow: Flow) -> None:
        """Go on for another second."""
        self.end = flow.second
        self.forced_base += flow.forced_base
        self.forced_usd += flow.forced_usd


class Spells:
    """The spells of one asset and position.

    Attributes:
        told: Those that are large enough, in order; the last one may still run.
    """

    def __init__(self) -> None:
        self.told: list[Spell] = []
        self._window: deque[Flow] = deque()
        self._spell: Spell | None = None
        self._runs = False

    def take(self, flow: Flow) -> None:
        """Take the next second in which anything was forced; those without are left out."""
        if not self._holds(flow.second - 1):
            self._runs = False
        self._window.append(flow)
        if not self._holds(flow.second):
            self._runs = False
            return
        if self._runs and self._spell is not None:
            self._spell.add(flow)
        else:
            last = -1 if self._spell is None else self._spell.end
            began = [one for one in self._window if one.second > last]
            self._spell = Spell(began[0].second, flow.second, began[0].interest_base)
            self._runs = True
            for one in began:
                self._spell.add(one)
        spell = self._spell
        large = spell.forced_base >= TOLD_SHARE * spell.interest_base
        if large and (not self.told or self.told[-1] is not spell):
            self.told.append(spell)

    def _holds(self, second: int) -> bool:
        """Whether the window that ends with a second holds enough for a spell to run."""
        window = self._window
        while window and window[0].second <= second - WINDOW_S:
            window.popleft()
        return sum(one.forced_base / one.interest_base for one in window) >= LEAST_SHARE
