"""The watchdog of the event loop: it notices a function that blocks the loop, and says which one and where it is.

All `async def` functions of a worker share one loop. A function that computes for long, or waits without `await`, holds
up all the others.
"""

from __future__ import annotations

import asyncio
import sys
import traceback
from collections.abc import Iterator
from contextvars import Context
from dataclasses import dataclass
from types import FrameType

from queue_tool.execution.current_task import task_in
from queue_tool.worker.loop import LoopThread

ASK_EVERY = 1.0
"""Seconds between two questions to the loop."""

GRACE = 1.0
"""Seconds that the loop gets in addition, because the whole process may have been stopped until now."""

LONGEST_STACK = 10_000
"""Characters kept of the stack; its end says where the function is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """What is known about an event loop that is stuck."""

    seconds: float  # since its last turn, at least
    token: str | None  # the task whose function blocks it; None if that is not known
    stack: str  # where the function is, as in a traceback

    @property
    def sentence(self) -> str:
        """Return what the function did."""
        return f"The function blocked the event loop of its worker for {self.seconds:.0f} seconds."


class Watchdog:
    """Asks the loop for a turn again and again, from another thread."""

    def __init__(self, loop: LoopThread, patience: float) -> None:
        """Prepare.

        Args:
            loop: the loop.
            patience: seconds without a turn after which the loop is stuck; 0 means never.
        """
        self._loop = loop
        self._patience = patience
        self._asked = float("-inf")
        self._has_answered = True
        self._suspected: float | None = None

    def check(self, now: float) -> Stuck | None:
        """Return what is known if the loop is stuck, else None.

        Args:
            now: the present time (monotonic).
        """
        if not self._patience:
            return None
        if self._has_answered:
            self._suspected = None
            if now - self._asked >= ASK_EVERY:
                self._ask(now)
            return None
        if now - self._asked < self._patience:
            return None
        if self._suspected is None:
            self._suspected = now
        if now - self._suspected < GRACE:
            return None
        return self._describe(now)

    @property
    def next_check(self) -> float:
        """Return when to check again while the loop has work (monotonic)."""
        if self._has_answered:
            return self._asked + ASK_EVERY
        return self._asked + self._patience if self._suspected is None else self._suspected + GRACE

    def _ask(self, now: float) -> None:
        self._asked, self._has_answered = now, False
        self._loop.loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._has_answered = True

    def _describe(self, now: float) -> Stuck:
        frame = sys._current_frames().get(self._loop.thread_id)
        frames = [*_frames_of(frame)]
        stack = "".join(traceback.format_list(traceback.StackSummary.extract(_with_lines(frames))))
        return Stuck(seconds=now - self._asked, token=_token_of(frames), stack=stack[-LONGEST_STACK:])


def _frames_of(frame: FrameType | None) -> Iterator[FrameType]:
    """Return the frames of a stack, the innermost first, up to the one in which the loop calls a coroutine."""
    while frame is not None:
        yield frame
        if frame.f_code is asyncio.Handle._run.__code__:
            return
        frame = frame.f_back


def _with_lines(frames: list[FrameType]) -> Iterator[tuple[FrameType, int]]:
    """Return the frames that are not asyncio's, the outermost first, each with its line."""
    return ((frame, frame.f_lineno) for frame in reversed(frames) if frame.f_code is not asyncio.Handle._run.__code__)


def _token_of(frames: list[FrameType]) -> str | None:
    """Return the token of the task in whose context the loop calls a coroutine; None if there is none.

    What a function starts on the loop, coroutines and callbacks, inherits its context.
    """
    handle = frames[-1].f_locals.get("self") if frames else None
    context = getattr(handle, "_context", None)
    task = task_in(context) if isinstance(context, Context) else None
    return task.token if task is not None else None
