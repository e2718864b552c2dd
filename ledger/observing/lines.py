"""Lines of log: one JSON object a line for machines, columns and colours for who sits before a terminal.

They go to standard error, as standard output is for what a command answers. `set_up` is called once, by whatever runs
as a service; until then, and so in a program that only asks or imports something, no more than warnings are told.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import Any, BinaryIO, Final, Literal

import msgspec
import structlog
from structlog.typing import EventDict, Processor

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["auto", "json", "text"]

LEVELS: Final[dict[Level, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_encode: Final = msgspec.json.Encoder().encode
QUIET: Final[Level] = "warning"
_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True, key="at")


def set_up(level: Level, form: Form = "auto") -> None:
    """Write lines of that level and above from here on; `auto` is text on a terminal, JSON elsewhere.

    A line below the level costs the comparison and no more.
    """
    configure(level, form, for_good=True)
    # What libraries have to say comes the same way, without the traceback: it may quote what somebody sent.
    logging.basicConfig(handlers=[_OfLibraries(logger().bind())], level=logging.WARNING, force=True)


def logger() -> Any:
    """What the program tells its lines to; it may be asked for before `set_up`."""
    return structlog.get_logger()


def configure(level: Level, form: Form, *, for_good: bool) -> None:
    """The same without the libraries; unless it is `for_good`, it may be set up otherwise later."""
    is_terminal = sys.stderr.isatty()
    last: Processor = _Text(colours=is_terminal) if form == "text" or (form == "auto" and is_terminal) else _json
    sink = _Sink(sys.stderr.buffer)
    structlog.configure(
        processors=[structlog.processors.add_log_level, _stamp, last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=for_good,
    )


class _OfLibraries(logging.Handler):
    """Lines of the standard library's loggers."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one on."""
        # Of several lines the first says what happened; those behind it may quote an exception, as `asyncio` does.
        self._log.log(record.levelno, record.getMessage().partition("\n")[0], logger=record.name)


class _Sink:
    """Where lines go. One that nobody takes is lost, and whatever it told of goes on."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._turn = threading.Lock()

    def msg(self, line: bytes) -> None:
        """Write one line."""
        with self._turn, suppress(OSError, ValueError):
            self._file.write(line + b"\n")
            self._file.flush()

    debug = info = warning = error = msg


def _json(_logger: Any, _method: str, line: EventDict) -> bytes:
    """One JSON object; a newline within a value is escaped, so that a line is always one event."""
    return _encode(line)


class _Text:
    """Columns for a reader."""

    def __init__(self, *, colours: bool) -> None:
        self._columns = structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="at")

    def __call__(self, logger: Any, method: str, line: EventDict) -> bytes:
        return self._columns(logger, method, line).encode()


if not structlog.is_configured():
    configure(QUIET, "auto", for_good=False)
