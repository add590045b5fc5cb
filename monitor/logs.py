"""How the program speaks of itself: one line a state change, on stderr, never on stdout.

Lines are JSON unless stderr is a terminal. An event is a constant lower-case sentence, and what
differs stands in its keys: `log.info("venue connected", venue="okx", after_s=1.5)`. What
libraries say through the standard `logging` comes the same way, from WARNING up, as
`"event": "library message"`. A line that cannot be written is dropped and counted: no full disk
and no closed terminal stops the daemon. Tracebacks never show local variables, for one of them
may be a password.
"""

import json
import logging
import os
import sys
from typing import BinaryIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from monitor.config import Log

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class Sink:
    """A stream for log lines that never raises.

    Attributes:
        dropped: Lines lost because the stream took none.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.dropped = 0

    def write(self, line: bytes) -> int:
        """Take a line; the stream may hold it back until `flush`."""
        try:
            return self._stream.write(line)
        except (OSError, ValueError):  # full disk, reader gone; stream closed
            self.dropped += 1
            return 0

    def flush(self) -> None:
        """Hand over what is held back; a failure keeps it there for the next time."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return


class Forward(logging.Handler):
    """Brings the records of libraries into the one stream of log lines."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record as an event of ours, its own words as a value."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # arguments that do not fit their template
            message = str(record.msg)
        structlog.get_logger().log(
            record.levelno,
            "library message",
            library=record.name,
            message=message,
            exc_info=record.exc_info,
        )


def configure(options: Log, stream: BinaryIO | None = None) -> Sink:
    """Set up all logging of this process; calling it again replaces the former set-up.

    Args:
        options: The `[log]` section.
        stream: Where lines go instead of stderr.
    """
    target = sys.stderr.buffer if stream is None else stream
    terminal = target.isatty()
    console = options.format == "console" or (options.format == "auto" and terminal)
    colors = terminal and not os.environ.get("NO_COLOR")
    sink = Sink(target)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(_console(colors=colors) if console else _json()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[options.level]),
        logger_factory=structlog.BytesLoggerFactory(sink),  # type: ignore[arg-type]  # it needs no more of a file
        cache_logger_on_first_use=False,  # a logger made before this call obeys it as well
    )
    # "force" takes away whatever handlers others have set up, so no line comes twice
    logging.basicConfig(level=logging.WARNING, handlers=[Forward()], force=True)
    logging.captureWarnings(capture=True)
    return sink


def _json() -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_dumps),
    ]


def _dumps(event: EventDict, **_: object) -> bytes:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS)
    except orjson.JSONEncodeError:  # half a surrogate pair, an integer beyond 64 bits
        return json.dumps(event, default=repr).encode()


def _console(*, colors: bool) -> list[Processor]:
    render = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )

    def encode(logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        return render(logger, method, event).encode(errors="backslashreplace")

    return [encode]
