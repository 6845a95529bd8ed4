"""The ticket's function, which an RQ worker of any class calls.

It takes no arguments, because the job's id contains the token and the run. It returns nothing, because the store
keeps the outcome. A task's error is an outcome in the store, not a failure in RQ.
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
"""The runtimes by process id. A forked child needs its own, because it must not use its parent's connections."""


def run() -> None:
    """Claim this job's task, run it and store the outcome. Do nothing if the task cannot be claimed."""
    job = get_current_job()
    if job is None:
        raise RuntimeError("this function must be called by an RQ worker, as a job")
    runtime = join()
    runtime.runner([read_ticket_id(job.id)], runtime.owner.id())


def join(name: str = "") -> Runtime:
    """Return the runtime of this process. The first call opens it and registers the process in the store.

    Args:
        name: the name of this worker in Redis, if it has one.

    Raises:
        QueueToolError: something that the runtime needs cannot be used. The message says what.
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
    """Unregister this process from the store. If the store is away, the sweeper finds out later."""
    if os.getpid() in _runtimes:
        with contextlib.suppress(StoreAway):
            _runtimes[os.getpid()].owner.leave()
