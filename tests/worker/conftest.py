"""A test site for each test: a store, a Valkey, and the worker processes that the test starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.conftest import RuntimeFactory
from tests.worker.faults.site import TASKS, Site


@pytest.fixture
def site(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Site]:
    """A site with a store of its own and the session's Valkey; its workers are killed after the test."""
    made = Site(tmp_path, make_runtime(REDIS_URL=valkey_server, TASKS=TASKS), redis, valkey_server)
    yield made
    made.kill_all()
