"""Execution: calls a task type's function with its data and a deadline, and returns as a value how the call ended.

The function runs in its own thread (an awaitable on its own loop), so that the deadline is enforced from outside: at
the deadline the run is over, even if the function continues. An isolated function runs in its own process, which ends
at the deadline with all processes that it started.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from queue_tool.execution.awaiting import DeadlinePassed, await_here, awaited, exit_if_forked, is_awaitable, outcome_of
from queue_tool.execution.current_task import CurrentTask
from queue_tool.execution.failure_text import LONGEST_ERROR, error_text, traceback_text
from queue_tool.execution.guard import Guard
from queue_tool.execution.isolation import answer_parent, hear_child
from queue_tool.model import json_text
from queue_tool.model.bounded_text import keepable, text_of
from queue_tool.model.context import Context
from queue_tool.model.outcome import NOTHING, Ended, Failed, Returned, not_started, timed_out
from queue_tool.model.queues import Lane
from queue_tool.model.retry import Abort, deciding_error, requested_delay
from queue_tool.model.states import Code
from queue_tool.model.task_types import TaskType

_PIDS: dict[int, int] = {}
"""One object for each process id, since thousands of runs on a loop each remember theirs."""


def execute(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    """Call the function and wait for it, at most `timeout` seconds; None waits forever.

    Raises:
        BaseException: only what interrupts the waiting thread itself, for example SystemExit at a cold stop.
    """
    run = _in_a_process if task_type.lane is Lane.ISOLATED else _in_a_thread
    return run(task_type, data, context, timeout)


async def execute_on_loop(
    task_type: TaskType, data: object, begin: Callable[[], Context | None], leave: Callable[[], None] = lambda: None
) -> Ended:
    """Call an `async def` on the running loop, without a deadline, and await what it returns.

    Everything that the function raises is its outcome, even SystemExit, which would end the loop for all other runs.

    Args:
        task_type: the type of the task.
        data: the data of the task.
        begin: called right before the function; returns the context of the run.
        leave: called as soon as the function has ended, before anything else runs on the loop.
    """
    pid = _PIDS.setdefault(os.getpid(), os.getpid())
    try:
        context = begin()
        if task_type.lane is Lane.LOOP:
            returned = task_type.function(*_arguments(task_type, data, context))
            if inspect.iscoroutine(returned):  # awaited here, because a coroutine around it costs memory for each task
                returned = await returned
            if is_awaitable(returned):
                returned = await awaited(returned)
        else:  # the function was an `async def` when the task was sent, and is not any more
            returned = await _called_in_a_thread(task_type, _arguments(task_type, data, context))
    except BaseException as error:  # noqa: BLE001 - a cancellation from outside is an outcome too
        return _raised(error, task_type)
    finally:
        exit_if_forked(pid)
        leave()
    return _returned(returned)


async def _called_in_a_thread(task_type: TaskType, arguments: tuple[Any, ...]) -> Any:
    """Call the function in a thread, so that it does not block this loop, and await on this loop what it returns."""
    loop, variables = asyncio.get_running_loop(), contextvars.Context()
    returned = await loop.run_in_executor(None, variables.run, _call, task_type, arguments)
    returned, error = await loop.create_task(outcome_of(returned), context=variables)
    if error is not None:
        raise error
    return returned


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
        answering.close()
        answer_parent((answers, sending), context, lambda inside: execute_here(task_type, data, inside))

    guard = Guard(fork)
    try:
        guard.start()  # before the pipe is made, because it would inherit the pipe
        receiving, sending = fork.Pipe(duplex=False)
        answers, answering = fork.Pipe(duplex=False)
        child = fork.Process(target=answer, name=context.token, daemon=True)
        child.start()
    except OSError as error:
        guard.close()
        return not_started(error)
    sending.close()
    answers.close()
    assert child.pid is not None  # it was started
    try:
        with guard.watching(child.pid):
            return hear_child(child, (receiving, answering), context, timeout)
    finally:
        guard.close()


def execute_here(
    task_type: TaskType,
    data: object,
    context: Context,
    timeout: float | None = None,
    wait_for: Callable[[Any], Any] | None = None,
) -> Ended:
    """Call the function in this thread, with an empty context of `contextvars`. Await what it returns.

    Args:
        task_type: the type of the task.
        data: the data of the task.
        context: the context of the run.
        timeout: seconds until an awaitable is canceled; it does not apply to the call itself. None: no limit.
        wait_for: awaits an awaitable, and returns what that returns; None: it is awaited on a new loop.
    """
    return execute_as(
        CurrentTask(context.token, task_type.name), task_type, data, context, timeout=timeout, wait_for=wait_for
    )


def execute_as(
    task: CurrentTask,
    task_type: TaskType,
    data: object,
    context: Context | None,
    *,
    timeout: float | None = None,
    wait_for: Callable[[Any], Any] | None = None,
) -> Ended:
    """Do what `execute_here` does, for a task that the caller knows. A function without a context needs none."""
    try:
        return task.own_context().run(_execute_here, task_type, data, context, timeout, wait_for)
    finally:
        task.flush()


def _execute_here(
    task_type: TaskType,
    data: object,
    context: Context | None,
    timeout: float | None,
    wait_for: Callable[[Any], Any] | None,
) -> Ended:
    until = None if timeout is None else time.monotonic() + timeout
    pid = os.getpid()
    try:
        returned = _call(task_type, _arguments(task_type, data, context))
        if is_awaitable(returned):
            returned = wait_for(returned) if wait_for is not None else await_here(returned, until)
    except DeadlinePassed:
        if context is not None:
            context.canceled.set()
        return timed_out(timeout)
    except BaseException as error:  # noqa: BLE001 - everything that a task raises is its outcome
        return _raised(error, task_type)
    finally:
        exit_if_forked(pid)
    return _returned(returned)


def _call(task_type: TaskType, arguments: tuple[Any, ...]) -> Any:
    pid = os.getpid()
    try:
        return task_type.function(*arguments)
    finally:
        exit_if_forked(pid)  # before anything waits for a loop, which does not run in a forked process


def _arguments(task_type: TaskType, data: object, context: Context | None) -> tuple[Any, ...]:
    return (data, context) if task_type.takes_context else (data,)


def _raised(error: BaseException, task_type: TaskType) -> Failed:
    deciding = deciding_error(error, task_type.no_retry)
    return Failed(
        code=Code.ABORTED if isinstance(deciding, Abort) else Code.ERROR,
        error=error_text(deciding),
        traceback=traceback_text(error),
        final=isinstance(deciding, (Abort, *task_type.no_retry)),
        after=requested_delay(deciding),
    )


def _returned(value: object) -> Ended:
    try:
        return NOTHING if value is None else Returned(result=json_text.dumps_result(value))
    except Exception as error:  # noqa: BLE001 - the result's type is the user's and may raise anything
        return Failed(code=Code.BAD_RESULT, error=_not_json(error))


def _not_json(error: Exception) -> str:
    return keepable(f"The result is not JSON: {text_of(error, LONGEST_ERROR)}.", LONGEST_ERROR)
