"""Stamping: RQ makes the first ticket of a kind, and Redis itself copies it for all the others.

One script call makes a thousand copies, byte for byte, then puts them into their list: a worker finds whole jobs
only, and a change of RQ's format is followed by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from queue_tool.broker import keys
from queue_tool.model.ticket import Ticket

FUNCTION = "queue_tool.worker.ticket.run"
"""What a stock worker of RQ's calls for a ticket."""

COPIES = 1000
"""Tickets that one script call makes: Redis does nothing else for the two milliseconds that it takes."""

CALLS = 20
"""Script calls that are sent before their answers are read."""

_LIGHTEN = """
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  if fields[i + 1] == '' then redis.call('HDEL', KEYS[1], fields[i]) end
end
return redis.call('HGETALL', KEYS[1])
"""
"""Remove the fields of a job that hold nothing, without which RQ reads it the same; return the others."""

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
"""Make a job of these fields, whatever is in its place, and copy it; then put all of them into the list.

The ids come as one text with spaces between them: a thousand arguments cost the client more than the copies Redis.
"""


def push_alike(redis: Redis, tickets: Sequence[Ticket]) -> int:
    """Push tickets that differ in nothing but their ids, in their order; return how many wait in the list then.

    Raises:
        RedisError: some or all of them may be missing.
    """
    queue = Queue(tickets[0].list, connection=redis, serializer=JSONSerializer)
    fields, length = _make(redis, queue, tickets[0])
    ids = [ticket.id for ticket in tickets[1:]]
    for start in range(0, len(ids), COPIES * CALLS):
        with redis.pipeline(transaction=False) as pipeline:
            for first in range(start, min(start + COPIES * CALLS, len(ids)), COPIES):
                chunk = " ".join(ids[first : first + COPIES])
                pipeline.eval(_COPY, 1, queue.key, keys.JOBS, chunk, *fields)
            length = pipeline.execute()[-1]
    return length


def _make(redis: Redis, queue: Queue, ticket: Ticket) -> tuple[list[Any], int]:
    """Push a ticket through RQ; return its fields, name and value in turns, and the list's length."""
    with redis.pipeline() as pipeline:
        pipeline.delete(keys.job(ticket.id))  # whatever is left of it
        queue.enqueue_many([_job_data(ticket)], pipeline=pipeline)
        pipeline.eval(_LIGHTEN, 1, keys.job(ticket.id))  # in the same transaction: a worker may be quick
        pipeline.llen(queue.key)
        *_, fields, length = pipeline.execute()
    return fields, length


def _job_data(ticket: Ticket) -> Any:
    return Queue.prepare_data(
        FUNCTION,
        job_id=ticket.id,
        timeout=-1,  # deadlines are kept inside: RQ's own works on the main thread only
        result_ttl=0,  # an ended ticket leaves at once
        failure_ttl=60,
        description=ticket.task_type,
    )
