"""Tickets as RQ jobs on Redis or Valkey.

A ticket is an RQ job that any worker of RQ's can run: its function is named by a text, it has no arguments
(token and run stand in its id), and it is JSON, never pickle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from rq.command import send_command
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.broker import keys, marker
from queue_tool.broker.breaker import Breaker
from queue_tool.broker.failures import failures_named
from queue_tool.broker.stamping import push_alike
from queue_tool.errors import BrokerAway
from queue_tool.model.queues import LISTS
from queue_tool.model.ticket import Ticket

CONNECT_TIMEOUT = 1.0
"""Seconds in which Redis must accept a connection."""

ANSWER_TIMEOUT = 1.0
"""Seconds in which Redis must answer a command of a request."""

READ_TIMEOUT = 10.0
"""Seconds in which Redis must answer a sweeper that reads every list."""

ANY_BYTES = "latin-1"
"""What ids are read with: a ticket's are ASCII, and what others have put into our lists may be anything."""

CHUNK = 1000
"""Tickets that go in one command."""


def connect(url: str, answer_timeout: float) -> Redis:
    """Return a client that fails soon: a stopped Redis must not stop a request for long."""
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        # A connection that Redis closed while idle is made again; one that hangs is not tried twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        driver_info=_driver(),
    )


@cache
def _driver() -> DriverInfo:
    """Return what each connection says of its driver; redis-py would look for its version on the disk each time."""
    return DriverInfo()


class RqBroker:
    """The broker on Redis or Valkey."""

    def __init__(self, url: str, database: str) -> None:
        """Prepare a client for this URL, to carry the tickets of this database; nothing is connected yet."""
        self._database = database
        self._is_ours = False  # as far as was seen since the last failure
        self._redis = connect(url, ANSWER_TIMEOUT)
        self._reader = connect(url, READ_TIMEOUT)
        self._breaker = Breaker()
        self._lengths: dict[str, int] = {}  # of the lists, after the last push to each

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Put tickets into their lists; each list gets its own in this order.

        Raises:
            BrokerAway: some or all of them may be missing.
        """
        with self._talking():
            if not self._is_ours:
                marker.read(self._redis, self._database)
                self._is_ours = True
            for kind in _kinds(tickets):
                self._lengths[kind[0].list] = push_alike(self._redis, kind)

    def has_room(self, name: str, count: int, most: int) -> bool:
        """Tell whether a list can take so many more tickets without holding more than `most`.

        Redis is asked only where its last answer leaves a doubt: what others push in between is overlooked, once.
        """
        if self._lengths.get(name, 0) + count <= most:
            return True
        with suppress(BrokerAway):
            return self.length(name) + count <= most
        return True

    def length(self, name: str) -> int:
        """Return how many tickets wait in a list.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._talking():
            length: Any = self._redis.llen(keys.queue(name))
            self._lengths[name] = length
            return int(length)

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Remove the jobs of tickets that nobody will work on any more, from wherever RQ keeps them.

        Raises:
            BrokerAway: some of them may still be there.
        """
        with self._talking():
            for ticket in tickets:
                self._delete(ticket)

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Tell the workers that run these tickets to stop, in RQ's own words.

        Raises:
            BrokerAway: some may not have been told.
        """
        if not tickets:
            return
        with self._talking():
            with self._redis.pipeline(transaction=False) as pipeline:
                for ticket in tickets:
                    pipeline.hget(keys.job(ticket.id), "worker_name")
                names: list[bytes | None] = pipeline.execute()
            for ticket, name in zip(tickets, names, strict=True):
                if name:
                    send_command(self._redis, name.decode(), "stop-job", job_id=ticket.id)

    def forget(self, names: Sequence[str]) -> set[str]:
        """Remove what Redis holds of dead workers; return the ids of the tickets that they held.

        Raises:
            BrokerAway: some of it may still be there.
        """
        if not names:
            return set()
        left: set[str] = set()
        with self._talking():
            for name in LISTS:
                left |= self._forget_started(keys.started(name), names)
            workers = [keys.worker(name) for name in names]
            with self._reader.pipeline() as pipeline:
                pipeline.srem(keys.WORKERS, *workers)
                for name in LISTS:
                    pipeline.srem(keys.workers_of(name), *workers)
                pipeline.delete(*workers, *(keys.executions_of_worker(name) for name in names))
                pipeline.execute()
        return left

    def _forget_started(self, registry: str, names: Sequence[str]) -> set[str]:
        """Remove these workers' entries from a registry, with the jobs; return the jobs' ids."""
        executions = {keys.execution_id(name) for name in names}
        found: Any = self._reader.zrange(registry, 0, -1)
        entries = [entry.decode(ANY_BYTES) for entry in found]
        theirs = [entry for entry in entries if entry.rpartition(":")[2] in executions]
        for start in range(0, len(theirs), CHUNK):
            chunk = theirs[start : start + CHUNK]
            jobs = [entry.rpartition(":")[0] for entry in chunk]
            with self._reader.pipeline() as pipeline:
                pipeline.zrem(registry, *(entry.encode(ANY_BYTES) for entry in chunk))
                pipeline.unlink(
                    *(keys.job(job) for job in jobs),
                    *(f"{keys.EXECUTIONS}{entry}" for entry in chunk),
                    *(f"{keys.EXECUTIONS_OF_JOBS}{job}" for job in jobs),
                )
                pipeline.execute()
        return {entry.rpartition(":")[0] for entry in theirs}

    def queued(self) -> set[str]:
        """Return the ids of all tickets that wait in a list, read at one moment.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._talking(), self._reader.pipeline() as pipeline:
            for name in LISTS:
                pipeline.lrange(keys.queue(name), 0, -1)
            return {job_id.decode(ANY_BYTES) for ids in pipeline.execute() for job_id in ids}

    def incarnation(self) -> str:
        """Return a text that changes when Redis was restarted or wiped.

        Raises:
            BrokerAway: Redis does not answer, or is another database's.
        """
        with self._talking():
            server: Any = self._redis.info("server")
            return f"{server['run_id']}/{marker.read(self._redis, self._database)}"

    def require_ours(self) -> None:
        """Do nothing if the tickets of no other database are in this Redis.

        Raises:
            BrokerOfAnother: they are.
            BrokerAway: Redis does not answer.
        """
        with self._talking():
            marker.read(self._redis, self._database)

    def take_over(self) -> None:
        """Let this Redis carry this database's tickets, whosever it carried.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._talking():
            marker.take_over(self._redis, self._database)

    def check(self) -> None:
        """Do nothing if Redis answers.

        Raises:
            BrokerAway: it does not.
        """
        with self._talking():
            self._redis.ping()

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()
        self._reader.close()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        try:
            with self._breaker.guard(), failures_named():
                yield
        except BrokerAway:
            self._is_ours = False
            raise

    def _delete(self, ticket: Ticket) -> None:
        """Delete a job without reading it: whatever its fields hold, it must go."""
        job = Job(ticket.id, connection=self._redis, serializer=JSONSerializer)
        job.origin = ticket.list
        try:
            job.delete()
        except (InvalidJobOperation, ValueError):  # it is not there, or has a status that RQ does not know
            self._redis.delete(job.key)


def _kinds(tickets: Iterable[Ticket]) -> Iterable[list[Ticket]]:
    """Return the tickets by list and task type, each in the order given."""
    kinds: dict[tuple[str, str], list[Ticket]] = {}
    for ticket in tickets:
        kinds.setdefault((ticket.list, ticket.task_type), []).append(ticket)
    return kinds.values()
