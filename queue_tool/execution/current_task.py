"""The task whose function runs now. The log writes its token and type into each line.

A function's own threads do not inherit it: Python copies context variables only to coroutines and `asyncio.to_thread`.
"""

from __future__ import annotations

from contextvars import Context, ContextVar, Token
from dataclasses import dataclass, field
from typing import Protocol


class Unfinished(Protocol):
    """Output that has not been written yet, because its line has no end."""

    def flush(self) -> None:
        """Write it as a line."""


@dataclass(frozen=True, slots=True)
class CurrentTask:
    """A task whose function runs."""

    token: str
    task_type: str
    unfinished: dict[str, Unfinished] = field(default_factory=dict)  # flushed when the function has returned


_current: ContextVar[CurrentTask | None] = ContextVar("current_task", default=None)


def current_task() -> CurrentTask | None:
    """Return the task whose function this thread or coroutine runs. None if it runs none."""
    return _current.get()


def task_in(context: Context) -> CurrentTask | None:
    """Return the task whose function runs in a context of variables, such as that of a coroutine."""
    return context.get(_current)


class running:  # noqa: N801 - it is used as a function: a generator would cost each task more
    """Run the function of this task during the block."""

    __slots__ = ("_before", "_task")

    def __init__(self, token: str, task_type: str) -> None:
        """Prepare the block."""
        self._task = CurrentTask(token, task_type)
        self._before: Token[CurrentTask | None]

    def __enter__(self) -> None:
        """Begin to mark log lines with the task."""
        self._before = _current.set(self._task)

    def __exit__(self, *_: object) -> None:
        """Write the unfinished lines of the function's output."""
        for output in list(self._task.unfinished.values()):
            output.flush()
        _current.reset(self._before)
