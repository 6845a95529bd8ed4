"""The names of all keys in Redis: RQ's, taken from RQ itself, and our own beside them. Nobody else makes one up.

RQ reads the prefix of its keys from `RQ_KEY_PREFIX` when it is imported; ours follow it.
"""

from __future__ import annotations

from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE, ExecutionRegistry
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.suspension import WORKERS_SUSPENDED
from rq.worker import BaseWorker
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

MARKER = f"{RQ_KEY_PREFIX}:queue_tool:marker"
"""Says whose tickets this Redis carries: the database's identity, a slash, and what is new after each wipe."""

NOTHING = f"{RQ_KEY_PREFIX}:queue_tool:nothing"
"""Never there; a script that removes it counts as one that has written."""

SUSPENDED = WORKERS_SUSPENDED
"""There while `rq suspend` holds all workers."""

WORKERS = REDIS_WORKER_KEYS
"""The set of all workers' keys."""

JOBS = Job.redis_job_namespace_prefix
"""With it the key of each job begins; its id follows."""

EXECUTIONS = f"{RQ_KEY_PREFIX}:execution:"
"""With it the key of each execution begins; its entry in a registry follows."""

EXECUTIONS_OF_JOBS = ExecutionRegistry.key_template.format("")
"""With it the key of the executions of each job begins; the job's id follows."""


def queue(name: str) -> str:
    """Return the key of a list."""
    return f"{Queue.redis_queue_namespace_prefix}{name}"


def job(job_id: str) -> str:
    """Return the key of a job."""
    return f"{JOBS}{job_id}"


def started(name: str) -> str:
    """Return the key of a list's registry of started jobs, whose entries are the job's id, `:` and the execution's."""
    return StartedJobRegistry.key_template.format(name)


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
    """Return the id of the executions of a worker of ours: its name, so that the registries say who holds what."""
    return worker_name.replace(":", "_")
