"""Isolation: a run in its own process. The process reports over a pipe, and is killed at the deadline."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned, timed_out
from queue_tool.model.states import Code

LONGEST_POLL = 86400.0
"""Seconds that one poll of a pipe may take: the operating system allows a few weeks at most."""


def hear_child(
    child: BaseProcess, receiving: Connection, context: Context, timeout: float | None, died: Code = Code.ERROR
) -> Ended:
    """Read a child's messages until it reports how the run ended. Kill the child at the deadline.

    Args:
        child: the process that runs `answer_parent`; it has ended when this returns.
        receiving: the reading end of the pipe to which the child writes.
        context: receives the child's progress and log lines.
        timeout: seconds until the deadline; None waits forever.
        died: the code of the failure if the child ends without a report.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    try:
        while _has_message(receiving, until):
            ended = _read_message(receiving.recv_bytes(), context)
            if ended is not None:
                return ended
    except EOFError:
        child.join()
        return Failed(code=died, error=f"The task's own process ended with code {child.exitcode}.")
    finally:
        child.kill()
        child.join()
        receiving.close()
    return timed_out(timeout)


def answer_parent(sending: Connection, work: Callable[[Callable[[Context], None]], Ended]) -> None:
    """Do the work in this process, and send the parent how it ended.

    Args:
        sending: the writing end of the pipe to the parent.
        work: runs the task; its argument is a callback that sends the context's progress and log lines to the parent.
    """
    _exit_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal, but the parent decides
    lock = threading.Lock()

    def send_notes(context: Context) -> None:
        with lock:
            sending.send_bytes(json_text.dumps({"notes": asdict(context.take_notes())}))

    ended = work(send_notes)
    with lock:
        sending.send_bytes(json_text.dumps({"failed" if isinstance(ended, Failed) else "returned": asdict(ended)}))


def _has_message(receiving: Connection, until: float) -> bool:
    """Wait for the child's next message; return False at the deadline."""
    while not receiving.poll(min(LONGEST_POLL, max(0.0, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True


def _read_message(text: bytes, context: Context) -> Ended | None:
    """Return how the run ended; None if the message only brings progress and log lines."""
    match json_text.loads(text):
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
    """Make this process exit when its parent ends: then no process waits for the result."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def exit_after_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=exit_after_parent, daemon=True).start()
