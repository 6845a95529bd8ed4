"""Execution: a task type's function called with its data, within its deadline; what comes back is a value.

The function runs in a thread of its own (an `async def` on a loop of its own), so that the deadline can be
kept from outside: at the deadline the run is over, whatever the function does. An isolated one runs in a
process of its own, which is killed then.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import multiprocessing
import os
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from queue_tool import json_text
from queue_tool.context import Context
from queue_tool.task_types import TaskType
from queue_tool.tasks import Code, Lane

LONGEST_POLL = 86400.0
"""Seconds that one wait for a child may take."""

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
        sending.send_bytes(_written(_call(task_type, data, context, None)))

    child = fork.Process(target=answer, name=context.token, daemon=True)
    child.start()
    sending.close()
    try:
        if not _arrives(receiving, timeout):
            return _timed_out(timeout)
        return _read(receiving.recv_bytes())
    except EOFError:
        child.join()
        return Failed(code=Code.ERROR, error=f"The task's own process ended with code {child.exitcode}.")
    finally:
        child.kill()
        child.join()
        receiving.close()


def _arrives(receiving: Connection, timeout: float | None) -> bool:
    """Wait for the child's answer, in turns: the system waits for a few weeks at the longest."""
    until = math.inf if timeout is None else time.monotonic() + timeout
    while not receiving.poll(min(LONGEST_POLL, max(0.0, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True


def _written(ended: Ended) -> bytes:
    return json_text.dumps({"failed": isinstance(ended, Failed)} | asdict(ended))


def _read(text: bytes) -> Ended:
    match json_text.loads(text):
        case {"failed": False, "result": str(result)}:
            return Returned(result=result)
        case {"code": str(code), "error": str(error), "traceback": str(trace)}:
            return Failed(code=Code(code), error=error, traceback=trace)
        case other:
            return Failed(code=Code.ERROR, error=f"The task's own process said {other!r}.")


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
        context.canceled.set()
        return _timed_out(timeout)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome
        return Failed(
            code=Code.ERROR,
            error=_shortened("".join(traceback.format_exception_only(error)).strip()),
            traceback=_encodable("".join(traceback.format_exception(error))),
        )
    try:
        return Returned(result=json_text.dumps_result(returned))
    except Exception as error:  # noqa: BLE001 - a result may be of a type that does anything when it is read
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
        finally:
            if deadline.expired():  # whatever the function made of it
                raise _TookTooLong

    return asyncio.run(within_the_deadline())


def _timed_out(timeout: float | None) -> Failed:
    return Failed(code=Code.TIMEOUT, error=f"The task took longer than {timeout:g} seconds.")


def _shortened(text: str) -> str:
    text = _encodable(text)
    return text if len(text) <= LONGEST_ERROR else text[: LONGEST_ERROR - 1] + "…"


def _encodable(text: str) -> str:
    """Return a text that every database can keep: valid in UTF-8, without U+0000."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
