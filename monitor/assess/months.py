"""What is scored: a simulated month of many assets, what was seen of it, and what was said.

Seconds count from the month's first. A ladder is an asset and whose positions were closed:
ladder 2 a is asset a's longs, ladder 2 a + 1 its shorts.
"""

from dataclasses import dataclass, field

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.assess.passage import Record
from monitor.simulate.negatives import Negative

Shares = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Alarm:
    """One alarm of one tier.

    Attributes:
        ladder: Whose.
        detected: Second in which it was raised.
        ended: Second in which it ended; the number of seconds when it lasted to the end.
    """

    ladder: int
    detected: int
    ended: int


class Ending(msgspec.Struct, frozen=True):
    """How a detected episode ended, or that it paused.

    Attributes:
        ladder: Whose.
        onset: Second of its ONSET.
        second: Second of the ending or the pause.
        state: "EXHAUSTED", "FIZZLED" or "UNCONFIRMED"; "EXHAUSTING" for a pause.
        probability: Published chance of another wave; NaN where there is none.
    """

    ladder: int
    onset: int
    second: int
    state: str
    probability: float


class Injection(msgspec.Struct, frozen=True):
    """One hard negative that was put into a month.

    Attributes:
        kind: Its name.
        asset: On which asset.
        start: First second.
        end: Last second.
    """

    kind: str
    asset: int
    start: int
    end: int


@dataclass(frozen=True)
class Month:
    """One simulated month of several assets, and what the detector said in it.

    Attributes:
        regime: Name of the regime.
        forced: Forced coins over open interest (seconds x ladders).
        endogenous: The part that no mark without forced flow had reached (the same).
        mark: Mark price, US dollars (seconds x assets).
        interest: Open interest, coins (seconds x assets).
        record: For curves and baselines; None to do without.
        alarms: Tier -> its alarms, in order of detection.
        endings: How detected episodes paused and ended, in order.
        injections: Hard negatives put in.
    """

    regime: str
    forced: Shares
    endogenous: Shares
    mark: Shares
    interest: Shares
    record: Record | None = None
    alarms: dict[str, tuple[Alarm, ...]] = field(default_factory=dict)
    endings: tuple[Ending, ...] = ()
    injections: tuple[Injection, ...] = ()

    @property
    def seconds(self) -> int:
        """How long it is."""
        return len(self.mark)

    @property
    def assets(self) -> int:
        """How many symbol-months it holds."""
        return int(self.mark.shape[1])


def injection(negative: Negative, start_s: int) -> Injection:
    """An injection of what venues show, in seconds of a month that starts at `start_s`."""
    return Injection(
        kind=negative.kind.value,
        asset=negative.asset,
        start=negative.start_s - start_s,
        end=negative.end_s - start_s - 1,
    )


def column(values: Shares, place: int) -> Shares:
    """One column of a month, in one piece."""
    return np.ascontiguousarray(values[:, place], dtype=np.float32)
