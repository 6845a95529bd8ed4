"""Stamping: RQ makes the first ticket of a kind, and Redis copies it for all others of the next second.

One script call makes a thousand exact copies, and then puts them into their list. So a worker finds only complete
jobs. If RQ changes its format, the copies have the new format too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from queue_tool.broker import keys

FUNCTION = "queue_tool.worker.ticket.run"
"""The function that a stock RQ worker calls for a ticket."""

COPIES = 1000
"""Tickets that one script call makes. The call takes two milliseconds, in which Redis does nothing else."""

USED_FOR = 1.0
"""Seconds for which fields are used again, so that RQ's tools show the time of a push to the second."""

CALLS = 20
"""Script calls that are sent before their answers are read."""

_DROP_EMPTY_FIELDS = """
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i + 1] == '' then redis.call('HDEL', KEYS[1], fields[i]) end
end
return redis.call('HGETALL', KEYS[1])
"""
"""Remove the empty fields of a job, and return the others. RQ reads the job the same without them."""

_COPY = """
local list, prefix, ids = KEYS[1], ARGV[1], {}
for id in string.gmatch(ARGV[2], '%S+') do ids[#ids + 1] = id end
local made = prefix .. ids[1]
local kind = redis.call('TYPE', made).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', made) end
redis.call('HSET', made, unpack(ARGV, 3))
for i = 2, #ids do redis.call('COPY', made, prefix .. ids[i], 'REPLACE') end
return redis.call('RPUSH', list, unpack(ids))
"""
"""Make a job with these fields, replacing whatever has its key, and copy it. Then put all jobs into the list.

The ids are one text, separated by spaces: a thousand arguments would take the client longer than the copies take Redis.
"""


class Stamps:
    """The fields of the tickets that RQ made a moment ago. Small pushes that follow each other need RQ only once."""

    def __init__(self, redis: Redis, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Start without fields.

        Args:
            redis: the client.
            monotonic: returns seconds that never jump.
        """
        self._redis = redis
        self._monotonic = monotonic
        self._made: dict[tuple[str, str], tuple[float, list[Any]]] = {}  # by list and task type: until when, and fields

    def push(self, name: str, task_type: str, ids: Sequence[str]) -> int:
        """Push tickets that differ only in their ids, in this order; return the length of the list afterwards.

        Args:
            name: the list.
            task_type: the type of their tasks.
            ids: the ids of the tickets, at least one.

        Raises:
            RedisError: some or all of the tickets may be missing.
        """
        kind = name, task_type
        queue = Queue(name, connection=self._redis, serializer=JSONSerializer)
        until, fields = self._made.get(kind, (0.0, []))
        length, made = 0, 0
        if self._monotonic() >= until:
            until = self._monotonic() + USED_FOR
            (fields, length), made = _make(self._redis, queue, ids[0], task_type), 1
            self._made[kind] = until, fields
        return _copy(self._redis, queue.key, ids[made:], fields) if len(ids) > made else length


def _copy(redis: Redis, queue: str, ids: Sequence[str], fields: Sequence[Any]) -> int:
    """Make jobs with these ids and fields, and put them into a list; return the list's length."""
    length = 0
    for start in range(0, len(ids), COPIES * CALLS):
        with redis.pipeline(transaction=False) as pipeline:
            for first in range(start, min(start + COPIES * CALLS, len(ids)), COPIES):
                chunk = " ".join(ids[first : first + COPIES])
                pipeline.eval(_COPY, 1, queue, keys.JOBS, chunk, *fields)
            length = pipeline.execute()[-1]
    return length


def _make(redis: Redis, queue: Queue, ticket: str, task_type: str) -> tuple[list[Any], int]:
    """Push a ticket through RQ; return its fields (each name, then its value) and the length of the list."""
    with redis.pipeline() as pipeline:
        pipeline.delete(keys.job(ticket))  # an earlier push may have left parts of it
        queue.enqueue_many([_job_data(ticket, task_type)], pipeline=pipeline)
        pipeline.eval(_DROP_EMPTY_FIELDS, 1, keys.job(ticket))  # in this transaction, before a worker reads it
        pipeline.llen(queue.key)
        *_, fields, length = pipeline.execute()
    return fields, length


def _job_data(ticket: str, task_type: str) -> Any:
    return Queue.prepare_data(
        FUNCTION,
        job_id=ticket,
        timeout=-1,  # we enforce deadlines ourselves: RQ's timeout works only in the main thread
        result_ttl=0,  # RQ deletes the job as soon as its function has returned
        failure_ttl=60,
        description=task_type,
    )
