"""Jobs in our lists that are not our tickets: a readable one goes to RQ's failed registry, and none blocks a ticket."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from redis import Redis
from rq import Queue, Retry
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.webhook import Webhook

from queue_tool.broker.foreign import NOT_A_TICKET
from queue_tool.broker.rq import RqBroker
from queue_tool.model.states import State
from tests.support import eventually
from tests.worker.faults.site import mebibytes
from tests.worker.tools.place import Place

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

ID = "a-job-of-theirs"

BIG = 400
"""Mebibytes that the data of a job have when they are unpacked, of which Redis holds some hundred kilobytes."""


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """A web server that remembers what it was asked for; its address."""
    asked: list[str] = []

    class Ear(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Ear) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", asked
        server.shutdown()
        thread.join()


def as_json(place: Place, _: str) -> None:
    place.queue().enqueue("os.getpid", job_id=ID)


def as_pickle(place: Place, _: str) -> None:
    Queue("default", connection=place.redis).enqueue(os.getpid, job_id=ID)


def with_webhooks(place: Place, url: str) -> None:
    hooks = [Webhook(url, "failed"), Webhook(url, "finished")]
    place.queue().enqueue("os.getpid", job_id=ID, webhooks=hooks)


def with_a_million_retries(place: Place, _: str) -> None:
    place.queue().enqueue("os.getpid", job_id=ID, retry=Retry(max=2))
    place.redis.hset(Job.key_for(ID), "retries_left", 1_000_000)


def with_a_rate_limit(place: Place, _: str) -> None:
    place.queue().enqueue("os.getpid", job_id=ID)
    place.redis.hset(Job.key_for(ID), mapping={"rate_limit_key": "theirs", "rate_limit_concurrency": 1})


def with_data_that_grow(place: Place, _: str) -> None:
    place.queue().enqueue("os.getpid", job_id=ID)
    place.redis.hset(Job.key_for(ID), mapping=dict.fromkeys(("data", "exc_info"), zeros(BIG)))


def zeros(mebibytes: int) -> bytes:
    """Return so many mebibytes of zeros, packed by zlib, which needs seconds for what is put together here.

    Behind the first one, each mebibyte is packed to the same bytes. At the end are an empty block and the checksum,
    Adler-32, of which one half is 1 and the other counts the zeros: https://www.rfc-editor.org/rfc/rfc1950.
    """
    packer = zlib.compressobj(9)
    first, other = (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    checksum = 2**20 * mebibytes % 65521 << 16 | 1
    return first + other * (mebibytes - 1) + b"\x03\0" + checksum.to_bytes(4)


def test_the_data_that_grow_are_whole() -> None:
    assert zlib.decompress(zeros(3)) == bytes(3 * 2**20)


def with_our_kind_of_id(place: Place, _: str) -> None:
    place.queue().enqueue("os.getpid", job_id=f"{'0' * 32}-1")  # but run 1 has no number


def without_a_time(place: Place, _: str) -> None:
    place.redis.hset(Job.key_for(ID), mapping={"created_at": "yesterday", "origin": "default", "data": "?"})
    without_a_hash(place, "")


def without_a_hash(place: Place, _: str) -> None:
    place.redis.rpush(place.queue().key, ID)


def of_another_kind(place: Place, _: str) -> None:
    place.redis.set(Job.key_for(ID), "no hash at all")
    without_a_hash(place, "")


def warnings(place: Place, said: str) -> list[str]:
    """Return what the worker has warned of since then; a line that is none of the log's would be among it."""
    return [line for line in place.whole_log.removeprefix(said).splitlines() if " info " not in line]


def refused(line: str) -> int:
    """Return how many jobs a line of the log says were refused."""
    found = re.search(r"(\d+) jobs in the list \S+ are not tickets, and were refused", line)
    assert found, line
    return int(found[1])


JOBS = [
    as_json,
    as_pickle,
    with_webhooks,
    with_a_million_retries,
    with_a_rate_limit,
    with_data_that_grow,
    with_our_kind_of_id,
    without_a_time,
]


