"""The output of tasks: what a function writes to stdout and stderr becomes lines of the log, as soon as they end."""

from __future__ import annotations

import io
import os
import sys
import threading
from functools import partial
from typing import TextIO

from queue_tool.execution.current_task import Unfinished, current_task
from queue_tool.host import logs
from queue_tool.host.lines import Lines


def capture() -> None:
    """Replace `sys.stdout` and `sys.stderr` of this process. The log itself goes on to write to the real stderr."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, LoggedStream):
            setattr(sys, name, LoggedStream(name, stream))


def release() -> None:
    """Undo `capture`: what this process writes now is for its operator."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, LoggedStream):
            setattr(sys, name, stream.original)


def send_to(stdout: int, stderr: int) -> None:
    """Send all output of this process to these descriptors at once, even what is not Python's, but not the log.

    Nothing is buffered: the process may be killed, or end by `os._exit`.
    """
    logs.write_to(os.fdopen(os.dup(2), "w", encoding="utf-8", errors="backslashreplace"))
    for name, number, descriptor in (("stdout", 1, stdout), ("stderr", 2, stderr)):
        before = getattr(sys, f"__{name}__")
        if isinstance(before, io.TextIOWrapper):
            before.reconfigure(line_buffering=True)  # a module may have kept it
        os.dup2(descriptor, number)
        raw = os.fdopen(number, "wb", buffering=0, closefd=False)
        setattr(sys, name, io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True))


class LoggedStream(io.TextIOBase):
    """A text stream whose lines go to the log, each with the task that wrote it. Any thread may write."""

    def __init__(self, name: str, original: TextIO) -> None:
        """Prepare. `name` is "stdout" or "stderr", `original` the stream that this one replaces."""
        self.name = name
        self.original = original
        self._outside = threading.local()  # lines of threads that run no task
        self.buffer = _LoggedBytes(self)

    @property
    def encoding(self) -> str:  # type: ignore[override] # the base class has an attribute
        """Return the encoding of `buffer`."""
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override] # the base class has an attribute
        """Return how characters that cannot be encoded are written."""
        return "backslashreplace"

    def write(self, text: str) -> int:
        """Write text; each complete line goes to the log."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._lines().feed(text)
        return len(text)

    def flush(self) -> None:
        """Write the unfinished line of this thread, if there is one."""
        self._lines().flush()

    def close(self) -> None:
        """Only flush: other tasks use this stream too."""
        self.flush()

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the replaced stream, for a child process."""
        return self.original.fileno()

    def reconfigure(self, **_: object) -> None:
        """Do nothing: the lines are always written at once and as UTF-8."""

    def _lines(self) -> Lines:
        task, thread = current_task(), threading.get_ident()
        if task is None:
            unfinished: dict[str, Unfinished] = self._outside.__dict__
        else:
            unfinished = task.unfinished
        lines = unfinished.get(f"{self.name} {thread}")
        if not isinstance(lines, Lines):
            lines = unfinished[f"{self.name} {thread}"] = Lines(partial(logs.write_output, self.name, task))
        return lines


class _LoggedBytes(io.BufferedIOBase):
    """The same stream for bytes."""

    def __init__(self, stream: LoggedStream) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:  # type: ignore[override] # any bytes-like object
        self._stream.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self.flush()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()
