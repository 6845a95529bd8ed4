"""The systems under test: the embedded SQLite and Valkey, or separate PostgreSQL and Redis servers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis, RedisError

from tests.ingest.proxy import Proxy
from tests.past_the_store import note, rows
from tests.postgres import Cluster, cluster, programs
from tests.support import System, await_answer, eventually, redis_of

ROOT = Path(__file__).parents[2]

TASKS = "tests.chaos.tasks"

NARROW = "30"
"""Tickets that a list in Redis may hold in the short form, so that most batches wait in line."""


@dataclass(kw_only=True)
class Site:
    """A system, its database and its Redis."""

    name: str
    system: System
    postgres: Cluster | None = None
    database: str = ""  # the name of the PostgreSQL database
    redis_server: subprocess.Popen[bytes] | None = None
    rabbit: Proxy | None = None  # between the system and RabbitMQ

    @property
    def url(self) -> str:
        """Return the URL of its database."""
        if self.postgres is None:
            return f"sqlite:///{self.system.directory / 'instance' / 'queue_tool.db'}"
        return self.postgres.url(self.database)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query on the database."""
        return rows(self.url, query)

    def record_ends(self) -> None:
        """Add triggers that record each end of each run in the table `ends`, and of each batch in `closings`."""
        when = "NEW.state IN ('finished', 'failed', 'canceled') AND OLD.state <> NEW.state"
        note(self.url, "ends", "token", "run", "state", of="tasks", on="UPDATE OF state", when=when)
        when = "NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL"
        kept = ("public_id", "failed", "canceled")
        note(self.url, "closings", *kept, of="batches", on="UPDATE OF finished_at", when=when)

    @property
    def redis(self) -> Redis:
        """Return a client of its Redis."""
        if self.postgres is None:
            return redis_of(self.system)
        return Redis(unix_socket_path=str(self.system.directory / "redis.sock"))

    def ask_redis(self, question: Callable[[Redis], Any]) -> Any:
        """Ask until its Redis answers: after a blow, the server may still be ending, or just be starting again."""

        def answer() -> list[Any]:
            try:
                return [question(self.redis)]
            except RedisError as error:
                raise AssertionError(f"Redis does not answer: {error}") from error

        return eventually(answer)[0]

    def start_redis(self) -> None:
        """Start the separate Redis with the content of its append-only file."""
        folder = self.system.directory
        with (folder / "redis.log").open("ab") as log:
            self.redis_server = subprocess.Popen(
                ["redis-server", "--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "yes"],
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        await_answer(self.redis)


def has_servers() -> bool:
    """Return whether this machine has a PostgreSQL and a Redis."""
    return programs() is not None and shutil.which("redis-server") is not None


@contextmanager
def sqlite_and_valkey(workers: int = 2, tasks: str = TASKS) -> Iterator[Site]:
    """A system that `queue-tool up` runs with SQLite and its embedded Valkey."""
    with TemporaryDirectory(prefix="chaos") as folder:
        system = System(Path(folder), settings=_settings(workers) | {"TASKS": tasks})
        try:
            yield Site(name="SQLite + Valkey", system=system)
        finally:
            system.kill_all()


@contextmanager
def postgres_and_redis(workers: int = 2) -> Iterator[Site]:
    """A system with a separate PostgreSQL and a separate Redis.

    Raises:
        SystemExit: one of them is not installed.
    """
    where = programs()
    if where is None or not has_servers():
        raise SystemExit("PostgreSQL or redis-server is not installed on this machine.")
    with (
        TemporaryDirectory(prefix="chaos") as folder,
        TemporaryDirectory(prefix="pg") as of_postgres,
        cluster(Path(of_postgres), where) as server,
    ):
        database = server.new_database()
        addresses = {"DATABASE_URL": server.url(database), "REDIS_URL": f"unix://{folder}/redis.sock"}
        system = System(Path(folder), settings=_settings(workers) | addresses)
        site = Site(name="PostgreSQL + Redis", system=system, postgres=server, database=database)
        site.start_redis()
        try:
            yield site
        finally:
            system.kill_all()
            if site.redis_server is not None:
                site.redis_server.kill()
                site.redis_server.wait()


def _settings(workers: int) -> dict[str, str]:
    return {
        "TASKS": TASKS,
        "WORKERS": str(workers),
        "LOG_LEVEL": "debug",
        "DRAIN": "3",
        "MAX_ATTEMPTS": "3",
        "ISOLATED": "4",
        "WEBHOOK_ALLOW": "127.0.0.1",
    } | ({"MAX_PUSHED": NARROW} if os.environ.get("QUICK") else {})
