"""The task whose function runs now. The log writes its token and type into each line.

A function's own threads do not inherit it: Python copies context variables only to coroutines and `asyncio.to_thread`.
"""

from __future__ import annotations

from contextvars import Context, ContextVar
from typing import Protocol


class Unfinished(Protocol):
    """Output that has not been written yet, because its line has no end."""

    def flush(self) -> None:
        """Write it as a line."""


class CurrentTask:
    """A task whose function runs during a `with` block. Thousands may run at once, so each one is kept small."""

    __slots__ = ("_before", "_unfinished", "task_type", "token")

    def __init__(self, token: str, task_type: str) -> None:
        """Prepare the block."""
        self.token = token
        self.task_type = task_type
        self._before: CurrentTask | None = None
        self._unfinished: dict[str, Unfinished] | None = None

    @property
    def unfinished(self) -> dict[str, Unfinished]:
        """Return the output whose line has no end. It is written when the function has returned."""
        if self._unfinished is None:
            self._unfinished = {}
        return self._unfinished

    def __enter__(self) -> None:
        """Begin to mark log lines with the task."""
        self._before = _current.get()
        _current.set(self)

    def __exit__(self, *_: object) -> None:
        """Write the unfinished lines of the function's output."""
        self.flush()
        _current.set(self._before)

    def own_context(self) -> Context:
        """Return a new context of variables in which this task's function runs, with no other variable set."""
        context = Context()
        context.run(_current.set, self)
        return context

    def flush(self) -> None:
        """Write the unfinished lines of the function's output, and forget its streams, which refer to this task."""
        outputs, self._unfinished = self._unfinished, None
        if outputs is not None:
            for output in list(outputs.values()):
                output.flush()


_current: ContextVar[CurrentTask | None] = ContextVar("current_task", default=None)


def current_task() -> CurrentTask | None:
    """Return the task whose function this thread or coroutine runs. None if it runs none."""
    return _current.get()


def task_in(context: Context) -> CurrentTask | None:
    """Return the task whose function runs in a context of variables, such as that of a coroutine."""
    return context.get(_current)
