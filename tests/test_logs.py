"""Log lines: what stands in them, where they go, and what never stands in them."""

import ast
import asyncio
import errno
import io
import json
import logging
import os
import pty
import select
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog

from monitor import logs
from monitor.config import Config, Credentials, Log

ROOT = Path(__file__).resolve().parents[1]
SECRET = "correct horse battery staple"
LEVELS = {"debug", "info", "warning", "error", "critical", "exception"}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was: other tests share this process."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(**options: Any) -> io.BytesIO:
    """A stream that all logging now goes to."""
    stream = io.BytesIO()
    logs.configure(Log(**options), stream)
    return stream


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    """The stream's JSON lines, without their times."""
    events = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    for event in events:
        event.pop("timestamp")
    return events


class Full(io.BytesIO):
    """A stream on a disk that is full for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def write(self, data: Any) -> int:
        """Take the data, or fail as the system does."""
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(data)


def test_line_is_one_json_object_with_the_given_keys() -> None:
    """An event is one line: its sentence, level, time and keys, on whatever it holds."""
    stream = configured()
    structlog.get_logger().info("venue connected", venue="okx", after_s=1.5, path=Path("a\nb"))
    (line,) = stream.getvalue().splitlines()
    event = orjson.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "venue connected",
        "level": "info",
        "venue": "okx",
        "after_s": 1.5,
        "path": repr(Path("a\nb")),
    }


def test_level_filters_what_is_less_important() -> None:
    """Lines below the configured level are not written."""
    stream = configured(level="warning")
    log = structlog.get_logger()
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("something happened", at=level)
    assert [event["at"] for event in lines(stream)] == ["warning", "error"]


def test_new_set_up_replaces_the_old_one() -> None:
    """After a second set-up each line comes once, to the new place, from old loggers too."""
    log = structlog.get_logger()
    library = logging.getLogger("aiohttp.access")
    first = configured()
    log.info("first", n=1)
    second = configured()
    log.info("second", n=2)
    library.error("refused")
    assert [event["event"] for event in lines(first)] == ["first"]
    assert [event["event"] for event in lines(second)] == ["second", "library message"]


@pytest.mark.parametrize("name", ["mqtt", "websockets.client", "aiohttp.client", "asyncio"])
def test_libraries_are_heard_from_warning_up(name: str) -> None:
    """What a library logs comes once, as an event of ours, from WARNING up."""
    stream = configured(level="debug")
    library = logging.getLogger(name)
    library.info("too much detail")
    library.warning("There are %d pending publish calls.", 11)
    assert lines(stream) == [
        {
            "event": "library message",
            "level": "warning",
            "library": name,
            "message": "There are 11 pending publish calls.",
        }
    ]


def test_library_record_with_wrong_arguments_is_still_told() -> None:
    """A record whose arguments do not fit its template comes as the template."""
    stream = configured()
    logging.getLogger("lib").error("%d orders", "no number")
    assert [event["message"] for event in lines(stream)] == ["%d orders"]


def test_python_warnings_are_lines_too() -> None:
    """A warning of Python's own becomes a line, so that stderr stays JSON."""
    stream = configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("this call is deprecated", DeprecationWarning, stacklevel=1)
    (event,) = lines(stream)
    assert event["library"] == "py.warnings"
    assert "this call is deprecated" in event["message"]


def test_traceback_is_in_the_line_without_local_variables() -> None:
    """An exception is told with its traceback on one line, and no variable's value."""
    stream = configured()
    told = io.BytesIO()

    def fail(password: str) -> None:
        raise ValueError(f"no broker takes {len(password)} characters")

    for target, kind in ((stream, "json"), (told, "console")):
        logs.configure(Log(format=kind), target)  # type: ignore[arg-type]
        try:
            fail(SECRET)
        except ValueError:
            structlog.get_logger().exception("broker refused")
    (event,) = lines(stream)
    assert event["event"] == "broker refused"
    assert event["exception"].endswith("ValueError: no broker takes 28 characters")
    assert b"ValueError: no broker takes 28 characters" in told.getvalue()
    assert SECRET.encode() not in stream.getvalue() + told.getvalue()


