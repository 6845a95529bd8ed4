"""A test site whose workers know the task types of `tasks`, and RQ's view of its jobs, queues and workers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.model.states import State
from tests.support import LIMIT, clean_environment
from tests.warm import Program, interpreter
from tests.worker.faults.site import Site
from tests.worker.tools import alone, tasks

RQ = str(Path(sys.executable).with_name("rq"))

OURS = "queue_tool.worker.Worker"

LANES = ("loop", "threads", "isolated")

ALL = f"{tasks.__name__},{alone.__name__}"
"""The modules of all task types; a worker loads only those of the first two lanes unless a test passes TASKS."""


class Place(Site):
    """A site with these task types."""

    def start(self, *command: str, **settings: str) -> Program:
        """Start a worker that knows them, or the given command."""
        return super().start(*command, **{"TASKS": tasks.__name__} | settings)

    def start_rq(self, *options: str, kind: str = OURS, **settings: str) -> Program:
        """Start a worker with RQ's own command; `kind` is its class."""
        return self.start(RQ, "worker", "-u", self.redis_url, "-w", kind, *options, **settings)

    def rq(self, *words: str) -> str:
        """Run another command of RQ; return its output."""
        command = [RQ, *words, "-u", self.redis_url]
        done = interpreter().run(command, cwd=self.directory, env=clean_environment(), timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def waiter(self, lane: str, until: Path) -> str:
        """Send a task that waits for a file; return its token."""
        (token,) = self.send(f"waits.{lane}", [str(until)])
        return token

    def job(self, token: str) -> Job:
        """Return a ticket as RQ reads it."""
        return Job.fetch(token, connection=self.redis, serializer=JSONSerializer)

    def queue(self, name: str = "default") -> Queue:
        """Return a list as RQ sees it."""
        return Queue(name, connection=self.redis, serializer=JSONSerializer)

    def started_jobs(self, name: str = "default") -> StartedJobRegistry:
        """Return a list's registry of started jobs."""
        return StartedJobRegistry(name, connection=self.redis, serializer=JSONSerializer)

    def rqs_workers(self, kind: type[BaseWorker] = BaseWorker) -> list[BaseWorker]:
        """Return the workers that RQ knows."""
        return kind.all(connection=self.redis, serializer=JSONSerializer)

    def only_worker(self) -> BaseWorker:
        """Return the worker that RQ knows; require that there is exactly one."""
        (found,) = self.rqs_workers()
        return found

    def await_state(self, tokens: Sequence[str], state: State) -> None:
        """Wait until tasks are in a state."""
        self.await_(lambda: self.tokens(state) >= set(tokens))

    def await_shown(self, *tokens: str) -> None:
        """Wait until RQ's tools see that tickets are started."""
        self.await_(lambda: all(self.redis.hget(f"rq:job:{token}", "status") == b"started" for token in tokens))

    def await_forgotten(self, *tokens: str) -> None:
        """Wait until no key of Redis, and no member of a list or set, contains one of these tokens."""
        self.await_(lambda: not [text for text in self.redis_texts() if any(token in text for token in tokens)])

    def redis_texts(self) -> list[str]:
        """Return all keys of Redis, and all members of its lists and sets."""
        return [*self.keys(), *(member for key in self.keys() for member in members(self.redis, key))]


def members(redis: Redis, key: str) -> list[str]:
    """Return the members of a list, a set or a sorted set; none for another type."""
    client: Any = redis
    match client.type(key):
        case b"list":
            found = client.lrange(key, 0, -1)
        case b"set":
            found = client.smembers(key)
        case b"zset":
            found = client.zrange(key, 0, -1)
        case _:
            found = []
    return [member.decode() for member in found]
