"""How much work a database does for one page of a list: counted, not timed, so that the result is repeatable."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import event

from queue_tool.model.filter import Filter
from queue_tool.model.new_task import Options
from queue_tool.model.task import Timing
from queue_tool.runtime import Runtime
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from tests.support import now

_FILL = [
    """UPDATE tasks SET name = 'job-' || id, custom_id = 'order-' || id,
        owner = CASE WHEN mod(id, 10) < 7 THEN 1 + mod(id, 2) END,
        task_type = CASE mod(id, 3) WHEN 0 THEN 'echo' ELSE 'sleep' END,
        priority = CASE mod(id, 4) WHEN 0 THEN 'high' WHEN 1 THEN 'low' ELSE 'normal' END,
        state = CASE mod(id, 10) WHEN 0 THEN 'failed' WHEN 1 THEN 'canceled' WHEN 7 THEN 'queued' WHEN 8 THEN 'queued'
            WHEN 9 THEN 'scheduled' ELSE 'finished' END,
        code = CASE WHEN mod(id, 10) = 0 THEN CASE mod(id, 1000) WHEN 0 THEN 'timeout' ELSE 'error' END END""",
    "INSERT INTO tags (tag, task_id) SELECT 'red', id FROM tasks WHERE mod(id, 2) = 0",
    "INSERT INTO tags (tag, task_id) SELECT 'rare', id FROM tasks WHERE mod(id, 500) = 0",
    """INSERT INTO workers (id, kind, name, host, machine, pid, pid_started, beat, started_at)
        VALUES (1, 'worker', 'wa', 'a', 'm', 1, '1', 0, 0), (2, 'worker', 'wb', 'b', 'm', 2, '1', 0, 0)""",
]


def fill(runtime: Runtime, count: int) -> None:
    """Submit `count` tasks, and give them all kinds of types, states, priorities and tags."""
    later = Options(timing=Timing(due_at=now() + timedelta(days=1)))  # so that no tickets are pushed
    for start in range(0, count, 100_000):
        values = [{"item": "a", "valor": 0}] * min(100_000, count - start)
        runtime.submit(values, runtime.of_type("sleep", later))
    with runtime.store.database.write() as connection:
        for statement in (*_FILL, *([] if runtime.store.database.is_file else ["ANALYZE"])):  # no SQLite of ours has it
            connection.exec_driver_sql(statement)


def work_for(runtime: Runtime, ask: Callable[[Store], object]) -> int:
    """Return how much work the database does for a query: hundreds of SQLite's steps, or PostgreSQL's blocks."""
    database = Database(runtime.store.database.url)
    try:
        return _steps(database, ask) if database.is_file else _blocks(database, ask)
    finally:
        database.close()


def page_work(runtime: Runtime, wanted: Filter, page: int, limit: int = 50) -> int:
    """Return how much work the database does for a page of a list; the first page is 1."""
    key = runtime.store.listing.page(wanted, (page - 1) * limit)[1] if page > 1 else None
    assert page == 1 or key is not None
    return work_for(runtime, lambda store: store.listing.page(wanted, limit, key))


def _steps(database: Database, ask: Callable[[Store], object]) -> int:
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    def listen(connection: Any, _record: object) -> None:
        connection.set_progress_handler(count, 100)

    ask(Store(database))  # opens the connections of the pool
    reader = database._backend.reader
    reader.dispose()
    event.listen(reader, "connect", listen)
    ask(Store(database))
    return counted


def plan_of(runtime: Runtime, ask: Callable[[Store], object]) -> str:
    """Return the plans by which the database answers a question, with the names of the indexes that it uses."""
    database = Database(runtime.store.database.url)
    explain = "EXPLAIN QUERY PLAN " if database.is_file else "EXPLAIN "
    try:
        return "\n".join(str(row) for found in _explained(database, ask, explain) for row in found)
    finally:
        database.close()


def _blocks(database: Database, ask: Callable[[Store], object]) -> int:
    blocks = 0
    for found in _explained(database, ask, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "):
        plan = (json.loads(found[0][0]) if isinstance(found[0][0], str) else found[0][0])[0]["Plan"]
        blocks += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
    return blocks


def _explained(database: Database, ask: Callable[[Store], object], explain: str) -> list[Any]:
    """Return what the database says of each SELECT that a question sends."""
    sent: list[tuple[str, Any]] = []
    reader = database._backend.reader

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(reader, "before_cursor_execute", note)
    ask(Store(database))
    event.remove(reader, "before_cursor_execute", note)
    with reader.connect() as connection:
        return [
            connection.exec_driver_sql(explain + statement, parameters).all()
            for statement, parameters in sent
            if statement.startswith("SELECT")
        ]
