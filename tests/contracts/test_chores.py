"""Chores: the one question of a sweeper is answered with yes for everything that a step of its pass would find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Delete, Insert, Update, delete, insert, update

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import judge_of, new_batch
from queue_tool.model.new_task import NewTask
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.schedule import Rhythm, Schedule, Work
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddBatch, AddTask, PushedTickets, Store
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.line import OTHERS
from queue_tool.store.schedule_rows import row_of
from queue_tool.store.schedule_tables import schedules
from queue_tool.store.tables import batches, idempotency_keys, parts, tasks, windows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAST = micros(NOW - timedelta(days=2))
SLEEP = sleep_type(60)
GOOD = {"item": "a", "valor": 0}

WORK = Work(request={"task_type": "sleep"}, data=GOOD, is_batch=False, lane=Lane.LOOP, priority=Priority.LOW)
SCHEDULE = Schedule(id="5" * 32, rhythm=Rhythm(cron="@daily"), work=WORK, created_at=NOW, revision=1, next_at=NOW)

CHORES: Mapping[str, Update | Insert] = {
    "a task runs": update(tasks).values(state="running", owner=1),
    "nobody pushed a ticket": update(tasks).values(pushed_at=None),
    "a sender pushes a ticket": update(tasks).values(pushed_at=-7),
    "a task is due": update(tasks).values(state="scheduled", due_at=PAST),
    "a task has expired": update(tasks).values(expires_at=PAST),
    "nobody pushed a batch": update(batches).values(pushed_at=None),
    "a bulk retry died": update(batches).values(reopening_until=PAST),
    "an open batch got nothing for a day": update(batches).values(filled_at=PAST),
    "tickets wait in line": insert(windows).values(
        batch_id=OTHERS, list="default", priority="normal", lane="loop", after=0, turn=1
    ),
    "a part is pushed": insert(parts).values(
        batch_id=1, start=0, count=1, digest="d", after=0, last=1, in_line=0, sender=7, created_at=PAST
    ),
    "an idempotency key is old": insert(idempotency_keys).values(scope="s", key="k", digest="d", created_at=PAST),
    "a tick is due": insert(schedules).values(row_of(SCHEDULE)),
}
"""Changes of a database without chores, each of which makes one."""

UNDO: tuple[Update | Delete, ...] = (
    update(tasks).values(state="queued", owner=None, pushed_at=1, due_at=None, expires_at=None),
    update(batches).values(pushed_at=1, reopening_until=None, filled_at=None),
    *(delete(table) for table in (windows, parts, idempotency_keys, schedules)),
)


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    with closing(Store(Database(migrated_url))) as made:
        yield made


def write(store: Store, *statements: Any) -> None:
    with store.database.write() as connection:
        for statement in statements:
            connection.execute(statement)


def test_every_kind_of_chore_is_seen_and_pushed_tickets_are_none(store: Store) -> None:
    new = new_batch([GOOD], judge_of(SLEEP), make_tokens(2, NOW), NOW)
    task = judge_of(SLEEP)(GOOD, 0, make_tokens(1, NOW)[0])
    assert isinstance(task, NewTask)
    store.additions.add([AddBatch(new=new), AddTask(new=task, now=NOW)], sender=7)
    store.additions.record_pushed(PushedTickets(at=NOW, batches=[new.id], tickets=[task.ticket]))
    found = {"none": store.chores.any(NOW, timedelta(days=1))}
    for name, change in CHORES.items():
        write(store, change)
        found[name] = store.chores.any(NOW, timedelta(days=1))
        write(store, *UNDO)
    assert found == {"none": False} | dict.fromkeys(CHORES, True)
    assert not store.chores.any(NOW, timedelta(days=1))
