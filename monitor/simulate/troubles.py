"""Incidents and injected negatives of a chunk, as the kernel takes them: flags by second."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from kernels import dtypes
from kernels.dtypes import ROWS_OF_ASSET, Records, burst_dtype, whale_dtype
from monitor.simulate.incidents import Incident, Kind
from monitor.simulate.negatives import Negative, NegativeKind

# Connections of a venue are numbered from here; every fourth number is the venue's own, the
# others are for connections beside it.
_FIRST_CONNECTION: Final = 1_000_000
_STEP: Final = 4
# A burst is held below this share of open interest, of each position.
_BURST_MOST: Final = 0.0004
# Part of a burst that the position with most of it has.
_ONE_SIDED: Final = 0.8
_MOST_PIECES: Final = 4

_FLAGS: Final = {
    NegativeKind.VENUE_DOWN: dtypes.DOWN,
    NegativeKind.DUPLICATES: dtypes.THRICE,
    NegativeKind.FROZEN_INTEREST: dtypes.FROZEN_INTEREST,
    NegativeKind.FROZEN_DEPTH: dtypes.FROZEN_DEPTH,
    NegativeKind.SIDE_FLIP: dtypes.FLIPPED,
}
_ON_ALL_VENUES: Final = (NegativeKind.FROZEN_INTEREST, NegativeKind.FROZEN_DEPTH)
_BURSTS: Final = (NegativeKind.FUNDING_BURST, NegativeKind.OPEN_BURST)


@dataclass(frozen=True)
class Trouble:
    """What is wrong in a chunk; see `kernels.observation.show`.

    Attributes:
        flags: Bits (seconds, contracts), uint16.
        releases: Second of the chunk at which what is cut is sent, -1 for never (int32).
        numbers: Connection of each venue (seconds, venues), int32.
        whales: Orders beside those of the tape.
        bursts: Flow beside that of the tape.
    """

    flags: npt.NDArray[np.uint16]
    releases: npt.NDArray[np.int32]
    numbers: npt.NDArray[np.int32]
    whales: Records
    bursts: Records


class Troubles:
    """Makes each chunk's trouble; knows how many connections there have been."""

    def __init__(self, assets: int, venues: int, negatives: Sequence[Negative]) -> None:
        self._contracts = assets * ROWS_OF_ASSET
        self._negatives = negatives
        self._numbers = np.arange(1, venues + 1, dtype=np.int32) * _FIRST_CONNECTION

    def between(self, second: int, seconds: int, incidents: Sequence[Incident]) -> Trouble:
        """Of the chunk that starts at `second`; the incidents are those that run in it."""
        end_s = second + seconds
        running = [one for one in self._negatives if one.start_s < end_s and one.end_s > second]
        trouble = Trouble(
            np.zeros((seconds, self._contracts), np.uint16),
            np.full((seconds, self._contracts), -1, np.int32),
            np.tile(self._numbers, (seconds, 1)),
            self._whales(running, second, end_s),
            _bursts(running),
        )
        for incident in incidents:
            self._incident(trouble, incident, second)
        for one in running:
            _negative(trouble, one, second)
        return trouble

    def _incident(self, trouble: Trouble, one: Incident, second: int) -> None:
        during = slice(max(0, one.start_s - second), max(0, one.end_s - second))
        if one.kind is Kind.OVERLAP:
            trouble.flags[during, one.venue :: ROWS_OF_ASSET] |= dtypes.TWICE
            return
        if one.start_s >= second:
            # Whatever comes from its start on is from the connection that follows.
            trouble.numbers[during.start :, one.venue] += _STEP
            self._numbers[one.venue] += _STEP
        flag = dtypes.DOWN if one.kind is Kind.OUTAGE else dtypes.CUT | dtypes.ANEW
        trouble.flags[during, one.venue :: ROWS_OF_ASSET] |= flag
        if one.venue == 0:
            trouble.flags[during, ROWS_OF_ASSET - 1 :: ROWS_OF_ASSET] |= flag
        if one.replayed_s:
            late = slice(max(0, one.end_s - one.replayed_s - second), during.stop)
            trouble.releases[late, one.venue :: ROWS_OF_ASSET] = one.end_s - second

    def _whales(self, running: Sequence[Negative], second: int, end_s: int) -> Records:
        found: list[tuple[int, int, int, int, float]] = []
        for one in running:
            if one.kind is not NegativeKind.WHALE:
                continue
            row = one.asset * ROWS_OF_ASSET + one.venue
            pieces = 1 + int(one.size * 1e6) % _MOST_PIECES
            found.extend(
                (at_s, row, one.position, pieces, one.size / one.seconds)
                for at_s in range(max(one.start_s, second), min(one.end_s, end_s))
            )
        return np.array(sorted(found), whale_dtype)


def _bursts(running: Sequence[Negative]) -> Records:
    found = []
    for one in running:
        if one.kind in _BURSTS:
            parts = [_ONE_SIDED, 1.0 - _ONE_SIDED]
            if one.position == dtypes.SHORT:
                parts.reverse()
            # The tape's own flow is once the usual one.
            long, short = ((one.size - 1.0) * part for part in parts)
            most = _BURST_MOST / one.seconds
            found.append((one.start_s, one.end_s, one.asset, long, short, most))
    return np.array(found, burst_dtype)


def _negative(trouble: Trouble, one: Negative, second: int) -> None:
    during = slice(max(0, one.start_s - second), max(0, one.end_s - second))
    base = one.asset * ROWS_OF_ASSET
    rows = slice(base + one.venue, base + one.venue + 1)
    if one.kind in _ON_ALL_VENUES:
        rows = slice(base, base + ROWS_OF_ASSET - 1)
    if one.kind in _FLAGS:
        trouble.flags[during, rows] |= _FLAGS[one.kind]
    elif one.kind is NegativeKind.CLOCK_SKEW:
        skew = dtypes.SKEW_AHEAD if one.position else dtypes.SKEW_BACK
        trouble.flags[during, rows] |= skew
    elif one.kind is NegativeKind.GAP_REPLAY:
        anew = dtypes.ANEW | dtypes.ASIDE if one.position else 0
        trouble.flags[during, rows] |= dtypes.CUT | anew
        trouble.releases[during, rows] = one.end_s - second
