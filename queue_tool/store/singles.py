"""Tasks in the store that belong to no batch, each added by a request of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from queue_tool.errors import TaskNotFound
from queue_tool.model import json_text
from queue_tool.model.batch import Accepted, IdempotencyKey, NewTask, Refused, refuse_duplicate
from queue_tool.store import held_lists, unique
from queue_tool.store.adding import add_tasks
from queue_tool.store.engine.database import Database
from queue_tool.store.idempotency import Remembered, lock_and_recall, remember
from queue_tool.store.tables import tasks
from queue_tool.store.waiting_count import WaitingCount


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedOne:
    """What became of a task that was to be added."""

    before: Remembered | None = None  # it was not added: its idempotency key was used for this already
    duplicate: Refused | None = None  # nor then: another task has its unique key
    held: bool = False  # its ticket waits in the store until there is room in Redis


class Singles:
    """The tasks that belong to no batch."""

    def __init__(self, database: Database) -> None:
        """Work on this database."""
        self._database = database
        self._waiting = WaitingCount()

    def add(
        self, new: NewTask, now: datetime, max_waiting: int, key: IdempotencyKey | None, *, hold: Sequence[str]
    ) -> AddedOne:
        """Add a task; its ticket is yet to be pushed.

        Args:
            new: the task.
            now: when it was sent.
            max_waiting: how many tasks may wait; 0 is no limit.
            key: by which the same request is known again.
            hold: lists whose tickets wait in the store from now on: there is no room in Redis.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would wait.
            StoreAway: nothing was kept.
        """
        with self._database.write() as connection:
            if key and (before := lock_and_recall(connection, key, now)):
                return AddedOne(before=before)
            if new.options.unique_key is not None:
                unique.lock_keys(connection)
                mine = (new.task_type.name, new.options.unique_key)
                owner = unique.taken(connection, [mine]).get(mine)
                if owner is not None:
                    return AddedOne(duplicate=refuse_duplicate(new, owner))
            self._waiting.require_room(connection, 1, max_waiting)
            waits_here = held_lists.hold_or_held(connection, hold, {new.list}, now)
            add_tasks(connection, [new], None, now, unpushed=True)
            if key:
                remember(connection, key, None, now, token=new.token)
        return AddedOne(held=waits_here)

    def accepted(self, token: str) -> Accepted:
        """Return what was answered when a task was sent.

        Raises:
            TaskNotFound: it is not there any more.
        """
        with self._database.read() as connection:
            row = connection.execute(select(tasks.c.data).where(tasks.c.token == token)).first()
        if row is None:
            raise TaskNotFound
        return Accepted(index=0, token=token, data=json_text.loads(row.data))
