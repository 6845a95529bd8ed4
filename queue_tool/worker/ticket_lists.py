"""The worker's side of Redis: tickets taken by the batch and removed by the batch, one round trip for both.

A ticket is registered under its worker, in RQ's registry of started jobs, before it leaves its list: a kill at
any moment leaves it where the sweeper finds it. What our scripts write is what RQ itself would write, and tests
compare the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Protocol

import orjson
from redis import Redis
from redis.exceptions import OutOfMemoryError
from rq.utils import utcformat

from queue_tool.broker import keys
from queue_tool.broker.rq import ANY_BYTES
from queue_tool.model.queues import Lane

MOST = 1000
"""Tickets of one list in one call: a script cannot pass more than a few thousand arguments on."""

_EXCHANGE = """
local order = cjson.decode(ARGV[1])
local function parts(list, visit)
  for first = 1, #list, 1000 do visit(unpack(list, first, math.min(first + 999, #list))) end
end
for registry, jobs in pairs(order.gone) do
  local entries, keys = {}, {}
  for i, job in ipairs(jobs) do
    entries[i] = job .. order.execution
    keys[i] = order.job .. job
  end
  parts(entries, function(...) redis.call('ZREM', registry, ...) end)
  parts(keys, function(...) redis.call('UNLINK', ...) end)
end
if #order.shown > 0 then
  local entries, keys = {}, {}
  for i, job in ipairs(order.shown) do
    entries[i] = job .. order.execution
    keys[2 * i - 1] = order.executions .. job .. order.execution
    keys[2 * i] = order.of_jobs .. job
  end
  parts(entries, function(...) redis.call('SREM', order.of_worker, ...) end)
  parts(keys, function(...) redis.call('UNLINK', ...) end)
end
if order.ended > 0 and redis.call('EXISTS', order.worker) == 1 then
  redis.call('HINCRBY', order.worker, 'successful_job_count', order.ended)
end
if #order.take > 0 and redis.call('EXISTS', order.suspended) == 1 then return false end
local marker = redis.call('GET', order.marker)
if marker and string.match(marker, '^[^/]*') ~= order.database then
  return redis.error_reply('it carries the tickets of another database')
