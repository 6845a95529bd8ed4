"""Tickets as RQ jobs on Redis or Valkey.

A ticket is an RQ job that any stock RQ worker can run. It holds the name of a function, and no arguments, because its
id contains token and run. It is JSON, never pickle.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import LockError, ResponseError
from redis.retry import Retry
from rq.command import send_command
from rq.exceptions import InvalidJobOperation
from rq.job import Job
from rq.serializers import JSONSerializer

from queue_tool.broker import keys, marker, needs, started
from queue_tool.broker.breaker import Breaker
from queue_tool.broker.failures import failures_named
from queue_tool.broker.stamping import Stamps
from queue_tool.broker.started import ANY_BYTES
from queue_tool.errors import BrokerAway
from queue_tool.model.queues import LISTS
from queue_tool.model.ticket import Ticket

CONNECT_TIMEOUT = 1.0
"""Seconds in which Redis must accept a connection."""

ANSWER_TIMEOUT = 1.0
"""Seconds in which Redis must answer a command of a request."""

READ_TIMEOUT = 10.0
"""Seconds in which Redis must answer the sweeper, which reads every list."""

FILL_TIME = 1.0
"""Seconds after which a lock on the filling of a list is over, because its process is dead or stands still."""


def connect(url: str, answer_timeout: float) -> Redis:
    """Return a client that fails soon: a stopped Redis must not block a request for long.

    Args:
        url: the URL of Redis.
        answer_timeout: seconds in which Redis must answer a command.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_TIMEOUT,
        socket_timeout=answer_timeout,
        # If Redis closed an idle connection, connect again once; if Redis hangs, do not retry.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        driver_info=_driver(),
    )


@cache
def _driver() -> DriverInfo:
    """Return the driver information that each connection sends. It is cached: redis-py reads its version from disk."""
    return DriverInfo()


