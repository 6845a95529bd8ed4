"""Workers in the store: the processes that run tasks, and their heartbeats.

A heartbeat is a counter and not a time. The sweeper measures with its own clock how long the counter has not changed.
So a worker does not count as dead because of a wrong clock or because a laptop slept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Update, and_, bindparam, delete, func, insert, or_, select, update

from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.tables import in_state, not_running, tasks, workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What identifies a process, so that another process can check whether it lives."""

    kind: str  # what it does, for people
    host: str  # for people
    machine: str  # the scope in which the pid is valid: one boot of the kernel and one pid namespace
    pid: int
    pid_started: str  # distinguishes it from a later process with the same pid
    name: str = ""  # its name in Redis; empty if it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that runs tasks."""

    id: int
    process: Process
    beat: int
    trouble: str | None = None  # why it cannot do its work; None: it can


class Workers:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._any_old = Lookup(database, exists_query(workers.c.gone_at < bindparam("before")))
        self._any_running = Lookup(database, exists_query(in_state(State.RUNNING)))

    def register(self, process: Process, now: datetime, parent: Process | None = None) -> int:
        """Add a process that will claim tasks. Return its id, which is the owner of these tasks.

        Args:
            process: the process.
            now: the time.
            parent: the process for which it does one job, if it is a child that ends after this job. All children of
                one parent use one row, one after the other (see `hand_over`).
        """
        with self._database.write() as connection:
            if parent is not None:
                free = select(func.max(workers.c.id)).where(_describes(parent)).scalar_subquery()
                taken_over: int | None = connection.execute(
                    update(workers)
                    .where(workers.c.id == free)
                    .values(_identifying(process) | {"beat": workers.c.beat + 1, "gone_at": None, "trouble": None})
                    .returning(workers.c.id)
                ).scalar()
                if taken_over is not None:
                    return taken_over
            row_id: int = connection.execute(
                insert(workers)
                .values(
                    kind=process.kind,
                    host=process.host,
                    name=process.name,
                    beat=0,
                    started_at=micros(now),
                    **_identifying(process),
                )
                .returning(workers.c.id)
            ).scalar_one()
        return row_id

    def hand_over(self, worker: int, parent: Process) -> None:
        """Let a worker's row describe its parent, for the parent's next child. The worker has no running task."""
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(workers)
                .where(workers.c.id == worker)
                .values(_identifying(parent) | {"beat": workers.c.beat + 1})
            )

    def beat(self, worker: int) -> bool:
        """Record that a worker lives. Return False if it was marked as gone in the meantime."""
        with self._database.write() as connection:
            found = connection.execute(
                update(workers).where(ALIVE, workers.c.id == worker).values(beat=workers.c.beat + 1)
            )
        return found.rowcount == 1

    def touch(self, worker: int) -> None:
        """Write a worker's row without changing it, to check whether the worker itself can write its heartbeat now.

        Raises:
            StoreAway: the row cannot be written, so the worker cannot write its heartbeat either.
        """
        with self._database.write() as connection:
            connection.execute(update(workers).where(workers.c.id == worker).values(beat=workers.c.beat))

    def report(self, worker: int, trouble: str) -> None:
        """Store why a worker cannot do its work."""
        with self._database.write(durable=False) as connection:
            connection.execute(update(workers).where(workers.c.id == worker).values(trouble=trouble))

    def all(self) -> list[Worker]:
        """Return every worker that is not marked as gone. Some of them may be dead."""
        with self._database.read() as connection:
            rows = connection.execute(select(workers).where(ALIVE).order_by(workers.c.id)).all()
        return [Worker(id=row.id, process=process_of(row), beat=row.beat, trouble=row.trouble) for row in rows]

    def orphans(self) -> list[int]:
        """Return the owners of running tasks that are marked as gone or have no row.

        Such a worker was marked as gone too early.
        """
        if self._any_running.first() is None:
            return []
        with self._database.read() as connection:
            return list(
                connection.execute(
                    select(tasks.c.owner)
                    .distinct()
                    .where(in_state(State.RUNNING), tasks.c.owner.not_in(select(workers.c.id).where(ALIVE)))
                ).scalars()
            )

    def mark_gone(self, ids: Sequence[int], now: datetime) -> None:
        """Mark workers as gone, except workers with a running task.

        The rows stay, because ended tasks refer to them.
        """
        with self._database.write() as connection:
            connection.execute(_mark_gone(now).where(workers.c.id.in_(ids)))

    def mark_dead(self, dead: Sequence[Worker], now: datetime) -> None:
        """Mark workers as gone, except workers with a running task, and workers with a newer heartbeat."""
        if not dead:
            return
        seen = or_(*(and_(workers.c.id == worker.id, workers.c.beat == worker.beat) for worker in dead))
        with self._database.write() as connection:
            connection.execute(_mark_gone(now).where(seen))

    def forget(self, gone_before: datetime) -> int:
        """Remove the workers that were gone before a time and that no task refers to. Return how many were removed."""
        old = workers.c.gone_at < micros(gone_before)
        if self._any_old.first(before=micros(gone_before)) is None:
            return 0
        owned = select(tasks.c.id).where(tasks.c.owner == workers.c.id)
        unused = and_(~owned.where(in_state(State.RUNNING)).exists(), ~owned.where(not_running()).exists())
        with self._database.write() as connection:
            return connection.execute(delete(workers).where(old, unused)).rowcount


def _identifying(process: Process) -> dict[str, Any]:
    """Return the values of the columns that tell a process from all others."""
    return {"machine": process.machine, "pid": process.pid, "pid_started": process.pid_started}


def _describes(process: Process) -> ColumnElement[bool]:
    """Return the condition that a row describes a process that has no name in Redis."""
    same = (workers.c[column] == value for column, value in _identifying(process).items())
    return and_(*same, workers.c.kind == process.kind, workers.c.name == "")


def _mark_gone(now: datetime) -> Update:
    running = select(tasks.c.id).where(in_state(State.RUNNING), tasks.c.owner == workers.c.id)
    return update(workers).where(ALIVE, ~running.exists()).values(gone_at=micros(now))


def process_of(row: Any) -> Process:
    """Return the process that a worker's row describes."""
    return Process(
        kind=row.kind,
        host=row.host,
        machine=row.machine,
        pid=row.pid,
        pid_started=row.pid_started,
        name=row.name,
    )


ALIVE = workers.c.gone_at.is_(None)
"""The condition that a worker is not marked as gone."""
