"""Many small requests in one statement have the same effect as with one statement for each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, select

from queue_tool.errors import TooManyWaiting
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import Label, judge_of, new_batch
from queue_tool.model.new_task import PLAIN, NewTask, Options
from queue_tool.model.queues import Priority
from queue_tool.model.task import Timing
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, Addition, AddTask, PushedTickets, Store, line
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.tables import batches, tasks, windows

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
SLEEP = sleep_type(60)
GOOD = {"item": 'Größe "\\\n\u2028 \U0001f600', "valor": 0.1}

OPTIONS = (
    PLAIN,
    Options(name="n", priority=Priority.HIGH, timeout=0.1, max_attempts=3),
    Options(custom_id="c", description="d", parameters='{"a": 1}'),
    Options(timing=Timing(due_at=LATER, expires_at=LATER)),
)


@pytest.fixture
def storage() -> str:
    return "postgres"


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as opened:
        yield opened


def batch(count: int, options: Options = PLAIN, world: str = "") -> AddBatch:
    kind = replace(SLEEP, name=f"sleep{world}")
    new = new_batch([GOOD] * count, judge_of(kind, options), make_tokens(count + 1, NOW), NOW, label=Label(name=world))
    return AddBatch(new=new)


def one(options: Options = PLAIN, world: str = "") -> AddTask:
    judged = judge_of(replace(SLEEP, name=f"sleep{world}"), options)(GOOD, 0, make_tokens(1, NOW)[0])
    assert isinstance(judged, NewTask)
    return AddTask(new=judged, now=NOW)


def requests_of(world: str) -> list[Addition]:
    found: list[Addition] = []
    for count, options in enumerate(OPTIONS, start=1):
        found += [batch(count, options, world), one(options, world), batch(1, options, world)]
    return found


@contextmanager
def sent() -> Iterator[list[str]]:
    """Collect the statements of all transactions during a block."""
    found: list[str] = []

    def collect(_connection: Any, _cursor: Any, statement: str, *_more: object) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", collect)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", collect)


OWN = {"id", "token", "batch_id", "task_type", "public_id"}
"""The columns that differ between two worlds."""


def rows(store: Store, world: str) -> list[dict[str, object]]:
    """Return the tasks of a world in their order, each with all columns of its batch."""
    of_batch = [column.label(f"batch_{column.name}") for column in batches.c if column.name not in OWN | {"name"}]
    query = (
        select(*(column for column in tasks.c if column.name not in OWN), *of_batch)
        .outerjoin_from(tasks, batches, batches.c.id == tasks.c.batch_id)
        .where(tasks.c.task_type == f"sleep{world}")
        .order_by(tasks.c.id)
    )
    with store.database.read() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def tokens_of(store: Store, world: str) -> Sequence[str]:
    query = select(tasks.c.token).where(tasks.c.task_type == f"sleep{world}").order_by(tasks.c.id)
    with store.database.read() as connection:
        return connection.execute(query).scalars().all()


def line_of(store: Store) -> set[str]:
    """Return the lists that have a line."""
    with store.database.read() as connection:
        return {*connection.execute(select(windows.c.list)).scalars()}


def test_simple_requests_take_one_statement_and_become_the_same_rows_in_the_same_order(store: Store) -> None:
    fast, slow = requests_of("-fast"), requests_of("-slow")
    with sent() as statements:
        answers = store.additions.add(fast, sender=7)
    assert len(statements) == 1
    with sent() as statements:
        others = store.additions.add([*slow, batch(1, Options(tags=("t",)), "-tagged")], sender=7)
    assert len(statements) > 1
    assert answers == others[:-1]
    assert rows(store, "-fast") == rows(store, "-slow")
    assert tokens_of(store, "-fast") == [task.token for request in fast for task in request.tasks]
    assert len(rows(store, "-fast")) == sum(len(request.tasks) for request in fast)


def test_the_same_statement_records_what_was_pushed_before(store: Store) -> None:
    before = [batch(1) for _ in range(3)]
    single = one()
    store.additions.add([*before, single], sender=7)
    assert [row["batch_pushed_at"] for row in rows(store, "")] == [None] * 4
    tickets = [task.ticket for task in single.tasks]
    pushed = PushedTickets(at=LATER, batches=[each.new.id for each in before], tickets=tickets)
    store.additions.add([batch(1, world="-next")], 0, pushed, sender=7)
    found = rows(store, "")
    assert [row["batch_pushed_at"] for row in found[:3]] == [micros(LATER)] * 3
    assert found[3]["pushed_at"] == micros(LATER)
    assert [row["batch_pushed_at"] for row in rows(store, "-next")] == [None]


def test_requests_for_a_list_that_has_a_line_join_it(store: Store) -> None:
    (name,) = batch(1).new.lists
    with store.database.write() as connection:
        line.join_others(connection, [name])
    answers = store.additions.add([batch(1), one(), batch(2)], sender=7)
    assert [added.held for added in answers] == [True] * 3
    assert [row["pushed_at"] for row in rows(store, "")] == [None] * 4


def test_requests_for_a_full_list_join_its_line_with_the_same_statement(store: Store) -> None:
    fast, slow = requests_of("-fast"), requests_of("-slow")
    full = {task.list for task in fast[0].tasks}
    with sent() as statements:
        answers = store.additions.add([replace(each, hold=[*full]) for each in fast], sender=7)
    assert len(statements) == 1
    assert line_of(store) == full
    tagged = batch(1, Options(tags=("t",)), "-tagged")
    others = store.additions.add([*(replace(each, hold=[*full]) for each in slow), tagged], sender=7)
    assert answers == others[:-1]
    assert {added.held for added in answers} == {True, False}  # some tasks have another priority
    assert rows(store, "-fast") == rows(store, "-slow")
    assert line_of(store) == full


def test_a_request_without_room_is_refused_and_the_others_are_added(store: Store) -> None:
    (counted,) = store.additions.add([batch(2)], max_waiting=5)
    with sent() as statements:
        answers = store.additions.add([one(), one()], max_waiting=5)
    assert len(statements) == 1
    answers += store.additions.add([batch(2), one()], max_waiting=5)
    assert counted.error is None
    assert [type(added.error) for added in answers] == [type(None), type(None), TooManyWaiting, type(None)]
    assert len(rows(store, "")) == 5
