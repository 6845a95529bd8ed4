"""Isolation: a run in its own process group. Its process reports over a pipe, and the group ends with the run."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from queue_tool.errors import MalformedJson
from queue_tool.execution import lines, process_group
from queue_tool.execution.lines import Lines
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned, timed_out
from queue_tool.model.states import Code

LONGEST_POLL = 86400.0
"""Seconds that one poll of a pipe may take: the operating system allows a few weeks at most."""

SHOWN = 80
"""The most bytes of an unreadable message that an error shows."""


def hear_child(
    child: BaseProcess, receiving: Connection, context: Context, timeout: float | None, died: Code = Code.ERROR
) -> Ended:
    """Read a child's messages until it reports how the run ended, dies, or reaches the deadline. Then end its group.

    Args:
        child: the process that runs `answer_parent`; it has ended when this returns.
        receiving: the reading end of the pipe to which the child writes.
        context: receives the child's progress and log lines.
        timeout: seconds until the deadline; None waits forever.
        died: the code of the failure if the child ends without a report.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    dead = _descriptor_of_death(child)
    try:
        if (ended := _hear(receiving, dead, context, until)) is not None:
            return ended
        if time.monotonic() >= until:
            return timed_out(timeout)
        child.join()
        return Failed(code=died, error=f"The task's own process ended with code {child.exitcode}.")
    finally:
        process_group.end_with(child)
        os.close(dead)
        receiving.close()


def answer_parent(sending: Connection, work: Callable[[Callable[[Context], None]], Ended]) -> None:
    """Do the work in this process, and send the parent how it ended.

    Args:
        sending: the writing end of the pipe to the parent.
        work: runs the task; its argument is a callback that sends the context's progress and log lines to the parent.
    """
    _become_ordinary()
    _exit_with_parent()
    lock = threading.Lock()

    def send_notes(context: Context) -> None:
        with lock:
            lines.write(sending.fileno(), json_text.dumps({"notes": asdict(context.take_notes())}))

    ended = work(send_notes)
    with lock:
        kind = "failed" if isinstance(ended, Failed) else "returned"
        lines.write(sending.fileno(), json_text.dumps({kind: asdict(ended)}))


def _hear(receiving: Connection, dead: int, context: Context, until: float) -> Ended | None:
    """Read messages until one reports how the run ended. Return None if the child dies first, or at the deadline."""
    arriving = Lines(receiving.fileno())
    watched: list[Connection | int] = [receiving, dead]
    while True:
        ready = wait(watched, min(LONGEST_POLL, max(0.0, until - time.monotonic())))
        arrived = arriving.read()
        for text in arrived or ():
            ended = _read_message(text, context)
            if ended is not None:
                return ended
        if (arrived is None and dead in ready) or time.monotonic() >= until:
            return None
        if arriving.has_ended:  # but the child lives: it has closed its end
            watched = [dead]


def _descriptor_of_death(child: BaseProcess) -> int:
    """Return a new file descriptor that can be read when the child has ended, even if its own children have not.

    Linux has descriptors for processes. Elsewhere the sentinel of `multiprocessing` must do.
    """
    assert child.pid is not None  # noqa: S101 - it was started
    try:
        return os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        return os.dup(child.sentinel)


def _become_ordinary() -> None:
    """Give this process what an ordinary program has: default signals, a session, and the right to have children."""
    process_group.lead()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.current_process().daemon = False
    multiprocessing.set_start_method(None, force=True)  # the default of this system


def _read_message(text: bytes, context: Context) -> Ended | None:
    """Return how the run ended; None if the message only brings progress and log lines."""
    try:
        message = json_text.loads(text)
    except MalformedJson:
        return Failed(code=Code.ERROR, error=f"The task's own process sent an unreadable message: {text[:SHOWN]!r}.")
    match message:
        case {"notes": {"progress": progress, "note": str(note), "lines": list(lines)}}:
            if isinstance(progress, int | float):
                context.progress(progress, note)
            for line in lines:
                context.log(str(line))
            return None
        case {"returned": {"result": str(result)}}:
            return Returned(result=result)
        case {"failed": {"code": str(code), "error": str(error), "traceback": str(trace), "final": final, **rest}}:
            after: Any = rest.get("after")
            return Failed(code=Code(code), error=error, traceback=trace, final=bool(final), after=after)
        case other:
            return Failed(code=Code.ERROR, error=f"The task's own process sent an unknown message: {other!r}.")


def _exit_with_parent() -> None:
    """Make this process and its group end when its parent ends: then no process waits for the result."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def exit_after_parent() -> None:
        parent.join()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=exit_after_parent, daemon=True).start()
