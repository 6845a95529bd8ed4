"""Foreign jobs: what other programs put into our lists. They are moved to RQ's failed jobs and never loaded.

RQ would follow what a loaded job asks for: it would fetch the URLs of its webhooks, unpack its data, and put it back
into the list for each of its retries. So only the job's id is used here, as raw bytes, because it may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from redis import Redis
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.job import JobStatus
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.utils import utcformat

from queue_tool.broker import keys

NOT_A_TICKET = "This job is not a ticket of Queue Tool. This worker runs only Queue Tool's tickets."

CHUNK = 1000
"""The most jobs that one script call refuses."""

SHOWN = 80
"""The most bytes of an id that a log line shows."""

_REFUSE = """
local order = cjson.decode(ARGV[1])
for i = 2, #ARGV do
  local id, job = ARGV[i], order.job .. ARGV[i]
  redis.call('ZREM', order.registry, id .. order.execution) -- first, because a full Redis may refuse the others
  if id ~= '' and not string.find(id, '[^%w_-]') and redis.call('TYPE', job).ok == 'hash' then
    redis.pcall('ZADD', order.failed, order.until_, id)
    redis.pcall('HSET', job, 'status', order.status, 'ended_at', order.ended_at)
    redis.pcall('EXPIRE', job, order.ttl)
    redis.pcall('XADD', order.results .. id, 'MAXLEN', 10, '*', unpack(order.result))
    redis.pcall('EXPIRE', order.results .. id, order.ttl)
  end
end
"""
"""Remove jobs from a registry of started jobs, and add them to the registry of failed jobs.

An id that no RQ job can have, and an id without a job, is only removed: RQ's tools could not list it.
"""


def refuse(redis: Redis, name: str, worker: str, ids: Sequence[bytes]) -> None:
    """Move jobs that a worker took from a list to RQ's failed jobs, without loading them.

    Args:
        redis: the client.
        name: the list.
        worker: the name of the worker that took the jobs.
        ids: the ids of the jobs.

    Raises:
        RedisError: Redis does not answer. Repeat the call.
    """
    now = datetime.now(UTC)
    result = Result(
        "", Result.Type.FAILED, redis, exc_string=NOT_A_TICKET, worker_name=worker, serializer=JSONSerializer
    )
    order = {
        "registry": keys.started(name),
        "failed": keys.failed(name),
        "job": keys.JOBS,
        "results": keys.RESULTS,
        "execution": f":{keys.execution_id(worker)}",
        "until_": int(now.timestamp()) + DEFAULT_FAILURE_TTL,
        "ttl": DEFAULT_FAILURE_TTL,
        "status": JobStatus.FAILED.value,
        "ended_at": utcformat(now),
        "result": [str(part) for pair in result.serialize().items() for part in pair],
    }
    script = redis.register_script(_REFUSE)
    for start in range(0, len(ids), CHUNK):
        script(args=[orjson.dumps(order), *ids[start : start + CHUNK]])


def described(name: str, ids: Sequence[bytes]) -> str:
    """Return a sentence for the log about jobs that were refused."""
    return f"{len(ids)} jobs in the list {name} are not tickets, and were refused. The first id is {ids[0][:SHOWN]!r}."
