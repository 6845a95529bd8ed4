"""Workers in the store: who runs tasks, and whether they still live.

A heartbeat is a counter and not a time: whoever watches it judges by a clock of its own, so a skewed clock or
a laptop's sleep makes nobody dead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, insert, select, update

from queue_tool.model.states import State
from queue_tool.store.engine.database import Database, micros
from queue_tool.store.engine.lookup import Lookup, whether
from queue_tool.store.tables import in_state, not_running, tasks, workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process as it can be found again."""

    kind: str  # what it is, for people
    host: str  # for people
    machine: str  # where the pid means something: one kernel, one namespace of pids
    pid: int
    pid_started: str  # tells it from a later process with the same pid
    name: str = ""  # under which Redis knows it


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that runs tasks."""

    id: int
    process: Process
    beat: int


class Workers:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database
        self._any_old = Lookup(database, whether(workers.c.gone_at < bindparam("before")))
        self._any_running = Lookup(database, whether(in_state(State.RUNNING)))

    def register(self, process: Process, now: datetime) -> int:
        """Add a process that is about to claim tasks; return the id under which it owns them."""
        with self._database.write() as connection:
            row_id: int = connection.execute(
                insert(workers)
                .values(
                    kind=process.kind,
                    host=process.host,
                    machine=process.machine,
                    pid=process.pid,
                    pid_started=process.pid_started,
                    name=process.name,
                    beat=0,
                    started_at=micros(now),
                )
                .returning(workers.c.id)
            ).scalar_one()
        return row_id

    def beat(self, worker: int) -> bool:
        """Record that a worker lives; return False if it was given up for dead in the meantime."""
        with self._database.write() as connection:
            found = connection.execute(
                update(workers).where(ALIVE, workers.c.id == worker).values(beat=workers.c.beat + 1)
            )
        return found.rowcount == 1

    def touch(self, worker: int) -> None:
        """Write a worker's row without a change, to learn whether the worker itself could write its heartbeat now.

        Raises:
            StoreAway: it cannot be written, so the worker could not either.
        """
        with self._database.write() as connection:
            connection.execute(update(workers).where(workers.c.id == worker).values(beat=workers.c.beat))

    def all(self) -> list[Worker]:
        """Return every worker that is not known to be gone, dead or alive."""
        with self._database.read() as connection:
            rows = connection.execute(select(workers).where(ALIVE).order_by(workers.c.id)).all()
        return [Worker(id=row.id, process=process_of(row), beat=row.beat) for row in rows]

    def orphans(self) -> list[int]:
        """Return owners of running tasks whose rows say that they are gone, or are not there: given up too early."""
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
        """Mark workers as gone, unless they still run a task; their rows stay, since ended tasks refer to them."""
        with self._database.write() as connection:
            connection.execute(
                update(workers)
                .where(
                    ALIVE,
                    workers.c.id.in_(ids),
                    ~select(tasks.c.id).where(in_state(State.RUNNING), tasks.c.owner == workers.c.id).exists(),
                )
                .values(gone_at=micros(now))
            )

    def forget(self, gone_before: datetime) -> int:
        """Remove workers that were gone by then and to which no task refers any more; return how many."""
        old = workers.c.gone_at < micros(gone_before)
        if self._any_old.first(before=micros(gone_before)) is None:
            return 0
        ran_there = select(tasks.c.id).where(tasks.c.owner == workers.c.id)
        did_nothing = and_(~ran_there.where(in_state(State.RUNNING)).exists(), ~ran_there.where(not_running()).exists())
        with self._database.write() as connection:
            return connection.execute(delete(workers).where(old, did_nothing)).rowcount


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
"""The condition that a worker is not known to be gone."""
