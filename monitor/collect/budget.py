"""Manners towards a venue: how often it is asked, how long is waited, when to try again.

Nothing here reads a clock or draws its own dice: the time in seconds and the random source are
arguments, so each rule can be proven without waiting for it.
"""

from collections import deque
from random import Random

import msgspec

# Doubling beyond this changes nothing under any sensible cap, but would overflow after weeks.
_MOST_DOUBLINGS = 30


class Patience(msgspec.Struct, frozen=True):
    """How long the collector waits for what; wall seconds unless said otherwise.

    Attributes:
        open_timeout_s: For a connection to be open, handshake included.
        send_timeout_s: For one client frame to leave.
        close_timeout_s: For a venue to answer a close; then the socket is cut.
        overlap_s: How long a replaced connection goes on beside the next, once that delivers.
        backoff_base_s: Most that the first retry waits; it doubles from there.
        backoff_cap_s: Most that any retry waits, whatever a venue asks for.
        max_frame_bytes: Longest frame taken; a longer one costs the connection.
        answer_timeout_s: For a whole REST answer.
        max_answer_bytes: Longest REST answer taken.
        answers_at_once: Most REST requests of a venue under way.
        refresh_every_s: Market seconds between two early refreshes of the listings.
    """

    open_timeout_s: float = 10.0
    send_timeout_s: float = 10.0
    close_timeout_s: float = 0.5
    overlap_s: float = 3.0
    backoff_base_s: float = 0.5
    backoff_cap_s: float = 60.0
    max_frame_bytes: int = 4 * 1024 * 1024
    answer_timeout_s: float = 10.0
    max_answer_bytes: int = 64 * 1024 * 1024
    answers_at_once: int = 4
    refresh_every_s: float = 300.0


class Window:
    """A rolling budget: at most `limit` of weight in any `window_s` seconds.

    With a limit of 1 and a window of 1 / rate it paces evenly. A weight above the limit is
    let through alone, since waiting longer would not make it fit.
    """

    def __init__(self, limit: float, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._booked: deque[tuple[float, float]] = deque()  # (counts until, weight)
        self._sum = 0.0
        self._last_s = 0.0

    def reserve(self, now_s: float, weight: float = 1.0) -> float:
        """Book `weight` at the earliest moment that is free; seconds to wait for it.

        Bookings are kept in the order they are made, so nobody overtakes.
        """
        at_s = max(now_s, self._last_s) if self._booked else now_s
        while self._booked:
            until_s, spent = self._booked[0]
            if until_s > at_s:
                if self._sum + weight <= self._limit:
                    break
                at_s = until_s
            self._booked.popleft()
            self._sum -= spent
        if not self._booked:
            self._sum = 0.0
        self._booked.append((at_s + self._window_s, weight))
        self._sum += weight
        self._last_s = at_s
        return at_s - now_s


class Backoff:
    """Waits between retries: exponential with full jitter, without end.

    Attributes:
        attempts: Retries since the last success.
    """

    def __init__(self, base_s: float, cap_s: float, rng: Random) -> None:
        self.attempts = 0
        self._base_s = base_s
        self._cap_s = cap_s
        self._rng = rng

    def next_s(self, asked_s: float = 0.0) -> float:
        """Seconds to wait now; at least what the venue asked for, at most the cap."""
        most_s = min(self._cap_s, self._base_s * 2.0 ** min(self.attempts, _MOST_DOUBLINGS))
        self.attempts += 1
        return max(self._rng.uniform(0.0, most_s), min(asked_s, self._cap_s))

    def reset(self) -> None:
        """Begin anew; only useful data earns it."""
        self.attempts = 0


def retry_after_s(header: str | None) -> float:
    """Seconds that a Retry-After header asks for; 0 when absent or not a number of seconds."""
    text = (header or "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0.0  # noqa: PLR2004 - nine digits are thirty years