@pytest.mark.parametrize("put", [*JOBS, without_a_hash, of_another_kind])
def test_a_job_that_is_no_ticket_is_never_loaded_and_holds_nothing_up(
    running: Place, put: Callable[[Place, str], None]
) -> None:
    worker = running.only_worker()
    assert worker.pid is not None
    said, memory = running.whole_log, mebibytes(worker.pid)
    before = running.sleepers(3)
    with listener() as (url, asked):
        put(running, url)
        after = running.sleepers(3)
        running.await_state([*before, *after], State.FINISHED)
        running.await_(lambda: running.started_jobs().get_job_ids(cleanup=False) == [])
        assert asked == []
    assert running.queue().job_ids == []
    assert running.only_worker().pid == worker.pid
    assert mebibytes(worker.pid) - memory < BIG / 4
    (line,) = eventually(lambda: warnings(running, said))
    assert "1 jobs in the list default are not tickets" in line
    registry = FailedJobRegistry("default", connection=running.redis, serializer=running.queue().serializer)
    failed = registry.get_job_ids(cleanup=False)
    assert len(failed) == (put in JOBS)
    for job_id in failed:
        key = Job.key_for(job_id)
        assert running.redis.hget(key, "status") == b"failed"
        assert running.redis.ttl(key) > 0
        (result,) = Job(job_id, connection=running.redis, serializer=running.queue().serializer).results()
        assert result.exc_string == NOT_A_TICKET
        running.redis.delete(key, f"rq:results:{job_id}")
    running.redis.delete(Job.key_for(ID), registry.key)


IDS = [
    b"",
    b"a b",
    b" ",
    b"two\nlines",
    b"\xff\xfe",
    "\u00e9".encode(),
    b"\xe9",
    b"a:b",
    b"x" * 10_000,
    b"0" * 32 + b"\n",
    b"0" * 32 + b"-01",
    b"0" * 32 + b" " + b"1" * 32,
]
"""Ids that no ticket has."""


def test_ids_of_any_bytes_leave_lists_and_registries_and_split_no_line_of_the_log(running: Place) -> None:
    said = running.whole_log
    for name in ("high", "default", "default.threads"):
        running.redis.rpush(f"rq:queue:{name}", *IDS)
    sent = [*running.sleepers(3), *running.send("urgent", [None] * 3)]
    running.await_state(sent, State.FINISHED)
    running.await_(lambda: not running.keys("rq:wip:*") and not running.keys("rq:queue:*"))
    assert running.keys("rq:failed:*") == set()  # RQ's tools could not list them
    running.await_(lambda: sum(map(refused, warnings(running, said))) == 3 * len(IDS))
    assert "Traceback" not in running.whole_log.removeprefix(said)


def test_what_a_dead_worker_had_taken_is_removed_by_its_bytes_and_other_jobs_are_refused(place: Place) -> None:
    redis: Any = place.redis
    place.queue().enqueue("os.getpid", job_id=ID)
    entries = [job + ":J\u00fcrgen's worker".encode() for job in [*IDS, ID.encode(), b"0" * 32]]
    redis.zadd("rq:wip:default", dict.fromkeys(entries, 1) | {b"\xff:another's": 1})
    broker = RqBroker(place.redis_url, place.runtime.store.identity())
    assert broker.forget(["J\u00fcrgen's worker"]) == {"0" * 32}
    assert redis.zrange("rq:wip:default", 0, -1) == [b"\xff:another's"]
    assert redis.zrange("rq:failed:default", 0, -1) == [ID.encode()]
    assert redis.hget(Job.key_for(ID), "status") == b"failed"
    broker.close()


def damaged(redis: Redis, job: str) -> None:
    redis.delete(job)
    redis.set(job, "no hash at all")


def named_by_bytes(redis: Redis, job: str) -> None:
    redis.hset(job, "worker_name", b"\xff")


@pytest.mark.parametrize("damage", [damaged, named_by_bytes])
def test_a_damaged_job_of_a_task_that_is_canceled_stops_neither_the_cancel_nor_the_next_push(
    place: Place, damage: Callable[[Redis, str], None]
) -> None:
    (token,) = place.sleepers(1)
    place.runtime.runner.claim([(token, 1)], place.runtime.owner.id())
    damage(place.redis, Job.key_for(token))
    canceled = place.runtime.cancel([token])
    assert canceled.running == {token}
    place.runtime.broker.discard(canceled.tickets)
    assert place.jobs() == set()
    (after,) = place.sleepers(1)
    assert place.waiting() == [after]
