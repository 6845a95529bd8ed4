"""Test sites: one whose worker runs for a whole module, and one where each test starts its own workers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.model import settings
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import open_runtime
from tests.conftest import RuntimeFactory, new_database
from tests.worker.tools.place import ALL, Place


# On PostgreSQL, one of the two servers is enough: the database does not depend on which it is.
@pytest.fixture(scope="module", params=[pytest.param("valkey", marks=pytest.mark.sqlite), "redis"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_database: Path
) -> Iterator[Place]:
    """A site with one worker; each test must leave the worker running and idle."""
    directory, url = tmp_path_factory.mktemp("running"), request.getfixturevalue(f"{request.param}_server")
    shutil.copyfile(migrated_database, directory / "queue_tool.db")
    directory.chmod(0o700)
    variables = {"DATA_DIR": str(directory), "REDIS_URL": url, "TASKS": ALL} | new_database(request)
    chosen = settings.read({f"QUEUE_TOOL_{name}": text for name, text in variables.items()})
    with Redis.from_url(url) as redis:
        redis.flushall()
        runtime = open_runtime(chosen, Telemetry(), "test", migrate=True)
        place = Place(directory, runtime, redis, url)
        worker = place.start(TASKS=ALL, ISOLATED="1")
        try:
            place.await_(place.rqs_workers)
            yield place
            place.stop(worker)
        finally:
            place.kill_all()
            runtime.owner.leave()
            runtime.close()


@pytest.fixture
def place(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Place]:
    """A site without workers; the workers that the test starts are killed after the test."""
    made = Place(tmp_path, make_runtime(REDIS_URL=valkey_server, TASKS=ALL), redis, valkey_server)
    yield made
    made.kill_all()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """The path of a file that tasks wait for; it is created after the test if the test has not created it."""
    path = tmp_path / "gate"
    yield path
    path.touch()
