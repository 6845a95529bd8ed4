"""Awaiting: whatever a task's function returns is awaited if it can be, on the loop of the worker or on a new one."""

from __future__ import annotations

import asyncio
import inspect
import os
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

MOST_NESTED = 10
"""How many awaitables may each return the next one. More are not awaited: an awaitable could return itself forever."""

Outcome = tuple[Any, BaseException | None]
"""What an awaitable returned, or the error that it raised."""


class DeadlinePassed(Exception):
    """The deadline passed before the awaitable returned."""


def is_awaitable(value: object) -> bool:
    """Return whether a value can be awaited. A future of a pool of threads or processes can be, too."""
    return inspect.isawaitable(value) or isinstance(value, Future)


async def awaited(value: Any) -> Any:
    """Await a value, and what it returns, until that is not awaitable. Return any other value unchanged."""
    for _ in range(MOST_NESTED):
        if isinstance(value, Future):
            value = asyncio.wrap_future(value)
        elif not inspect.isawaitable(value):
            break
        value = await value
    return value


async def outcome_of(value: Any) -> Outcome:
    """Await a value; return what it returned or raised."""
    pid = os.getpid()
    try:
        return await awaited(value), None
    except BaseException as error:  # noqa: BLE001 - SystemExit would end the loop for all other runs
        return None, error
    finally:
        exit_if_forked(pid)


def await_here(value: Any, until: float | None) -> Any:
    """Await a value on a new loop in this thread.

    Args:
        value: the awaitable.
        until: when it is canceled (monotonic); None: never.

    Raises:
        DeadlinePassed: it was canceled, even if it caught the cancellation.
        BaseException: any error that the awaitable raises.
    """

    async def within_the_deadline() -> Any:
        deadline = asyncio.timeout(None if until is None else until - time.monotonic())
        try:
            async with deadline:
                return await awaited(value)
        finally:
            if deadline.expired():
                raise DeadlinePassed

    return asyncio.run(within_the_deadline())


def exit_if_forked(pid: int) -> None:
    """Exit if the function has forked this process and returned in it: it has copies of everything its parent holds."""
    if os.getpid() != pid:
        os._exit(0)


class LoopWaiter:
    """Awaits on a running loop what functions in other threads return. The threads wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Prepare to await on this loop, which runs in another thread."""
        self._loop = loop
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}  # only the loop's thread uses it

    def wait(self, key: str, value: Any, is_canceled: Callable[[], bool]) -> Any:
        """Await a value in a copy of this thread's context, and return what it returns.

        Args:
            key: the name under which `cancel` finds it.
            value: the awaitable.
            is_canceled: returns whether the awaitable is canceled already, before its first step.

        Raises:
            BaseException: any error that the awaitable raises; CancelledError if it was canceled.
        """
        ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._loop.call_soon_threadsafe(self._start, key, value, is_canceled, ended.put)
        returned, error = ended.get()
        if error is not None:
            raise error
        return returned

    def cancel(self, key: str) -> None:
        """Cancel what is awaited under this key at the point where it waits. Do nothing if there is nothing."""
        self._loop.call_soon_threadsafe(self._cancel, key)

    def _start(self, key: str, value: Any, is_canceled: Callable[[], bool], tell: Callable[[Outcome], None]) -> None:
        task = self._loop.create_task(outcome_of(value))
        if is_canceled():
            task.cancel()
        else:
            self._tasks[key] = task

        def done(task: asyncio.Task[Outcome]) -> None:
            self._tasks.pop(key, None)
            if task.cancelled():  # before its first step
                _discard(value)
                tell((None, asyncio.CancelledError()))
            else:
                tell(task.result())

        task.add_done_callback(done)

    def _cancel(self, key: str) -> None:
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()


def _discard(value: Any) -> None:
    """Drop an awaitable that was never begun, so that Python does not warn of it."""
    if inspect.iscoroutine(value):
        value.close()
    elif isinstance(value, Future):
        value.cancel()
