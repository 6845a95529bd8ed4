"""The ticket's function, which an RQ worker of any class calls.

It takes no arguments, because the job's id contains the token and the run. It returns nothing, because the store
keeps the outcome. A task's error is an outcome in the store, not a failure in RQ.
"""

from __future__ import annotations

import contextlib
import os

from redis.exceptions import RedisError
from rq import get_current_job
from rq.job import Job

from queue_tool.broker import keys
from queue_tool.environment import load_settings
from queue_tool.errors import StoreAway
from queue_tool.host import output
from queue_tool.model.ticket import read_ticket_id
from queue_tool.runtime import Runtime, open_runtime, start_logging

_runtimes: dict[int, Runtime] = {}
"""The runtimes by process id. A forked child needs its own, because it must not use its parent's connections."""


def run() -> None:
    """Claim this job's task, run it and store the outcome. Do nothing if the task cannot be claimed."""
    job = get_current_job()
    if job is None:
        raise RuntimeError("this function must be called by an RQ worker, as a job")
    runtime = join(for_parent=_is_work_horse(job))
    runtime.runner([read_ticket_id(job.id)], runtime.owner.id())
    with contextlib.suppress(StoreAway):  # then the sweeper finds out that this process is gone
        runtime.owner.hand_over()


def join(name: str = "", *, for_parent: bool = False) -> Runtime:
    """Return the runtime of this process. The first call opens it and registers the process in the store.

    Args:
        name: the name of this worker in Redis, if it has one.
        for_parent: whether this process is a child that does one job for its parent.

    Raises:
        QueueToolError: something that the runtime needs cannot be used. The message says what.
    """
    if os.getpid() not in _runtimes:
        settings = load_settings()
        telemetry = start_logging("worker", settings)
        output.capture()
        try:
            runtime = open_runtime(settings, telemetry, "worker", name=name, for_parent=for_parent, judges=False)
            runtime.settle_put_aside()
        except BaseException:
            output.release()
            raise
        _runtimes[os.getpid()] = runtime
    runtime = _runtimes[os.getpid()]
    runtime.owner.id()
    return runtime


def _is_work_horse(job: Job) -> bool:
    """Return whether this process is a child that RQ's worker has made for this job alone.

    RQ's worker writes its own pid to Redis. If that is not to be had, this process counts as a worker of its own.
    """
    with contextlib.suppress(RedisError):
        pid = job.connection.hget(keys.worker(job.worker_name or ""), "pid")
        return bool(pid == str(os.getppid()).encode())
    return False


def leave() -> None:
    """Unregister this process from the store. If the store is away, the sweeper finds out later."""
    if os.getpid() in _runtimes:
        with contextlib.suppress(StoreAway):
            _runtimes[os.getpid()].owner.leave()
