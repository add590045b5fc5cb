"""Damaged frames, made from whole ones, for whatever has to survive them."""

import re

from hypothesis import strategies as st

HUGE = (b"1e999", b"9" * 400, b"1e308", b"-1e308", b"1e-300", b"NaN", b"Infinity", b"-1", b"0")
_NUMBER = re.compile(rb"\d+(\.\d+)?")


@st.composite
def damaged(draw: st.DrawFn, tape: list[bytes]) -> bytes:
    """A frame with a byte changed, cut, a number replaced, nested deep; or any bytes."""
    frame = draw(st.sampled_from(tape))
    way = draw(st.integers(0, 5))
    if way == 0 or not frame:
        return draw(st.binary(max_size=200))
    at = draw(st.integers(0, len(frame) - 1))
    if way == 1:
        return frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    if way == 2:
        return frame[:at]
    if way == 3:
        depth = draw(st.sampled_from([10, 2_000, 100_000]))
        return frame[:at] + draw(st.sampled_from([b"[", b'{"a":'])) * depth + frame[at:]
    found = list(_NUMBER.finditer(frame))
    if way == 4 and found:
        number = draw(st.sampled_from(found))
        return frame[: number.start()] + draw(st.sampled_from(HUGE)) + frame[number.end() :]
    other = draw(st.sampled_from(tape))
    return frame[:at] + other[draw(st.integers(0, len(other))) :]
