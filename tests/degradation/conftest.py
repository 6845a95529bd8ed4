"""A Valkey for each test, and a test site on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RuntimeFactory, prepared_database
from tests.server import Server
from tests.support import System
from tests.worker.faults.site import TASKS, Site


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own."""
    (tmp_path / "v").mkdir(mode=0o700)
    made = Server(tmp_path / "v")
    yield made
    with suppress(OSError):  # the test has ended it already
        made.go_on()
    made.stop()


@pytest.fixture
def site(tmp_path: Path, make_runtime: RuntimeFactory, server: Server) -> Iterator[Site]:
    """A site on that server."""
    client = Redis.from_url(server.url)
    made = Site(tmp_path, make_runtime(REDIS_URL=server.url, TASKS=TASKS), client, server.url)
    yield made
    made.kill_all()
    client.close()


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A whole system, running."""
    made = System(tmp_path, settings=prepared_database(request, tmp_path))
    try:
        made.start()
        yield made
    finally:
        made.kill_all()