def test_grouped_exceptions_are_told_whole() -> None:
    """Of a task group's failure every part is in the line."""
    stream = configured()

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail("first"))
            group.create_task(fail("second"))

    async def fail(word: str) -> None:
        raise OSError(word)

    try:
        asyncio.run(both())
    except* OSError:
        structlog.get_logger().exception("producers failed")
    (event,) = lines(stream)
    assert "OSError: first" in event["exception"]
    assert "OSError: second" in event["exception"]


@pytest.mark.parametrize("kind", ["json", "console"])
def test_credentials_are_never_written(kind: str) -> None:
    """Logging the credentials or the configuration shows no password."""
    stream = configured(format=kind)
    structlog.get_logger().info(
        "broker connected", credentials=Credentials("me", SECRET), config=Config()
    )
    logging.getLogger("mqtt").warning("login %s", Credentials("me", SECRET))
    text = stream.getvalue().decode()
    assert text.count("Credentials(user='me', password='***')") == 2
    assert SECRET not in text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("\udcff", "\udcff"),
        (1 << 80, 1 << 80),
        (b"\xff", repr(b"\xff")),
        ({1: "one"}, {"1": "one"}),
    ],
)
def test_no_value_breaks_a_line(value: object, written: object) -> None:
    """Half a surrogate pair, a huge integer, bytes and odd keys are written, not raised."""
    stream = configured()
    structlog.get_logger().info("odd value", value=value)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["value"] == written


def test_full_disk_drops_lines_and_counts_them() -> None:
    """A line that cannot be written is counted; logging goes on when the disk does."""
    stream = Full()
    sink = logs.configure(Log(), stream)
    log = structlog.get_logger()
    log.info("lost")
    log.info("lost")
    stream.full = False
    log.info("kept")
    assert (sink.dropped, [event["event"] for event in lines(stream)]) == (2, ["kept"])


def test_closed_stream_stops_nothing() -> None:
    """After its stream is closed, logging drops and counts."""
    stream = io.BytesIO()
    sink = logs.configure(Log(), stream)
    stream.close()
    structlog.get_logger().error("nobody listens")
    assert sink.dropped == 1


PROGRAM = """
import structlog
from monitor import logs
from monitor.config import Log
logs.configure(Log(format={format!r}))
structlog.get_logger().info("venue connected", venue="okx")
"""


def stderr_of(kind: str, *, terminal: bool) -> bytes:
    """What a program with this format writes to stderr, and nothing to stdout."""
    environ = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    command = [sys.executable, "-c", PROGRAM.format(format=kind)]
    if not terminal:
        done = subprocess.run(
            command, capture_output=True, check=True, timeout=30, cwd=ROOT, env=environ
        )
        assert done.stdout == b""
        return done.stderr
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT, env=environ
    ) as process:
        os.close(theirs)
        seen = b""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and select.select([ours], [], [], 30)[0]:
            try:
                seen += os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
        os.close(ours)
        assert process.stdout is not None
        assert process.stdout.read() == b""
    assert process.returncode == 0
    return seen


@pytest.mark.parametrize(
    ("kind", "terminal", "is_json"),
    [
        ("auto", False, True),
        ("auto", True, False),
        ("json", True, True),
        ("console", False, False),
    ],
)
def test_format_follows_the_terminal_unless_told(kind: str, terminal: bool, is_json: bool) -> None:
    """Stderr gets JSON lines, a terminal lines for people; stdout gets nothing."""
    text = stderr_of(kind, terminal=terminal)
    if is_json:
        event = orjson.loads(text)
        assert (event["event"], event["venue"]) == ("venue connected", "okx")
    else:
        assert b"venue connected" in text
        assert not text.startswith(b"{")
    assert (b"\x1b[" in text) == (terminal and not is_json)


def log_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of a log method in the program, with its place."""
    for path in sorted((ROOT / "monitor").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name(id=name) | ast.Attribute(attr=name), attr=method
                    )
                ) if name in {"log", "_log", "logger", "_logger"} and method in LEVELS:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def test_events_are_constant_lower_case_sentences() -> None:
    """Every event of the program is a constant text without capitals or a full stop."""
    offending = [
        place
        for place, call in log_calls()
        if not (
            call.args
            and isinstance(call.args[0], ast.Constant)
            and isinstance(call.args[0].value, str)
            and call.args[0].value == call.args[0].value.lower().strip().rstrip(".")
        )
    ]
    assert offending == []
