"""Queues in the store: which are paused. A queue is a priority; its lanes pause together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select, update

from queue_tool.store.database import Database, micros, moment_or_none
from queue_tool.store.lookup import Lookup, whether
from queue_tool.store.rows import insert_new
from queue_tool.store.tables import queues
from queue_tool.tasks import Priority


class Queues:
    """The table of queues."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database
        self._any = Lookup(database, whether(queues.c.priority.is_not(None)))

    def pause(self, priority: Priority, now: datetime) -> None:
        """Let no task of a queue be started from now on; one that is paused stays so."""
        with self._database.write() as connection:
            insert_new(connection, queues, [{"priority": priority.value}])
            connection.execute(
                update(queues)
                .where(queues.c.priority == priority.value, queues.c.paused_at.is_(None))
                .values(paused_at=micros(now))
            )

    def resume(self, priority: Priority, now: datetime) -> None:
        """Let the tasks of a queue be started again."""
        with self._database.write() as connection:
            connection.execute(
                update(queues)
                .where(queues.c.priority == priority.value, queues.c.paused_at.is_not(None))
                .values(paused_at=None, resumed_at=micros(now))
            )

    def paused(self) -> frozenset[Priority]:
        """Return the queues that are paused."""
        with self._database.read() as connection:
            return frozenset(Priority(name) for name in connection.execute(PAUSED).scalars())

    def resumed(self) -> Mapping[Priority, datetime | None]:
        """Return when each queue that is not paused last went on, of those that ever were."""
        if self._any.first() is None:
            return {}
        with self._database.read() as connection:
            rows = connection.execute(select(queues).where(queues.c.paused_at.is_(None))).all()
        return {Priority(row.priority): moment_or_none(row.resumed_at) for row in rows}


PAUSED = select(queues.c.priority).where(queues.c.paused_at.is_not(None))
