"""A line of a million tickets: the next portion costs what it costs in a line of a few thousand."""

from __future__ import annotations

import pytest
from redis import Redis

from queue_tool.runtime import Runtime
from queue_tool.store import Store
from tests.conftest import RuntimeFactory
from tests.depth import plan_of, work_for

BATCHES = 10
EACH = 100_000
ROOM = 2000
LIST = "default"


@pytest.fixture(params=["sqlite", "postgres"])
def storage(request: pytest.FixtureRequest) -> str:
    """The kind of database that holds the tasks."""
    kind: str = request.param
    return kind


@pytest.mark.timeout(600)
def test_a_portion_costs_the_same_in_a_line_of_a_million(
    make_runtime: RuntimeFactory, redis: Redis, valkey_server: str
) -> None:
    runtime = make_runtime(REDIS_URL=valkey_server)
    send(runtime, 3000)
    send(runtime, 3000)
    few = work_for(runtime, portion)
    for _ in range(BATCHES):
        send(runtime, EACH)
    with runtime.store.database.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    first = work_for(runtime, portion)
    for _ in range(BATCHES):
        runtime.store.windows.note(runtime.store.windows.next(LIST, 50_000), 50_000, 50_000, runtime.clock.now())
    far = work_for(runtime, portion)
    plan = plan_of(runtime, portion)
    assert max(first, far) < 2 * few, (few, first, far)
    assert "ix_tasks_batch_id" in plan, plan
    assert "Seq Scan on tasks" not in plan, plan


def send(runtime: Runtime, count: int) -> None:
    runtime.submit([{"item": "a", "valor": 0}] * count, runtime.of_type("sleep"))


def portion(store: Store) -> object:
    return store.windows.next(LIST, ROOM)
