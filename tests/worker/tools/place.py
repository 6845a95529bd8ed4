"""A place of work whose workers know the tasks that wait, and what RQ says of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from redis import Redis
from rq import Queue
from rq.job import Job
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.model.states import State
from tests.support import clean_environment
from tests.warm import Program, interpreter
from tests.worker.faults.site import Site
from tests.worker.tools import alone, tasks

RQ = str(Path(sys.executable).with_name("rq"))

OURS = "queue_tool.worker.Worker"

LANES = ("loop", "threads", "isolated")

ALL = f"{tasks.__name__},{alone.__name__}"
"""All task types; a worker knows those of the first two lanes, unless a test says so."""


class Place(Site):
    """A site with these tasks."""

    def start(self, *command: str, **settings: str) -> Program:
        """Start a worker that knows them."""
        return super().start(*command, **{"TASKS": tasks.__name__} | settings)

    def start_rq(self, *options: str, kind: str = OURS, **settings: str) -> Program:
        """Start a worker by RQ's own command."""
        return self.start(RQ, "worker", "-u", self.redis_url, "-w", kind, *options, **settings)

    def await_(self, look: Callable[[], object], within: float = 15) -> None:
        """Wait until something is so, for less long: nothing here takes its time."""
        super().await_(look, within)

    def rq(self, *words: str) -> str:
        """Run another command of RQ's; return what it says."""
        command = [RQ, *words, "-u", self.redis_url]
        done = interpreter().run(command, cwd=self.directory, env=clean_environment(), timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def waiter(self, lane: str, until: Path) -> str:
        """Send a task that waits for a file."""
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
        """Return the worker that RQ knows, of which there is one."""
        (found,) = self.rqs_workers()
        return found

    def await_state(self, tokens: Sequence[str], state: State) -> None:
        """Wait until tasks are in a state."""
        self.await_(lambda: self.tokens(state) >= set(tokens))

    def await_shown(self, *tokens: str) -> None:
        """Wait until RQ's tools see that tickets are being worked on."""
        self.await_(lambda: all(self.redis.hget(f"rq:job:{token}", "status") == b"started" for token in tokens))

    def await_forgotten(self, *tokens: str) -> None:
        """Wait until Redis holds nothing of tickets: no key that is named by one, no entry in any other key."""
        self.await_(lambda: not [held for held in self.held() if any(token in held for token in tokens)])

    def held(self) -> list[str]:
        """Return all keys of Redis, and all that is in those which are lists or sets."""
        return [*self.keys(), *(member for key in self.keys() for member in members(self.redis, key))]


def members(redis: Redis, key: str) -> list[str]:
    """Return what is in a list or in a set of either kind."""
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
