"""Logs: they write each event as one line to stderr, with the name of the process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TextIO

import orjson
from click import unstyle

from queue_tool.execution.current_task import CurrentTask, current_task
from queue_tool.host import greeting
from queue_tool.host.current_request import current_id
from queue_tool.model import events
from queue_tool.model.bounded_text import described, encodable
from queue_tool.model.events import EVENTS
from queue_tool.model.telemetry import Event, Level, Telemetry, fields

OUR_LIBRARIES = ("alembic", "asyncio", "concurrent", "redis", "rq", "sqlalchemy")
"""The loggers of libraries that this program uses: they log only warnings and errors."""

ISOLATED = "isolated"
"""The process name in the lines of isolated tasks."""

OUTPUTS = ("stdout", "stderr")
"""The logger names in the lines that tasks write to their output."""

_root = logging.getLogger()
_logger = logging.getLogger("queue_tool")
_handler: _Handler | None = None
"""Writes this process's log. None in a process whose log is not ours, for example in a user's program."""


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
    global _handler  # noqa: PLW0603 - a process has one log
    stream = sys.__stderr__ or sys.stderr
    _handler = _Handler(stream)
    lines = _JsonLines if style == "json" else _TerminalLines if stream.isatty() else _TextLines
    _handler.setFormatter(lines(process))
    _handler.setLevel(level.upper())
    _handler.addFilter(_is_no_double)
    _root.handlers[:] = []
    _logger.handlers[:] = [_handler]
    _logger.propagate = False  # the root logger is the user's: their modules may replace its handlers
    _logger.setLevel(level.upper())
    _include_user_loggers()
    for name in OUR_LIBRARIES:
        if not logging.getLogger(name).level:
            logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    logging.getLogger("werkzeug").addFilter(_is_no_access_line)  # our own log already has each request


def reclaim() -> None:
    """Undo what the user's modules did to this process's log when they configured logging.

    Their handlers that write to the console are replaced by our own, so that no line comes twice. Other handlers stay.
    Does nothing in a process whose log is not ours.
    """
    if _handler is None:
        return
    logging.disable(logging.NOTSET)
    for logger in [_root, *(found for found in _root.manager.loggerDict.values() if isinstance(found, logging.Logger))]:
        family = logger.name.partition(".")[0]
        if family == _logger.name:
            logger.disabled = False  # `dictConfig` disables all loggers that it does not name
        elif family != "rq":  # a stock RQ worker writes its own log
            _remove_console_handlers(logger)
    _include_user_loggers()


def configuration() -> object:
    """Return what decides which lines reach this process's log. It is equal while nothing has changed it."""
    return (
        _root.manager.disable,
        [(logger.level, logger.disabled, logger.propagate, logger.handlers[:]) for logger in (_root, _logger)],
    )


def write_to(stream: TextIO) -> None:
    """Write the log of this process to another stream from now on."""
    if _handler is not None:
        _handler.setStream(stream)


def write_output(name: str, task: CurrentTask | None, text: str, child: int | None = None) -> None:
    """Log a line that a task's function wrote to its output, at every level of the log.

    Args:
        name: "stdout" or "stderr".
        task: the task; None if it is not known.
        text: the line.
        child: the pid of the isolated process that wrote it; None: this process.
    """
    if _handler is None:
        return
    record = logging.LogRecord(name, logging.INFO, "", 0, text, None, None)
    if child is not None:
        record.process, record.queue_tool_process = child, ISOLATED
    record.queue_tool_task = task
    _handler.handle(record)


def _include_user_loggers() -> None:
    """Make the root logger pass on what the user's loggers write, at the level of this log or a lower one."""
    assert _handler is not None  # noqa: S101 - the callers have checked it
    if _handler not in _root.handlers:
        _root.addHandler(_handler)
    _root.setLevel(min(_root.level or _handler.level, _handler.level))


