"""Logs: they write each event as one line to stderr, with the name of the process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from queue_tool.execution.current_task import CurrentTask
from queue_tool.host import greeting
from queue_tool.host.log_lines import OURS, EventRecord, JsonLines, TerminalLines, TextLines
from queue_tool.model import events
from queue_tool.model.events import EVENTS
from queue_tool.model.telemetry import Event, Level, Telemetry, fields

OUR_LIBRARIES = ("alembic", "asyncio", "concurrent", "redis", "rq", "sqlalchemy")
"""The loggers of libraries that this program uses: they log only warnings and errors."""

ISOLATED = "isolated"
"""The process name in the lines of isolated tasks."""

OUTPUTS = ("stdout", "stderr")
"""The logger names in the lines that tasks write to their output."""

_root = logging.getLogger()
_logger = logging.getLogger(OURS)
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
    lines = JsonLines if style == "json" else TerminalLines if stream.isatty() else TextLines
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
    assert _handler is not None  # the callers have checked it
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
    if _handler is not None and _logger.handlers == [_handler] and not (_logger.propagate or _logger.filters):
        _handler.write(EventRecord(event))  # nobody else reads it
        return
    record = logging.LogRecord(_logger.name, event.level, "", 0, event.title, None, None)
    record.queue_tool_fields = fields(event)
    _logger.handle(record)


def _is_no_access_line(record: logging.LogRecord) -> bool:
    return " - - [" not in record.getMessage()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines to stderr. When stderr cannot be written to, the lines are lost and the process continues."""

    def write(self, record: logging.LogRecord) -> None:
        """Write a line without asking the filters."""
        self.acquire()
        try:
            self.emit(record)
        finally:
            self.release()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        if not isinstance(sys.exc_info()[1], OSError | ValueError):  # ValueError: the stream is closed
            super().handleError(record)
