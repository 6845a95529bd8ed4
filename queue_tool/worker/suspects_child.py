"""The shared process of suspects, seen from inside: each channel brings one task, and all tasks run at the same time.

The functions run where their lanes run them in a worker: plain functions in threads, coroutines on one event loop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from queue_tool.environment import load_settings
from queue_tool.execution.awaiting import LoopWaiter
from queue_tool.execution.call import execute_here
from queue_tool.execution.isolation import Reporter, become_ordinary
from queue_tool.execution.process_tree import end_with_parent
from queue_tool.execution.sending import PipeSender
from queue_tool.model import json_text
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.permits import Request
from queue_tool.worker.pool_child import context_of, known_types
from queue_tool.worker.watchdog import ASK_EVERY, GRACE

_log = logging.getLogger("queue_tool.worker")

STUCK = 70
"""The exit code of a process whose event loop is stuck."""

Channel = tuple[Connection, Connection]
"""The reading end of a pipe for one request, and the writing end of a pipe for the reports of this task."""


def serve_together(directory: Path | None, channels: Sequence[Channel]) -> None:
    """Do the tasks that arrive through the channels, until the worker ends this process.

    What the functions print goes to the log of the worker, as in the other lanes of threads.

    Args:
        directory: the working directory of the tasks; None: it has been removed.
        channels: one for each task.
    """
    become_ordinary()
    end_with_parent()
    if directory is not None:
        with suppress(OSError):  # it has been removed
            os.chdir(directory)
    known_types()
    loop = LoopThread().loop
    waiter = LoopWaiter(loop)
    for number, channel in enumerate(channels, 1):
        threading.Thread(target=_serve, args=(channel, waiter), name=f"suspect {number}", daemon=True).start()
    _watch(loop, load_settings().stuck_after)


def _watch(loop: asyncio.AbstractEventLoop, patience: float) -> None:
    """Exit if a coroutine blocks the loop, because the others wait for it. Each runs alone then.

    Args:
        loop: the event loop.
        patience: seconds without a turn after which it is stuck; 0 means never.
    """
    while True:
        answered = threading.Event()
        loop.call_soon_threadsafe(answered.set)
        if patience and not (answered.wait(patience) or answered.wait(GRACE)):
            _log.error("an `async def` function blocks the event loop of a process of suspects, which ends")
            os._exit(STUCK)
        time.sleep(ASK_EVERY)


def _serve(channel: Channel, waiter: LoopWaiter) -> None:
    """Do the task that arrives. If the worker has ended, nobody needs the report."""
    requests, reports = channel
    reporter = Reporter(reports.fileno())
    with open(requests.fileno(), "rb", closefd=False) as arriving, suppress(OSError):
        line = arriving.readline()
        if not line:
            return
        request = Request(*json_text.loads(line))  # type: ignore[misc] # our own worker has written it
        context = context_of(request, reporter, PipeSender(reporter, arriving))
        reporter.notes(context)  # a sign of life
        wait_for = partial(waiter.wait, request.token, is_canceled=context.canceled.is_set)
        task_type = known_types()[request.task_type]
        reporter.ended(execute_here(task_type, json_text.loads(request.data), context, wait_for=wait_for))