def _remove_console_handlers(logger: logging.Logger) -> None:
    for handler in _console_handlers(logger):
        logger.removeHandler(handler)
        logger.propagate = True


def _console_handlers(logger: logging.Logger) -> list[logging.Handler]:
    """Return the handlers of a logger, other than ours, that write to stdout or stderr."""
    return [
        handler
        for handler in logger.handlers
        if handler is not _handler
        and isinstance(handler, logging.StreamHandler)
        and handler.stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    ]


def _is_no_double(record: logging.LogRecord) -> bool:
    """Return whether no handler that was added later writes this record to the console."""
    logger: logging.Logger | None = logging.getLogger(record.name) if record.name not in OUTPUTS else None
    while logger is not None:
        if _console_handlers(logger):
            return False
        logger = logger.parent if logger.propagate else None
    return True


def unheard(level: str) -> frozenset[type[Event]]:
    """Return the event classes that a log of this level does not write."""
    return frozenset(kind for kind in EVENTS if kind.level < Level[level.upper()])


def listen(event: Event) -> None:
    """Log an event as one line.

    `Logger.log` would look for the line of code that logs, which takes longer than everything else, and for nothing.
    """
    if not _logger.isEnabledFor(event.level):
        return
    record = logging.LogRecord(_logger.name, event.level, "", 0, event.title, None, None)
    record.queue_tool_fields = fields(event)
    _logger.handle(record)


def _is_no_access_line(record: logging.LogRecord) -> bool:
    return " - - [" not in record.getMessage()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines to stderr. When stderr cannot be written to, the lines are lost and the process continues."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        if not isinstance(sys.exc_info()[1], OSError | ValueError):  # ValueError: the stream is closed
            super().handleError(record)


class _TextLines(logging.Formatter):
    """Lines for people: time, level, process, what happened, and the fields as name=value."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join(f" {name}={_shown(value)}" for name, value in _fields(record).items())
        return "\n".join([f"{self._head(record)} {_message(record)}{pairs}", *_traces(self, record)])

    def _head(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname.lower():7} {self._label(record)}"

    def _label(self, record: logging.LogRecord) -> str:
        return f"{_process(record, self._process)}[{record.process}]"


class _TerminalLines(_TextLines):
    """Lines for a terminal: aligned, without the date, and without the level if it is "info"."""

    def _head(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}:"
        return f"{time}  {self._label(record):<14}{level}"


class _JsonLines(logging.Formatter):
    """Lines for log collectors: one JSON object each."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "process": _process(record, self._process),
            "pid": record.process,
            "event": _message(record),
            **_fields(record),
        }
        traces = _traces(self, record)
        if traces:
            line["traceback"] = "\n".join(traces)
        return orjson.dumps(line, default=str).decode()


def _process(record: logging.LogRecord, own: str) -> str:
    """Return the name of the process that wrote a record: `own`, or the isolated process that printed it."""
    name: str = getattr(record, "queue_tool_process", own)
    return name


def _message(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - the arguments are the user's, and may not fit
        text = f"{record.msg} (this line cannot be completed: {described(error)})"
    return encodable(unstyle(text).rstrip("\n"))  # Flask's own server writes color codes


def _traces(lines: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the traceback and the stack that a record brings, if it brings any."""
    traces = [lines.formatException(record.exc_info)] if record.exc_info else []
    return [encodable(trace) for trace in [*traces, *([record.stack_info] if record.stack_info else [])]]


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of the event, with logger, token and task type if a task or another program's code logs."""
    fields: dict[str, object] = {}
    if record.name.partition(".")[0] != _logger.name:
        fields["logger"] = record.name
    task: CurrentTask | None = getattr(record, "queue_tool_task", None) or current_task()
    if task is not None:
        fields |= {"token": task.token, "task_type": task.task_type}
    fields |= getattr(record, "queue_tool_fields", {})
    request_id = current_id()
    return fields if request_id is None else {**fields, "request_id": request_id}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
