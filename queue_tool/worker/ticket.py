"""The ticket's function: what a worker of RQ's calls, whatever its class.

It takes no arguments, since token and run stand in its job's id, and returns nothing: how the task ended is
kept in the store, and a task's error is an outcome there, not a failure of RQ's.
"""

from __future__ import annotations

import contextlib
import os

from rq import get_current_job

from queue_tool.environment import load_settings
from queue_tool.errors import StoreAway
from queue_tool.model.ticket import read_ticket_id
from queue_tool.runtime import Runtime, open_runtime, start_logging

_runtimes: dict[int, Runtime] = {}
"""By process id: a connection must not be used in the child of a fork."""


def run() -> None:
    """Claim this job's task, do its work and keep the outcome; do nothing if it is not ours to do."""
    job = get_current_job()
    if job is None:
        raise RuntimeError("this function is called by a worker of RQ's, as a job")
    runtime = join()
    runtime.runner([read_ticket_id(job.id)], runtime.owner.id())


def join(name: str = "") -> Runtime:
    """Return what this process works with; at the first call it is put together, and the process registered.

    Args:
        name: by which Redis knows this process, if it does.

    Raises:
        QueueToolError: something that it stands on cannot be used; the sentence says what.
    """
    if os.getpid() not in _runtimes:
        settings = load_settings()
        runtime = open_runtime(settings, start_logging("worker", settings), "worker", name=name, judges=False)
        runtime.settle_put_aside()
        _runtimes[os.getpid()] = runtime
    runtime = _runtimes[os.getpid()]
    runtime.owner.id()
    return runtime


def leave() -> None:
    """Say that this process works on nothing any more; if nobody can be told, the sweeper will see it."""
    if os.getpid() in _runtimes:
        with contextlib.suppress(StoreAway):
            _runtimes[os.getpid()].owner.leave()
