"""Jobs in our lists that are not our tickets: a readable one goes to RQ's failed registry, and none blocks a ticket."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from rq import Queue, Retry
from rq.job import Job
from rq.registry import FailedJobRegistry

from queue_tool.model.states import State
from tests.worker.tools.place import Place

ID = "a-job-of-theirs"


def as_json(place: Place) -> None:
    place.queue().enqueue("os.getpid", job_id=ID)


def as_pickle(place: Place) -> None:
    Queue("default", connection=place.redis).enqueue(os.getpid, job_id=ID)


def with_retries(place: Place) -> None:
    place.queue().enqueue("os.getpid", job_id=ID, retry=Retry(max=2))


def with_our_kind_of_id(place: Place) -> None:
    place.queue().enqueue("os.getpid", job_id=f"{'0' * 32}-1")  # but the ticket of run 1 has no suffix


def without_a_hash(place: Place) -> None:
    place.redis.rpush(place.queue().key, ID)


def without_a_time(place: Place) -> None:
    place.redis.hset(Job.key_for(ID), mapping={"created_at": "yesterday", "origin": "default", "data": "?"})
    without_a_hash(place)


def of_another_kind(place: Place) -> None:
    place.redis.set(Job.key_for(ID), "no hash at all")
    without_a_hash(place)


READABLE = [as_json, as_pickle, with_retries, with_our_kind_of_id]


@pytest.mark.parametrize("put", [*READABLE, without_a_hash, without_a_time, of_another_kind])
def test_a_job_that_is_not_a_ticket_does_not_block_other_tickets(running: Place, put: Callable[[Place], None]) -> None:
    worker = running.only_worker()
    before = running.sleepers(3)
    put(running)
    after = running.sleepers(3)
    running.await_state([*before, *after], State.FINISHED)
    running.await_(lambda: running.started_jobs().get_job_ids(cleanup=False) == [])
    assert running.queue().job_ids == []
    assert running.only_worker().pid == worker.pid
    failed = FailedJobRegistry("default", connection=running.redis, serializer=running.queue().serializer)
    assert len(failed.get_job_ids(cleanup=False)) == (put in READABLE)
    for job_id in failed.get_job_ids(cleanup=False):
        job = running.job(job_id)
        result = job.latest_result()
        assert job.get_status().value == "failed"
        assert result is not None
        assert (
            result.exc_string == "This job is not a ticket of Queue Tool. This worker runs only Queue Tool's tickets."
        )
        failed.remove(job, delete_job=True)
    running.redis.delete(Job.key_for(ID))
