"""Reading recordings back: whole, cut, damaged and foreign ones."""

from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.collect.recording import Cut, Entry, Frame, Header, header_line, line, pack, read
from monitor.errors import StateError
from monitor.events import Answer, Fact, FactKind

TEXTS = st.text(max_size=20)
STAMPS = st.integers(0, 2**63 - 1)
DATA = st.binary(max_size=40) | TEXTS.map(str.encode)
ENTRIES = st.lists(
    st.builds(Frame, STAMPS, st.integers(0, 2**31), DATA)
    | st.builds(
        Fact, STAMPS, st.integers(0, 2**31), TEXTS, TEXTS, st.sampled_from(FactKind), TEXTS
    )
    | st.builds(Answer, STAMPS, TEXTS, TEXTS, TEXTS, st.integers(0, 999), DATA),
    max_size=8,
)


def write(path: Path, *packs: bytes) -> Path:
    """A file of these zstd frames."""
    path.write_bytes(b"".join(packs))
    return path


@given(ENTRIES)
@settings(max_examples=100, deadline=None)
def test_lines_keep_entries_exactly(
    tmp_path_factory: pytest.TempPathFactory, entries: list[Frame | Fact | Answer]
) -> None:
    """Whatever an entry holds, it is read back equal."""
    path = tmp_path_factory.mktemp("log") / "a.jsonl.zst"
    write(path, pack([header_line(0, {"k": [1]}), *map(line, entries)]))
    assert list(read([path])) == [Header(0, path, {"k": [1]}), *entries]


def three_packs(path: Path) -> tuple[list[bytes], list[Entry]]:
    """A header and two packs of two frames each, and the entries they hold."""
    frames = [Frame(number, 1, b"data %d" % number) for number in range(4)]
    packs = [
        pack([header_line(0, {})]),
        pack(map(line, frames[:2])),
        pack(map(line, frames[2:])),
    ]
    return packs, [Header(0, path, {}), *frames]


def test_a_file_cut_anywhere_gives_its_whole_packs_and_says_so(tmp_path: Path) -> None:
    """Cut at any byte, a file gives each pack that is whole, then a Cut if one is not."""
    path = tmp_path / "a.jsonl.zst"
    packs, entries = three_packs(path)
    whole = b"".join(packs)
    ends = [len(packs[0]), len(packs[0] + packs[1]), len(whole)]
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = entries[: [0, 1, 3, 5][sum(end <= length for end in ends)]]
        last_ns = kept[-1].received_ns if kept else 0
        cut = [] if length in ends else [Cut(last_ns, path)]
        assert list(read([path])) == kept + cut


def test_a_log_goes_on_after_a_cut(tmp_path: Path) -> None:
    """A file that breaks off does not hide the ones after it."""
    first, second = tmp_path / "a", tmp_path / "b"
    packs, entries = three_packs(first)
    write(first, *packs[:2], packs[2][:-3])
    write(second, pack([header_line(9, {}), line(Frame(9, 2, b"on"))]))
    assert list(read([first, second])) == [
        *entries[:3],
        Cut(1, first),
        Header(9, second, {}),
        Frame(9, 2, b"on"),
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"{}\n", "is no recording of liqmon, or is damaged"),
        (b"PK\x03\x04 something else entirely", "is no recording of liqmon, or is damaged"),
        (pack([b"a,b\n1,2\n"]), "expected lines of a liqmon recording"),
        (pack([b'{"t":"soon"}\n']), "expected lines of a liqmon recording"),
        (pack([b""]), "expected lines of a liqmon recording, was empty"),
        (pack([b'{"t":1,"c":1,"f":"x"}\n']), "expected a header of liqmon first"),
        (
            pack([b'{"liqmon":2,"t":1,"header":{}}\n']),
            "expected recording format 1, was 2",
        ),
        (
            pack([header_line(1, {}), b'{"t":77}\n']),
            "expected an entry of a liqmon recording at 77, was none",
        ),
    ],
)
def test_a_foreign_file_is_refused_by_name(tmp_path: Path, content: bytes, complaint: str) -> None:
    """What is no recording raises StateError, with the file and what was expected."""
    path = write(tmp_path / "foreign", content)
    with pytest.raises(StateError, match=complaint) as refusal:
        list(read([path]))
    assert str(path) in str(refusal.value)


def test_damage_in_the_middle_is_refused(tmp_path: Path) -> None:
    """A flipped byte before the end is damage, not a cut."""
    path = tmp_path / "a.jsonl.zst"
    packs, _ = three_packs(path)
    write(path, packs[0], b"\x00" + packs[1][1:], packs[2])
    with pytest.raises(StateError, match="is damaged"):
        list(read([path]))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    """A path without a file raises StateError with that path."""
    with pytest.raises(StateError, match=r"cannot read .*nowhere: No such file"):
        list(read([tmp_path / "nowhere"]))


def test_files_out_of_order_are_refused(tmp_path: Path) -> None:
    """A log never goes back: files given in the wrong order are no log."""
    early = write(tmp_path / "early", pack([header_line(1, {}), line(Frame(1, 1, b"a"))]))
    late = write(tmp_path / "late", pack([header_line(2, {}), line(Frame(2, 1, b"b"))]))
    with pytest.raises(StateError, match="begins before the file ahead of it ends"):
        list(read([late, early]))


def test_zstd_tools_can_read_a_recording(tmp_path: Path) -> None:
    """Packs one after the other are one zstd stream of JSON lines for any other tool."""
    path = tmp_path / "a.jsonl.zst"
    packs, _ = three_packs(path)
    write(path, *packs)
    with zstandard.open(path, "rt", encoding="utf-8") as lines:
        assert len(lines.readlines()) == 5
