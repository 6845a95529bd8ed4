"""Logs: they write each event as one line to stderr, with the name of the process."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import orjson
from click import unstyle

from queue_tool.host import greeting
from queue_tool.host.current_request import current_id
from queue_tool.model import events
from queue_tool.model.events import EVENTS
from queue_tool.model.telemetry import Event, Level, Telemetry, fields

_logger = logging.getLogger("queue_tool")


def start(process: str, level: str, style: str, unknown_settings: Callable[[], Sequence[str]]) -> Telemetry:
    """Send this process's log to stderr. Return the telemetry that receives the services' events.

    Args:
        process: the process name in each line, for example "web".
        level: "debug", "info", "warning" or "error".
        style: "text" or "json".
        unknown_settings: returns names that look like settings but are not known. Each one is logged as a warning. It
            is called after the log is configured, because it may log too.
    """
    configure(process, level, style)
    at_a_terminal = style == "text" and sys.stderr.isatty()
    listeners = [listen, greeting.listen] if at_a_terminal else [listen]
    telemetry = Telemetry(*listeners, unheard=unheard(level) - {events.Ready})
    for name in unknown_settings():
        telemetry.emit(events.Warned(reason=f"{name} is not a known setting and was ignored"))
    return telemetry


def configure(process: str, level: str, style: str) -> None:
    """Send this process's log to stderr.

    Args:
        process: the process name in each line, for example "web".
        level: "debug", "info", "warning" or "error".
        style: "text" or "json".
    """
    handler = logging.StreamHandler(sys.stderr)
    lines = _JsonLines if style == "json" else _TerminalLines if sys.stderr.isatty() else _TextLines
    handler.setFormatter(lines(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries log only warnings and errors
    _logger.setLevel(level.upper())
    logging.captureWarnings(True)
    logging.getLogger("werkzeug").addFilter(_is_no_access_line)  # our own log already has each request


def unheard(level: str) -> frozenset[type[Event]]:
    """Return the event classes that a log of this level does not write."""
    return frozenset(kind for kind in EVENTS if kind.level < Level[level.upper()])


def listen(event: Event) -> None:
    """Log an event as one line."""
    _logger.log(event.level, "%s", event.title, extra={"fields": fields(event)})


def _is_no_access_line(record: logging.LogRecord) -> bool:
    return " - - [" not in record.getMessage()


class _TextLines(logging.Formatter):
    """Lines for people: time, level, process, what happened, and the fields as name=value."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._label = f"{process}[{os.getpid()}]"

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        line = f"{self._head(record)} {_message(record)}{pairs}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def _head(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname.lower():7} {self._label}"


class _TerminalLines(_TextLines):
    """Lines for a terminal: aligned, without the date, and without the level if it is "info"."""

    def _head(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}:"
        return f"{time}  {self._label:<14}{level}"


class _JsonLines(logging.Formatter):
    """Lines for log collectors: one JSON object each."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._label = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": self._label,
            "pid": record.process,
            "event": _message(record),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _message(record: logging.LogRecord) -> str:
    return unstyle(record.getMessage())  # Flask's own server writes color codes


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of the event, with `request_id` if this thread handles a request."""
    fields: dict[str, object] = getattr(record, "fields", {})
    request_id = current_id()
    return fields if request_id is None else {**fields, "request_id": request_id}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
