"""Workers in the store: the processes that run tasks, and their heartbeats.

A heartbeat is a counter and not a time. The sweeper measures with its own clock how long the counter has not changed.
So a worker does not count as dead because of a wrong clock or because a laptop slept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Update, and_, bindparam, delete, func, insert, or_, select, update

from queue_tool.model import json_text
from queue_tool.model.heartbeat import Heartbeat, Slots
from queue_tool.model.queues import Lane
from queue_tool.model.states import State
from queue_tool.store.engine.clock import database_now
from queue_tool.store.engine.database import Database, micros, moment
from queue_tool.store.engine.lookup import Lookup, exists_query
from queue_tool.store.measures import add_measures
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
    version: str | None = None  # of the program


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A process that runs tasks."""

    id: int
    process: Process
    beat: int
    trouble: str | None = None  # why it cannot do its work; None: it can


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDetails(Worker):
    """A worker, as users see it."""

    started_at: datetime
    silence: float | None  # seconds since its last heartbeat; None: it has sent none
    lanes: Mapping[Lane, Slots]  # at its last heartbeat; empty: it is no worker of ours, or has sent none
    running: int  # tasks
    finished: int  # tasks that finished there
    failed: int  # tasks that failed there


class Workers:
    """The table of workers."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._any_old = Lookup(database, exists_query(workers.c.gone_at < bindparam("before")))
        self._any_running = Lookup(database, exists_query(in_state(State.RUNNING)))
        self._present = Lookup(database, _PRESENT)

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
                    version=process.version,
                    beat=0,
                    started_at=micros(now),
                    **_identifying(process),
                )
                .returning(workers.c.id)
            ).scalar_one()
        return row_id

    def hand_over(self, worker: int, parent: Process, last: Heartbeat | None = None) -> None:
        """Let a worker's row describe its parent, for the parent's next child. The worker has no running task.

        Args:
            worker: the id of the worker.
            parent: the process that the row describes from now on.
            last: what the worker says at its end.
        """
        with self._database.write(durable=False) as connection:
            connection.execute(
                update(workers)
                .where(workers.c.id == worker)
                .values(_identifying(parent) | {"beat": workers.c.beat + 1} | _reported(last))
            )
            if last is not None:
                add_measures(connection, last.measures, last.at)

    def beat(self, worker: int, heartbeat: Heartbeat | None = None) -> bool:
        """Record that a worker lives, and what it says. Return False if it was marked as gone in the meantime.

        A power failure may undo a heartbeat that brings no measures.
        """
        with self._database.write(durable=heartbeat is not None and bool(heartbeat.measures)) as connection:
            found = connection.execute(
                update(workers)
                .where(ALIVE, workers.c.id == worker)
                .values({"beat": workers.c.beat + 1} | _reported(heartbeat))
            )
            if heartbeat is not None:
                add_measures(connection, heartbeat.measures, heartbeat.at)
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
        return [
            Worker(id=row.id, process=process_of(row), beat=row.beat, trouble=row.trouble)
            for row in self._present.all()
        ]

    def details(self, now: datetime) -> list[WorkerDetails]:
        """Return every worker that is not marked as gone, as users see it. Some of them may be dead."""
        with self._database.read() as connection:
            rows = connection.execute(_DETAILS, {"now": micros(now)}).all()
            running = {row.owner: row.number for row in connection.execute(_RUNNING)}
        return [
            WorkerDetails(
                id=row.id,
                process=process_of(row),
                beat=row.beat,
                trouble=row.trouble,
                started_at=moment(row.started_at),
                silence=None if row.silence is None else max(0.0, row.silence / 1_000_000),
                lanes=_lanes(row.lanes),
                running=running.get(row.id, 0),
                finished=row.finished,
                failed=row.failed,
            )
            for row in rows
        ]

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


def _reported(heartbeat: Heartbeat | None) -> dict[str, Any]:
    """Return the values of the columns that show what a worker says."""
    if heartbeat is None:
        return {}
    lanes = None if heartbeat.lanes is None else {lane.value: list(slots) for lane, slots in heartbeat.lanes.items()}
    return {
        "beat_at": database_now(micros(heartbeat.at)),
        "finished": workers.c.finished + heartbeat.finished,
        "failed": workers.c.failed + heartbeat.failed,
    } | ({} if lanes is None else {"lanes": json_text.dumps(lanes).decode()})


def _lanes(text: str | None) -> Mapping[Lane, Slots]:
    known: Any = json_text.loads(text) if text else {}
    return {Lane(name): Slots(*slots) for name, slots in known.items()}


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
        version=row.version,
    )


ALIVE = workers.c.gone_at.is_(None)
"""The condition that a worker is not marked as gone."""

_PRESENT = (
    select(
        workers.c.id,
        workers.c.kind,
        workers.c.host,
        workers.c.machine,
        workers.c.pid,
        workers.c.pid_started,
        workers.c.name,
        workers.c.version,
        workers.c.beat,
        workers.c.trouble,
    )
    .where(ALIVE)
    .order_by(workers.c.id)
)

_DETAILS = (
    select(workers, (database_now(bindparam("now", type_=BigInteger)) - workers.c.beat_at).label("silence"))
    .where(ALIVE)
    .order_by(workers.c.id)
)

_RUNNING = select(tasks.c.owner, func.count().label("number")).where(in_state(State.RUNNING)).group_by(tasks.c.owner)
