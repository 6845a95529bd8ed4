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
from dataclasses import dataclass
from typing import Any

from queue_tool import json_text
from queue_tool.context import Context
from queue_tool.task_types import TaskType
from queue_tool.tasks import Code, Lane

LONGEST_ERROR = 2000
"""Characters kept of an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """The function came back with a result."""

    result: str  # JSON text


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The function did not come back with a result."""

    code: Code
    error: str
    traceback: str = ""


Ended = Returned | Failed


def execute(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    """Call the function and wait for it, at most `timeout` seconds; None waits for ever.

    Raises:
        BaseException: only what interrupts the waiting thread itself, such as SystemExit at a cold stop.
    """
    if task_type.lane is Lane.ISOLATED:
        return _in_a_process(task_type, data, context, timeout)
    return _in_a_thread(task_type, data, context, timeout)


def _in_a_thread(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    ended: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    threading.Thread(
        target=lambda: ended.put(_call(task_type, data, context, timeout)), name=context.token, daemon=True
    ).start()
    try:
        return ended.get(timeout=timeout)
    except queue.Empty:
        context.canceled.set()
        return _timed_out(timeout)


def _in_a_process(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)

    def answer() -> None:
        _end_with_the_parent()
        sending.send(_call(task_type, data, context, None))

    child = fork.Process(target=answer, name=context.token, daemon=True)
    child.start()
    sending.close()
    try:
        if not receiving.poll(timeout):
            return _timed_out(timeout)
        ended: Ended = receiving.recv()
    except EOFError:
        child.join()
        return Failed(code=Code.ERROR, error=f"The task's own process ended with code {child.exitcode}.")
    else:
        return ended
    finally:
        child.kill()
        child.join()


def _end_with_the_parent() -> None:
    """Let this process end when the one that waits for it is gone: nobody wants its result then."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _call(task_type: TaskType, data: object, context: Context, timeout: float | None) -> Ended:
    arguments = (data, context) if task_type.takes_context else (data,)
    try:
        returned = _finished(task_type.function, arguments, timeout)
    except _TookTooLong:
        return _timed_out(timeout)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome
        return Failed(
            code=Code.ERROR,
            error=_shortened("".join(traceback.format_exception_only(error)).strip()),
            traceback="".join(traceback.format_exception(error)),
        )
    try:
        return Returned(result=json_text.dumps_result(returned))
    except (TypeError, ValueError) as error:
        return Failed(code=Code.BAD_RESULT, error=_shortened(f"The result is not JSON: {error}."))


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
        except TimeoutError:
            if deadline.expired():
                raise _TookTooLong from None
            raise

    return asyncio.run(within_the_deadline())


def _timed_out(timeout: float | None) -> Failed:
    return Failed(code=Code.TIMEOUT, error=f"The task took longer than {timeout:g} seconds.")


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 1] + "…"
