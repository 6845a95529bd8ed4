"""Isolation: a run in a process of its own, which says over a pipe what it has to say and is killed at its deadline."""

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
"""Seconds that one wait for a child may take: the system waits for a few weeks at the longest."""


def hear_child(
    child: BaseProcess, receiving: Connection, context: Context, timeout: float | None, died: Code = Code.ERROR
) -> Ended:
    """Wait for what a child says, and kill it at the deadline; None waits for ever.

    Args:
        child: runs `answer_parent`; it is gone when this returns.
        receiving: the other end of the pipe that it writes into.
        context: gets the child's progress and log.
        timeout: seconds.
        died: what it counts as if the child ends without a word.
    """
    until = math.inf if timeout is None else time.monotonic() + timeout
    try:
        while _arrives(receiving, until):
            ended = _heard(receiving.recv_bytes(), context)
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
    """Do the work in this process and say how it ended; its argument passes on what the run says of itself."""
    _end_with_the_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal, and the parent decides
    talking = threading.Lock()

    def pass_on(context: Context) -> None:
        with talking:
            sending.send_bytes(json_text.dumps({"notes": asdict(context.take_notes())}))

    ended = work(pass_on)
    with talking:
        sending.send_bytes(json_text.dumps({"failed" if isinstance(ended, Failed) else "returned": asdict(ended)}))


def _arrives(receiving: Connection, until: float) -> bool:
    """Wait for the child's next word; False at the deadline."""
    while not receiving.poll(min(LONGEST_POLL, max(0.0, until - time.monotonic()))):
        if time.monotonic() >= until:
            return False
    return True


def _heard(text: bytes, context: Context) -> Ended | None:
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
