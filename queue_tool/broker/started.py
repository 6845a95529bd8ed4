"""The registries of started jobs in Redis: which tickets workers hold."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from redis import Redis

from queue_tool.broker import foreign as foreign_jobs
from queue_tool.broker import keys
from queue_tool.model.queues import LISTS
from queue_tool.model.ticket import read_ticket_id

ANY_BYTES = "latin-1"
"""The encoding for reading ids. A ticket's id is ASCII, but other programs may put any bytes into our lists."""

CHUNK = 1000
"""The maximum number of tickets in one command."""


def held(redis: Redis) -> set[str]:
    """Return the ids of all tickets that workers hold."""
    jobs = {_split(entry)[0] for name in LISTS for entry in _entries(redis, name)}
    return {job.decode() for job in jobs if _is_ticket(job)}


def drop(redis: Redis, tickets: Container[str]) -> None:
    """Remove these tickets, whoever holds them, with their jobs."""
    for name in LISTS:
        by_execution: dict[str, list[str]] = {}
        for job, execution in map(_split, _entries(redis, name)):
            if job.decode(ANY_BYTES) in tickets:
                by_execution.setdefault(f":{execution.decode(ANY_BYTES)}", []).append(job.decode())
        for execution_id, dropped in by_execution.items():
            _remove(redis, keys.started(name), execution_id, dropped)


def forget(redis: Redis, name: str, workers: Sequence[str]) -> set[str]:
    """Remove what these workers had taken from a list: tickets with their jobs. Other jobs are refused.

    Returns:
        The ids of the tickets.
    """
    left: set[str] = set()
    found = _entries(redis, name)
    for worker in workers:
        execution = f":{keys.execution_id(worker)}".encode()
        jobs = [entry.removesuffix(execution) for entry in found if entry.endswith(execution)]
        foreign = [job for job in jobs if not _is_ticket(job)]
        foreign_jobs.refuse(redis, name, worker, foreign)
        tickets = [job.decode() for job in jobs if _is_ticket(job)]
        _remove(redis, keys.started(name), execution.decode(), tickets)
        left.update(tickets)
    return left


def _entries(redis: Redis, name: str) -> list[bytes]:
    found: Any = redis.zrange(keys.started(name), 0, -1)
    return list(found)


def _split(entry: bytes) -> tuple[bytes, bytes]:
    """Return the id of the job and that of its execution."""
    job, _, execution = entry.partition(b":")
    return job, execution


def _remove(redis: Redis, registry: str, execution: str, tickets: Sequence[str]) -> None:
    """Remove tickets from a registry, and all keys of their jobs."""
    for start in range(0, len(tickets), CHUNK):
        chunk = tickets[start : start + CHUNK]
        with redis.pipeline() as pipeline:
            pipeline.zrem(registry, *(f"{ticket}{execution}" for ticket in chunk))
            pipeline.unlink(
                *(keys.job(ticket) for ticket in chunk),
                *(f"{keys.EXECUTIONS}{ticket}{execution}" for ticket in chunk),
                *(f"{keys.EXECUTIONS_OF_JOBS}{ticket}" for ticket in chunk),
            )
            pipeline.execute()


def _is_ticket(job_id: bytes) -> bool:
    """Return whether a job's id is that of a ticket."""
    try:
        read_ticket_id(job_id.decode(ANY_BYTES))
    except ValueError:
        return False
    return True
