"""The lines of a log: what a record looks like as text, for people and for log collectors."""

from __future__ import annotations

import logging
import os
import time
from datetime import UTC, datetime
from functools import lru_cache

import orjson
from click import unstyle

from queue_tool.execution.current_task import CurrentTask, current_task
from queue_tool.host.current_request import current_id
from queue_tool.model.bounded_text import described, encodable
from queue_tool.model.telemetry import Event, Level, fields

OURS = "queue_tool"
"""The name of our own logger."""


class EventRecord(logging.LogRecord):
    """The record of an event, with what our own lines show. The rest would take ten times as long to find out."""

    def __init__(self, event: Event) -> None:
        """Record an event that happens now."""
        self.name = OURS
        self.levelno = event.level
        self.levelname = _LEVELS[event.level]
        self.msg = event.title
        self.args = None
        self.created = time.time()
        self.process = os.getpid()
        self.exc_info = self.exc_text = self.stack_info = None
        self.queue_tool_fields = fields(event)


_LEVELS = {level: level.name for level in Level}


class TextLines(logging.Formatter):
    """Lines for people: time, level, process, what happened, and the fields as name=value."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        pairs = "".join([f" {name}={_shown(value)}" for name, value in _fields(record).items()])
        return "\n".join([f"{self._head(record)} {_message(record)}{pairs}", *_traces(self, record)])

    def _head(self, record: logging.LogRecord) -> str:
        return f"{_time(record)} {record.levelname.lower():7} {self._label(record)}"

    def _label(self, record: logging.LogRecord) -> str:
        return f"{_process(record, self._process)}[{record.process}]"


class TerminalLines(TextLines):
    """Lines for a terminal: aligned, without the date, and without the level if it is "info"."""

    def _head(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        level = "" if record.levelno == logging.INFO else f" {record.levelname.lower()}:"
        return f"{time}  {self._label(record):<14}{level}"


class JsonLines(logging.Formatter):
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
    if isinstance(record, EventRecord):
        return str(record.msg)
    try:
        text = record.getMessage()
    except Exception as error:  # noqa: BLE001 - the arguments are the user's, and may not fit
        text = f"{record.msg} (this line cannot be completed: {described(error)})"
    return encodable(unstyle(text).rstrip("\n"))  # Flask's own server writes color codes


def _traces(lines: logging.Formatter, record: logging.LogRecord) -> list[str]:
    """Return the traceback and the stack that a record brings, if it brings any."""
    if not (record.exc_info or record.stack_info):
        return []
    traces = [lines.formatException(record.exc_info)] if record.exc_info else []
    return [encodable(trace) for trace in [*traces, *([record.stack_info] if record.stack_info else [])]]


def _fields(record: logging.LogRecord) -> dict[str, object]:
    """Return the fields of the event, with logger, token and task type if a task or another program's code logs."""
    fields: dict[str, object] = {}
    if record.name.partition(".")[0] != OURS:
        fields["logger"] = record.name
    task: CurrentTask | None = getattr(record, "queue_tool_task", None) or current_task()
    if task is not None:
        fields |= {"token": task.token, "task_type": task.task_type}
    fields |= getattr(record, "queue_tool_fields", {})
    request_id = current_id()
    return fields if request_id is None else {**fields, "request_id": request_id}


def _time(record: logging.LogRecord) -> str:
    second, milliseconds = divmod(int(record.created * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _shown(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
