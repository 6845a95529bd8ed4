"""Execution: a task type's function called with its data, within its deadline; what comes back is a value.

The function runs in a thread of its own (an `async def` on a loop of its own), so that the deadline can be
kept from outside: at the deadline the run is over, whatever the function does. An isolated one runs in a
process of its own, which is killed then.
"""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import os
import queue
import threading
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from queue_tool.execution.isolation import answer_parent, hear_child
from queue_tool.model import json_text
from queue_tool.model.bounded_text import encodable, keepable
from queue_tool.model.context import Context
from queue_tool.model.outcome import NOTHING, Ended, Failed, Returned, not_started, timed_out
from queue_tool.model.queues import Lane
from queue_tool.model.retry import Abort, Retry
from queue_tool.model.states import Code
from queue_tool.model.task_types import TaskType

LONGEST_ERROR = 2000
"""Characters kept of an error."""

LONGEST_TRACEBACK = 10_000
"""Characters kept of a traceback: the last ones, which say where it happened."""


def execute(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    """Call the function and wait for it, at most `timeout` seconds; None waits for ever.

    Raises:
        BaseException: only what interrupts the waiting thread itself, such as SystemExit at a cold stop.
    """
    run = _in_a_process if task_type.lane is Lane.ISOLATED else _in_a_thread
    return run(task_type, data, context, timeout)


async def execute_on_loop(task_type: TaskType, data: object, context: Context | None) -> Ended:
    """Await an `async def` on the running loop, for as long as it takes.

    Whatever the function raises is its outcome, SystemExit too, which would end the loop for everyone else.
    """
    here = os.getpid()
    if task_type.lane is not Lane.LOOP:  # it was an `async def` when the task was sent
        return await asyncio.to_thread(execute_here, task_type, data, context)
    try:
        returned = await task_type.function(*_arguments(task_type, data, context))
    except BaseException as error:  # noqa: BLE001 - so is a cancellation from outside
        return _raised(error, task_type)
    finally:
        _end_forked(here)
    return _returned(returned)


def _in_a_thread(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    thread = threading.Thread(
        target=lambda: ended.put(execute_here(task_type, data, context, timeout)), name=context.token, daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:
        return not_started(error)
    try:
        return ended.get(timeout=timeout)
    except queue.Empty:
        context.canceled.set()
        return timed_out(timeout)


def _in_a_process(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    fork = multiprocessing.get_context("fork")

    def answer() -> None:
        answer_parent(sending, lambda heard: execute_here(task_type, data, replace(context, on_news=heard)))

    try:
        receiving, sending = fork.Pipe(duplex=False)
        child = fork.Process(target=answer, name=context.token, daemon=True)
        child.start()
    except OSError as error:
        return not_started(error)
    sending.close()
    return hear_child(child, receiving, context, timeout)


def execute_here(
    task_type: TaskType, data: object, context: Context | None = None, timeout: float | None = None
) -> Ended:
    """Call the function in this thread, an `async def` on a loop of its own, whose deadline alone is kept here."""
    here = os.getpid()
    try:
        returned = _finished(task_type.function, _arguments(task_type, data, context), timeout)
    except _TookTooLong:
        if context is not None:
            context.canceled.set()
        return timed_out(timeout)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome
        return _raised(error, task_type)
    finally:
        _end_forked(here)
    return _returned(returned)


def _end_forked(here: int) -> None:
    """End a process that the function has forked and let come back: it holds copies of all that its parent does."""
    if os.getpid() != here:
        os._exit(0)


def _arguments(task_type: TaskType, data: object, context: Context | None) -> tuple[Any, ...]:
    return (data, context) if task_type.takes_context else (data,)


def _raised(error: BaseException, task_type: TaskType) -> Failed:
    written = "".join(traceback.format_exception(error))
    return Failed(
        code=Code.ABORTED if isinstance(error, Abort) else Code.ERROR,
        error=keepable("".join(traceback.format_exception_only(error)).strip(), LONGEST_ERROR),
        traceback=encodable(written if len(written) <= LONGEST_TRACEBACK else f"…{written[-LONGEST_TRACEBACK:]}"),
        final=isinstance(error, (Abort, *task_type.no_retry)),
        after=error.after if isinstance(error, Retry) else None,
    )


def _returned(value: object) -> Ended:
    try:
        return NOTHING if value is None else Returned(result=json_text.dumps_result(value))
    except Exception as error:  # noqa: BLE001 - a result may be of a type that does anything when it is read
        return Failed(code=Code.BAD_RESULT, error=keepable(f"The result is not JSON: {error}.", LONGEST_ERROR))


class _TookTooLong(Exception):
    """The loop's own deadline came first."""


def _finished(function: Callable[..., Any], arguments: tuple[Any, ...], timeout: float | None) -> Any:
    if not inspect.iscoroutinefunction(function):
        return function(*arguments)

    async def within_the_deadline() -> Any:
        deadline = asyncio.timeout(timeout)
        try:
            async with deadline:
                return await function(*arguments)
        finally:
            if deadline.expired():  # whatever the function made of it
                raise _TookTooLong

    return asyncio.run(within_the_deadline())
