"""Stamping: RQ makes the first ticket of a kind, and Redis copies it for all others of the next second.

One script call makes a thousand exact copies, and then puts them into their list. So a worker finds only complete
jobs. If RQ changes its format, the copies have the new format too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Stamp:
    """The fields of the tickets of one list and task type, as RQ made them."""

    until: float  # when they are too old
    queue: str  # the key of the list
    fields: Sequence[Any]  # each name, then its value
    start: bytes  # a script call, as Redis reads it, up to the ids
    end: bytes  # and after them

    def call(self, ids: Sequence[str]) -> bytes:
        """Return the call that makes tickets with these ids."""
        return self.start + _bulk(" ".join(ids).encode()) + self.end


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
        self._made: dict[tuple[str, str], _Stamp] = {}  # by list and task type

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
        stamp = self._made.get(kind)
        length, made = 0, 0
        if stamp is None or self._monotonic() >= stamp.until:
            until = self._monotonic() + USED_FOR
            queue = Queue(name, connection=self._redis, serializer=JSONSerializer)
            (fields, length), made = _make(self._redis, queue, ids[0], task_type), 1
            stamp = self._made[kind] = _stamp(until, queue.key, fields)
        return _copy(self._redis, stamp, ids[made:]) if len(ids) > made else length


def _stamp(until: float, queue: str, fields: Sequence[Any]) -> _Stamp:
    """Return a stamp, for which most of the script call is put together only once (redis.io/docs, RESP)."""
    before = (b"EVAL", _COPY.encode(), b"1", queue.encode(), keys.JOBS.encode())
    words = len(before) + 1 + len(fields)
    return _Stamp(until, queue, fields, b"*%d\r\n" % words + _bulk(*before), _bulk(*fields))


def _bulk(*words: bytes) -> bytes:
    return b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def _copy(redis: Redis, stamp: _Stamp, ids: Sequence[str]) -> int:
    """Make jobs with these ids, and put them into their list; return the list's length."""
    if len(ids) <= COPIES:
        return _call(redis, stamp.call(ids))
    length = 0
    for start in range(0, len(ids), COPIES * CALLS):
        with redis.pipeline(transaction=False) as pipeline:
            for first in range(start, min(start + COPIES * CALLS, len(ids)), COPIES):
                chunk = " ".join(ids[first : first + COPIES])
                pipeline.eval(_COPY, 1, stamp.queue, keys.JOBS, chunk, *stamp.fields)
            length = pipeline.execute()[-1]
    return length


def _call(redis: Redis, packed: bytes) -> int:
    """Send a command as it is, and return the answer. The usual way takes three times as long, for each small push."""
    pool = redis.connection_pool
    connection: Any = pool.get_connection()
    try:
        length: int = connection.retry.call_with_retry(
            lambda: _answer(connection, packed), lambda _error: connection.disconnect()
        )
    finally:
        pool.release(connection)
    return length


def _answer(connection: Any, packed: bytes) -> Any:
    connection.send_packed_command([packed])
    return connection.read_response()


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
