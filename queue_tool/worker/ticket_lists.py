"""The worker's side of Redis: takes many tickets and removes many tickets in one round trip.

Before a ticket leaves its list, it is registered under its worker in RQ's registry of started jobs. So the sweeper
finds it, even if the worker is killed at any moment. Our scripts write what RQ itself would write, and tests compare
the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import orjson
from redis import Redis
from rq.utils import utcformat

from queue_tool.broker import foreign, keys
from queue_tool.broker.failures import full_ignored
from queue_tool.broker.started import ANY_BYTES
from queue_tool.model.queues import Lane

MOST_TICKETS = 1000
"""The most tickets of one list in one call. A script can pass only a few thousand arguments to a command."""

_EXCHANGE = """
local order = cjson.decode(ARGV[1])
local function parts(list, visit)
  for first = 1, #list, 1000 do visit(unpack(list, first, math.min(first + 999, #list))) end
end
for registry, jobs in pairs(order.remove) do
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
-- A full Redis must still allow this script to take tickets, because that makes room. Redis does not stop a script
-- after its first write. So the first write deletes a key that never exists.
redis.call('UNLINK', order.nothing)
local taken, left = {}, {}
for i, list in ipairs(order.take) do
  local most, jobs, odd = math.min(order.room[list.lane], 1000), {}, false
  if most > 0 then jobs = redis.call('LRANGE', list.queue, 0, most - 1) end
  if #jobs > 0 then
    local entries = {}
    for j, job in ipairs(jobs) do
      entries[2 * j - 1] = '+inf'
      entries[2 * j] = job .. order.execution
      odd = odd or job == '' or string.find(job, ' ', 1, true)
    end
    redis.call('ZADD', list.registry, unpack(entries))
    redis.call('LTRIM', list.queue, #jobs, -1)
    order.room[list.lane] = order.room[list.lane] - #jobs
  end
  -- One string is read faster than a thousand. But other programs may put ids with spaces into a list.
  taken[i] = odd and jobs or table.concat(jobs, ' ')
  left[i] = redis.call('LLEN', list.queue)
end
return {taken, left}
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
  redis.call('ZREM', order.registry, job .. order.execution) -- first, because a full Redis may refuse LPUSH
  redis.call('LPUSH', order.queue, job)
end
"""

_RETURN = """
local order = cjson.decode(ARGV[1])
redis.call('UNLINK', order.nothing) -- so that a full Redis allows the rest
for i, old in ipairs(order.jobs) do
  local key, new = order.job .. old, order.next[i]
  if redis.call('TYPE', key).ok == 'hash' then
    redis.call('RENAME', key, order.job .. new)
    redis.call('HSET', order.job .. new, 'status', 'queued')
    redis.call('HDEL', order.job .. new, 'started_at', 'last_heartbeat', 'worker_name')
  end
  redis.call('LPUSH', order.queue, new)
end
"""


class Removable(Protocol):
    """A ticket to remove."""

    @property
    def ticket(self) -> str:
        """Return the ticket's id."""

    @property
    def list(self) -> str:
        """Return the list that the ticket came from."""

    @property
    def shown(self) -> bool:
        """Return whether RQ's tools see it as started. Then more keys must be removed."""


class TicketLists:
    """The lists of tickets that a worker serves."""

    def __init__(self, redis: Redis, names: Iterable[str], worker: str, database: str) -> None:
        """Prepare the scripts.

        Args:
            redis: the client.
            names: the lists to serve.
            worker: the worker's name in RQ.
            database: the identity of the database that the tickets belong to.
        """
        self._redis = redis
        self._worker = worker
        self.left: Mapping[str, int] = {}  # tickets that the last exchange left in the lists that it took from
        self._registries = {name: keys.started(name) for name in names}
        self._exchange = redis.register_script(_EXCHANGE)
        self._show = redis.register_script(_SHOW)
        self._give_back = redis.register_script(_GIVE_BACK)
        self._return = redis.register_script(_RETURN)
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
        self, wanted: Mapping[str, Lane], room: Mapping[Lane, int], to_remove: Sequence[Removable], ended: int
    ) -> dict[str, list[str]] | None:
        """Remove unneeded tickets and take new ones from the heads of the lists.

        Args:
            wanted: the lists to take from, the most urgent first, each with its lane.
            room: the most tickets to take for each lane.
            to_remove: the tickets to remove.
            ended: how many of them are tasks that ended here. RQ's own counter grows by it.

        Returns:
            The ids of the taken tickets by list. None if `rq suspend` forbids taking.

        Raises:
            RedisError: Redis does not answer. The call may have been carried out in part.
        """
        by_registry: dict[str, list[str]] = {}
        for entry in to_remove:
            by_registry.setdefault(self._registries[entry.list], []).append(entry.ticket)
        order = self._order | {
            "remove": by_registry,
            "shown": [entry.ticket for entry in to_remove if entry.shown],
            "ended": ended,
            "room": {lane.value: slots for lane, slots in room.items()},
            "take": [
                {"queue": keys.queue(name), "registry": self._registries[name], "lane": lane}
                for name, lane in wanted.items()
            ],
        }
        answer = self._exchange(args=[orjson.dumps(order)])
        self.left = {}
        if answer is None:
            return None
        taken, left = answer
        self.left = dict(zip(wanted, left, strict=True))
        return {name: _ids(jobs) for name, jobs in zip(wanted, taken, strict=True)}

    def show(self, began: Mapping[str, datetime]) -> None:
        """Show tickets as started in RQ's tools.

        A full Redis shows nothing. The work does not depend on this.

        Args:
            began: the start time of each ticket.

        Raises:
            RedisError: Redis does not answer.
        """
        jobs = list(began)
        for start in range(0, len(jobs), MOST_TICKETS):
            chunk = jobs[start : start + MOST_TICKETS]
            times = [utcformat(began[job]) for job in chunk]
            stamps = [str(began[job].timestamp()) for job in chunk]  # text, as Lua would round numbers
            with full_ignored():
                self._show(args=[orjson.dumps(self._order | {"jobs": chunk, "times": times, "stamps": stamps})])

    def refuse(self, name: str, jobs: Sequence[bytes]) -> None:
        """Move jobs that were taken from a list, and are not tickets, to RQ's failed jobs.

        Raises:
            RedisError: Redis does not answer. Repeat the call.
        """
        foreign.refuse(self._redis, name, self._worker, jobs)

    def give_back(self, name: str, tickets: Sequence[str]) -> None:
        """Put unclaimed tickets back at the head of their list, in the same order.

        Raises:
            RedisError: Redis does not answer.
        """
        order = self._order | {
            "queue": keys.queue(name),
            "registry": self._registries[name],
            "jobs": list(tickets)[::-1],
        }
        self._give_back(args=[orjson.dumps(order)])

    def return_runs(self, name: str, runs: Mapping[str, str]) -> None:
        """Put the tickets of the next runs at the head of a list, in the same order. The job of each becomes its own.

        Args:
            name: the list.
            runs: by ticket, the ticket of the next run of its task. The old tickets are to be removed afterwards.

        Raises:
            RedisError: Redis does not answer.
        """
        tickets = list(runs)[::-1]
        order = self._order | {
            "queue": keys.queue(name),
            "jobs": tickets,
            "next": [runs[ticket] for ticket in tickets],
        }
        self._return(args=[orjson.dumps(order)])


def _ids(jobs: bytes | list[bytes]) -> list[str]:
    """Return the ids of taken jobs: they are one text with spaces in between, or a list if an id contains a space."""
    if isinstance(jobs, list):
        return [job.decode(ANY_BYTES) for job in jobs]
    return jobs.decode(ANY_BYTES).split(" ") if jobs else []
