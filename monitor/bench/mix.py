"""The frames that everything is measured on: book tops, trades, and one forced order in a hundred.

They are those of a recorded tape where one is at hand, its depth frames left out, and else made
up in the same proportions and of the same length. Forced orders are spread evenly and so small
that no ladder leaves its rest: what is measured is the path, not a cascade.
"""

import gzip
import math
import random
from pathlib import Path
from typing import Final, Literal

import msgspec
from websockets.frames import Frame, Opcode

from monitor.errors import MeasureError

NS_PER_MS: Final = 1_000_000
SYMBOL: Final = "BTCUSDT"
TAPE: Final = "binance_usdm_btcusdt_20240808.gz"
_FORCED_EVERY: Final = 100
_MADE_UP: Final = 88_000  # frames, where there is no tape
_MADE_UP_EPOCH_MS: Final = 1_795_392_000_000
_MADE_UP_STEP_NS: Final = 3_400_000
_TOPS_RATIO: Final = 0.75  # book tops of all made-up frames; the others are trades
_SEED: Final = 7


class Mix(msgspec.Struct, frozen=True):
    """Frames in their order, with the times they were received at.

    Attributes:
        source: Whether they were recorded or made up.
        stamps: Receive times, nanoseconds since 1970; they never go back.
        frames: What was received.
        book_tops, trades, forced_orders: How many there are of each kind.
    """

    source: Literal["recorded", "made up"]
    stamps: tuple[int, ...]
    frames: tuple[bytes, ...]
    book_tops: int
    trades: int
    forced_orders: int

    def part(self, start: int, end: int) -> "Mix":
        """The frames from one place to another."""
        return _counted(self.source, self.stamps[start:end], self.frames[start:end])

    def wire(self) -> bytes:
        """The frames as a server sends them."""
        return b"".join(Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in self.frames)


def usual_tape() -> Path | None:
    """The tape in the directory of recorded data beside the project; None where it is absent."""
    tape = Path(__file__).resolve().parents[3] / "shared" / "data" / "streams" / TAPE
    return tape if tape.is_file() else None


def load(tape: Path | None, most: int = 0) -> Mix:
    """The mix of a tape, or a made-up one; no more than `most` frames unless that is 0.

    Raises:
        MeasureError: The tape cannot be read.
    """
    if tape is None:
        stamps, frames = _made_up(most or _MADE_UP)
        source: Literal["recorded", "made up"] = "made up"
    else:
        stamps, frames = _recorded(tape, most)
        source = "recorded"
    stamps, frames = _with_forced(stamps, frames, most or len(frames) * 2)
    return _counted(source, tuple(stamps), tuple(frames))


def _counted(
    source: Literal["recorded", "made up"], stamps: tuple[int, ...], frames: tuple[bytes, ...]
) -> Mix:
    tops = sum(1 for frame in frames if frame.find(b"@bookTicker", 0, 64) > 0)
    forced = sum(1 for frame in frames if frame.find(b"!forceOrder", 0, 64) > 0)
    return Mix(source, stamps, frames, tops, len(frames) - tops - forced, forced)


def _recorded(tape: Path, most: int) -> tuple[list[int], list[bytes]]:
    """Book tops and trades of a tape whose lines are `<receive stamp> <frame>`."""
    stamps: list[int] = []
    frames: list[bytes] = []
    try:
        with gzip.open(tape) as lines:
            for line in lines:
                if line.find(b"@depth", 0, 64) > 0:
                    continue
                stamp, _, frame = line.rstrip(b"\n").partition(b" ")
                stamps.append(int(stamp))
                frames.append(frame)
                if len(frames) == most:
                    break
    except (OSError, ValueError, EOFError) as error:
        raise MeasureError(f"expected lines `<stamp> <frame>` in {tape} ({error})") from error
    return stamps, frames


def _made_up(count: int) -> tuple[list[int], list[bytes]]:
    """Frames like those of a tape: three book tops to a trade, prices that wander by ticks."""
    dice = random.Random(_SEED)  # noqa: S311 - the same frames each time, no secret
    stamps = [_MADE_UP_EPOCH_MS * NS_PER_MS + k * _MADE_UP_STEP_NS for k in range(count)]
    frames: list[bytes] = []
    ticks, number = 618_000, 5_123_107_839_020
    for stamp in stamps:
        at_ms = stamp // NS_PER_MS
        number += 8
        if dice.random() < _TOPS_RATIO:
            ticks += dice.choice((-1, 0, 0, 1))
            frames.append(
                b'{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":%d,"s":"BTCUSDT",'
                b'"b":"%.2f","B":"%.3f","a":"%.2f","A":"%.3f","T":%d,"E":%d}}'
                % (number, ticks / 10, _size(dice), (ticks + 1) / 10, _size(dice), at_ms, at_ms)
            )
        else:
            frames.append(
                b'{"stream":"btcusdt@trade","data":{"e":"trade","E":%d,"T":%d,"s":"BTCUSDT",'
                b'"t":%d,"p":"%.2f","q":"%.3f","X":"MARKET","m":%b}}'
                % (at_ms, at_ms, number, ticks / 10, _size(dice), dice.choice((b"true", b"false")))
            )
    return stamps, frames


def _size(dice: random.Random) -> float:
    return 0.002 + math.exp(dice.gauss(-2.0, 1.5))


def _with_forced(
    stamps: list[int], frames: list[bytes], most: int
) -> tuple[list[int], list[bytes]]:
    """The same with a forced order as every hundredth frame."""
    all_stamps: list[int] = []
    all_frames: list[bytes] = []
    last_ns = 0
    for place, (stamp, frame) in enumerate(zip(stamps, frames, strict=True)):
        last_ns = max(last_ns, stamp)
        if place % (_FORCED_EVERY - 1) == _FORCED_EVERY // 2:
            all_stamps.append(last_ns)
            all_frames.append(forced_order(SYMBOL, place // 99, last_ns // NS_PER_MS, 61_800.0))
        all_stamps.append(last_ns)
        all_frames.append(frame)
    return all_stamps[:most], all_frames[:most]


def forced_order(
    symbol: str, number: int, time_ms: int, price: float, coins: float = 0.0
) -> bytes:
    """A forced order; even numbers close longs, odd ones shorts. Without `coins` it is small."""
    quantity = coins or 0.002 * (1 + number % 50)
    direction = b"BUY" if number % 2 else b"SELL"
    return (
        b'{"stream":"!forceOrder@arr","data":{"e":"forceOrder","E":%d,"o":{"s":"%b","S":"%b",'
        b'"o":"LIMIT","f":"IOC","q":"%.3f","p":"%.2f","ap":"%.2f","X":"FILLED","l":"%.3f",'
        b'"z":"%.3f","T":%d}}}'
        % (
            time_ms,
            symbol.encode(),
            direction,
            quantity,
            price,
            price,
            quantity,
            quantity,
            time_ms,
        )
    )
