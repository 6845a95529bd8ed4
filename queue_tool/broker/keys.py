"""The names of all keys in Redis: RQ's keys, with names taken from RQ, and our own. No other module builds a key name.

RQ reads the prefix of its keys from `RQ_KEY_PREFIX` when it is imported. Our keys use the same prefix.
"""

from __future__ import annotations

from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, ExecutionRegistry
from rq.job import Job
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.suspension import WORKERS_SUSPENDED
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

MARKER = f"{RQ_KEY_PREFIX}:queue_tool:marker"
"""Names the database whose tickets this Redis carries: its identity, a slash, and a value that is new after a wipe."""

FILLS = f"{RQ_KEY_PREFIX}:queue_tool:fill:"
"""The prefix of the lock of a list that is being filled; the list's name follows."""

NOTHING = f"{RQ_KEY_PREFIX}:queue_tool:nothing"
"""Never exists. A script that removes it counts as a script that has written, and may then write to a full Redis."""

SUSPENDED = WORKERS_SUSPENDED
"""Exists while all workers are suspended by `rq suspend`."""

WORKERS = REDIS_WORKER_KEYS
"""The set of the keys of all workers."""

JOBS = Job.redis_job_namespace_prefix
"""The prefix of a job's key; the job's id follows."""

EXECUTIONS = f"{RQ_KEY_PREFIX}:execution:"
"""The prefix of an execution's key; its entry in a registry follows."""

EXECUTIONS_OF_JOBS = ExecutionRegistry.key_template.format("")
"""The prefix of the key for the executions of a job; the job's id follows."""

RESULTS: str = Result.get_key("")  # type: ignore[no-untyped-call] # RQ has no types there
"""The prefix of the key for the results of a job; the job's id follows."""


def queue(name: str) -> str:
    """Return the key of a list."""
    return f"{Queue.redis_queue_namespace_prefix}{name}"


def job(job_id: str) -> str:
    """Return the key of a job."""
    return f"{JOBS}{job_id}"


def started(name: str) -> str:
    """Return the key of a list's registry of started jobs. An entry is the job's id, `:` and the execution's id."""
    return StartedJobRegistry.key_template.format(name)


def failed(name: str) -> str:
    """Return the key of a list's registry of failed jobs. An entry is the job's id."""
    return FailedJobRegistry.key_template.format(name)


def worker(name: str) -> str:
    """Return the key of a worker."""
    return f"{BaseWorker.redis_worker_namespace_prefix}{name}"


def workers_of(name: str) -> str:
    """Return the key of the set of the workers that serve a list."""
    return WORKERS_BY_QUEUE_KEY % name


def executions_of_worker(name: str) -> str:
    """Return the key of the set of a worker's executions."""
    return WORKER_EXECUTIONS_KEY_TEMPLATE.format(name)


def execution_id(worker_name: str) -> str:
    """Return the id for all executions of one of our workers: its name, so that a registry shows who holds a job."""
    return worker_name.replace(":", "_")