end
-- A script that has written once may go on in a Redis that is full: what makes room must not lack it.
redis.call('UNLINK', order.nothing)
local taken = {}
for i, list in ipairs(order.take) do
  local most, jobs = math.min(order.room[list.lane], 1000), {}
  if most > 0 then jobs = redis.call('LRANGE', list.queue, 0, most - 1) end
  if #jobs > 0 then
    local entries = {}
    for j, job in ipairs(jobs) do
      entries[2 * j - 1] = '+inf'
      entries[2 * j] = job .. order.execution
    end
    redis.call('ZADD', list.registry, unpack(entries))
    redis.call('LTRIM', list.queue, #jobs, -1)
    order.room[list.lane] = order.room[list.lane] - #jobs
  end
  taken[i] = table.concat(jobs, ' ') -- RQ's ids hold no space, and one text is read faster than a thousand
end
return taken
"""

_SHOW = """
local order = cjson.decode(ARGV[1])
if redis.call('EXISTS', order.worker) == 1 then redis.call('HSET', order.worker, 'state', 'busy') end
for i, job in ipairs(order.jobs) do
  local key = order.job .. job
  if redis.call('TYPE', key).ok == 'hash' then
    redis.call('HSET', key, 'status', 'started', 'started_at', order.times[i], 'last_heartbeat', order.times[i],
      'worker_name', order.name)
    redis.call('HSET', order.executions .. job .. order.execution, 'id', order.id, 'job_id', job, 'created_at',
      order.stamps[i], 'last_heartbeat', order.stamps[i], 'worker_name', order.name)
    redis.call('ZADD', order.of_jobs .. job, '+inf', order.id)
    redis.call('SADD', order.of_worker, job .. order.execution)
  end
end
"""

_GIVE_BACK = """
local order = cjson.decode(ARGV[1])
for i, job in ipairs(order.jobs) do
  redis.call('ZREM', order.registry, job .. order.execution) -- first: in a full Redis LPUSH may not be
  redis.call('LPUSH', order.queue, job)
end
"""


class Gone(Protocol):
    """A ticket that is no longer needed."""

    @property
    def ticket(self) -> str:
        """Return its id."""

    @property
    def list(self) -> str:
        """Return the list from which it was taken."""

    @property
    def shown(self) -> bool:
        """Tell whether it was shown as started, so that more has to go."""


class TicketLists:
    """The lists that a worker serves."""

    def __init__(self, redis: Redis, names: Iterable[str], worker: str, database: str) -> None:
        """Work on these lists of this Redis, as the worker of this name, for the database of this identity."""
        self._redis = redis
        self._registries = {name: keys.started(name) for name in names}
        self._exchange = redis.register_script(_EXCHANGE)
        self._show = redis.register_script(_SHOW)
        self._give_back = redis.register_script(_GIVE_BACK)
        execution = keys.execution_id(worker)
        self._order = {
            "job": keys.JOBS,
            "executions": keys.EXECUTIONS,
            "of_jobs": keys.EXECUTIONS_OF_JOBS,
            "of_worker": keys.executions_of_worker(worker),
            "id": execution,
            "execution": f":{execution}",
            "name": worker,
            "worker": keys.worker(worker),
            "suspended": keys.SUSPENDED,
            "marker": keys.MARKER,
            "nothing": keys.NOTHING,
            "database": database,
        }

    def exchange(
        self, wanted: Mapping[str, Lane], room: Mapping[Lane, int], gone: Sequence[Gone], ended: int
    ) -> dict[str, list[str]] | None:
        """Remove tickets that are no longer needed, and take others, each list's from its head.

        Args:
            wanted: the lists to take from, the most urgent first, and the lane that each belongs to.
            room: how many at most for each lane.
            gone: tickets to remove.
            ended: how many of them are tasks that have ended here, for RQ's own count.

        Returns:
            The ids of what was taken, by list; None if `rq suspend` says that nothing may be taken.

        Raises:
            RedisError: Redis does not answer; any part of it may have been done.
        """
        by_registry: dict[str, list[str]] = {}
        for entry in gone:
            by_registry.setdefault(self._registries[entry.list], []).append(entry.ticket)
        order = self._order | {
            "gone": by_registry,
            "shown": [entry.ticket for entry in gone if entry.shown],
            "ended": ended,
            "room": {lane.value: slots for lane, slots in room.items()},
            "take": [
                {"queue": keys.queue(name), "registry": self._registries[name], "lane": lane}
                for name, lane in wanted.items()
            ],
        }
        answer = self._exchange(args=[orjson.dumps(order)])
        if answer is None:
            return None
        return {
            name: jobs.decode(ANY_BYTES).split(" ") if jobs else [] for name, jobs in zip(wanted, answer, strict=True)
        }

    def show(self, began: Mapping[str, datetime]) -> None:
        """Let RQ's tools see that tickets are being worked on, and since when each of them is.

        A Redis that is full shows nothing: work needs none of this.

        Raises:
            RedisError: Redis does not answer.
        """
        jobs = list(began)
        for start in range(0, len(jobs), MOST):
            chunk = jobs[start : start + MOST]
            times = [utcformat(began[job]) for job in chunk]
            stamps = [str(began[job].timestamp()) for job in chunk]  # Lua would write numbers with fewer digits
            with suppress(OutOfMemoryError):
                self._show(args=[orjson.dumps(self._order | {"jobs": chunk, "times": times, "stamps": stamps})])

    def let_go(self, name: str, job: str) -> None:
        """Register a job no longer that is no ticket, and leave the rest of it alone.

        Raises:
            RedisError: Redis does not answer.
        """
        self._redis.zrem(self._registries[name], f"{job}{self._order['execution']}".encode(ANY_BYTES))

    def give_back(self, name: str, tickets: Sequence[str]) -> None:
        """Put tickets that were taken and not claimed back to the head of their list, in their order.

        Raises:
            RedisError: Redis does not answer.
        """
        order = self._order | {
            "queue": keys.queue(name),
            "registry": self._registries[name],
            "jobs": list(tickets)[::-1],
        }
        self._give_back(args=[orjson.dumps(order)])