class RqBroker:
    """The broker on Redis or Valkey."""

    has_lists = True

    def __init__(self, url: str, database: str) -> None:
        """Prepare clients; nothing is connected yet.

        Args:
            url: the URL of Redis.
            database: the identity of the database whose tickets this Redis carries.
        """
        self._database = database
        self._is_ours = False  # whether the marker was read and is ours, since the last failure
        self._redis = connect(url, ANSWER_TIMEOUT)
        self._stamps = Stamps(self._redis)
        self._reader = connect(url, READ_TIMEOUT)
        self._breaker = Breaker()
        self._lengths: dict[str, int] = {}  # of each list, after its last push or query

    def push(self, tickets: Sequence[Ticket]) -> None:
        """Put tickets into their lists. Tickets with the same list and task type keep this order.

        Raises:
            BrokerAway: some or all of the tickets may be missing.
        """
        for kind in _kinds(tickets):
            self._push_kind(kind[0].list, kind[0].task_type, [ticket.id for ticket in kind])

    def push_first_runs(self, name: str, task_type: str, tokens: Sequence[str]) -> None:
        """Put the tickets of the first runs of these tasks, all of one type, into a list, in this order.

        Raises:
            BrokerAway: some or all of the tickets may be missing.
        """
        if tokens:
            self._push_kind(name, task_type, tokens)  # the id of the ticket of a first run is the token

    def _push_kind(self, name: str, task_type: str, ids: Sequence[str]) -> None:
        with self._guarded():
            if not self._is_ours:
                marker.read(self._redis, self._database)
                self._is_ours = True
            self._lengths[name] = self._stamps.push(name, task_type, ids)

    def last_length(self, name: str) -> int:
        """Return how many tickets waited in a list after this process's last push or query; 0 if there was none."""
        return self._lengths.get(name, 0)

    @contextmanager
    def filling(self, name: str) -> Iterator[bool]:
        """Return a context in which at most one process fills a list. Its value says whether this is the process.

        Raises:
            BrokerAway: Redis does not answer.
        """
        lock = self._redis.lock(f"{keys.FILLS}{name}", timeout=FILL_TIME, blocking=False, thread_local=False)
        with self._guarded():
            is_mine = lock.acquire()
        try:
            yield is_mine
        finally:
            if is_mine:  # if Redis is away, or the lock was over before, it needs no release
                with suppress(BrokerAway), self._guarded(), suppress(LockError):
                    lock.release()

    def length(self, name: str) -> int:
        """Return how many tickets wait in a list.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._guarded():
            length: Any = self._redis.llen(keys.queue(name))
            self._lengths[name] = length
            return int(length)

    def has_ticket(self, ticket_id: str) -> bool:
        """Return whether a ticket waits in a list, or a worker has it.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._guarded():
            return bool(self._redis.exists(keys.job(ticket_id)))

    def discard(self, tickets: Sequence[Ticket]) -> None:
        """Remove the jobs of tickets that no worker needs any more, from all places where RQ keeps them.

        Raises:
            BrokerAway: some jobs may still be there.
        """
        with self._guarded():
            for ticket in tickets:
                self._delete(ticket)

    def stop(self, tickets: Sequence[Ticket]) -> None:
        """Send RQ's `stop-job` command to the workers that run these tickets.

        Raises:
            BrokerAway: some workers may not have been notified.
        """
        if not tickets:
            return
        with self._guarded():
            with self._redis.pipeline(transaction=False) as pipeline:
                for ticket in tickets:
                    pipeline.hget(keys.job(ticket.id), "worker_name")
                names: list[Any] = pipeline.execute(raise_on_error=False)  # a job may have been damaged
            for ticket, name in zip(tickets, names, strict=True):
                if isinstance(name, bytes):
                    send_command(self._redis, name.decode("utf-8", "replace"), "stop-job", job_id=ticket.id)

    def forget(self, names: Sequence[str]) -> set[str]:
        """Remove everything that Redis holds for dead workers; return the ids of the tickets that they held.

        Raises:
            BrokerAway: some of it may still be there.
        """
        if not names:
            return set()
        left: set[str] = set()
        with self._guarded():
            for name in LISTS:
                left |= started.forget(self._reader, name, names)
            workers = [keys.worker(name) for name in names]
            with self._reader.pipeline() as pipeline:
                pipeline.srem(keys.WORKERS, *workers)
                for name in LISTS:
                    pipeline.srem(keys.workers_of(name), *workers)
                pipeline.delete(*workers, *(keys.executions_of_worker(name) for name in names))
                pipeline.execute()
        return left

    def held(self) -> set[str]:
        """Return the ids of all tickets that workers hold.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._guarded():
            return started.held(self._reader)

    def drop(self, tickets: Container[str]) -> None:
        """Remove these tickets, whoever holds them.

        Raises:
            BrokerAway: some of them may still be there.
        """
        with self._guarded():
            started.drop(self._reader, tickets)

    def queued(self) -> set[str]:
        """Return the ids of all tickets that wait in a list. All lists are read in one transaction.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._guarded(), self._reader.pipeline() as pipeline:
            for name in LISTS:
                pipeline.lrange(keys.queue(name), 0, -1)
            return {job_id.decode(ANY_BYTES) for ids in pipeline.execute() for job_id in ids}

    def incarnation(self) -> str:
        """Return a text that changes when Redis is restarted or wiped.

        Raises:
            BrokerAway: Redis does not answer, or carries the tickets of another database.
        """
        with self._guarded():
            server, found = needs.incarnation(self._redis, self._reader)
            return f"{server}/{marker.read(self._redis, self._database, found)}"

    def require_ours(self) -> None:
        """Raise an error if this Redis carries the tickets of another database.

        Raises:
            BrokerOfAnother: it does.
            BrokerAway: Redis does not answer.
        """
        with self._guarded():
            marker.read(self._redis, self._database)

    def take_over(self) -> None:
        """Let this Redis carry the tickets of this database, even if it carried those of another database.

        Raises:
            BrokerAway: Redis does not answer.
        """
        with self._guarded():
            marker.take_over(self._redis, self._database)

    def check(self) -> None:
        """Do nothing if Redis can do all that the system needs.

        Raises:
            BrokerAway: Redis does not answer or cannot do something. The sentence names it.
        """
        with self._guarded():
            needs.require(self._redis)

    def close(self) -> None:
        """Close every connection."""
        self._redis.close()
        self._reader.close()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Run a block that talks to Redis: apply the breaker, and translate failures."""
        try:
            with self._breaker.guard(), failures_named():
                yield
        except BrokerAway:
            self._is_ours = False
            raise

    def _delete(self, ticket: Ticket) -> None:
        """Delete a job without reading it, so that a job with broken fields is deleted too."""
        job = Job(ticket.id, connection=self._redis, serializer=JSONSerializer)
        job.origin = ticket.list
        try:
            job.delete()
        except (InvalidJobOperation, ValueError, ResponseError):  # the job does not exist, or is damaged
            self._redis.delete(job.key)


def _kinds(tickets: Iterable[Ticket]) -> Iterable[list[Ticket]]:
    """Group the tickets by list and task type. Each group keeps the order."""
    kinds: dict[tuple[str, str], list[Ticket]] = {}
    for ticket in tickets:
        kinds.setdefault((ticket.list, ticket.task_type), []).append(ticket)
    return kinds.values()
