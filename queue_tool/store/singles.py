"""Tasks without a batch in the store. Each one is added by its own request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from queue_tool.errors import TaskRemoved
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
    """What `Singles.add` did with a task."""

    before: Remembered | None = None  # set if nothing was added: the first use of the idempotency key
    duplicate: Refused | None = None  # set if nothing was added: another task already uses the unique key
    held: bool = False  # whether its ticket waits in the database until Redis has room


class Singles:
    """The tasks without a batch."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database
        self._waiting = WaitingCount()

    def add(
        self, new: NewTask, now: datetime, max_waiting: int, key: IdempotencyKey | None, *, hold: Sequence[str]
    ) -> AddedOne:
        """Add a task. The caller pushes its ticket afterwards.

        Args:
            new: the task.
            now: when the task was submitted.
            max_waiting: the most tasks that may be queued; 0 means no limit.
            key: the request's Idempotency-Key, if it has one.
            hold: lists that are full in Redis, so that their tickets wait in the database from now on.

        Raises:
            TooManyWaiting: more than `max_waiting` tasks would be queued.
            StoreAway: the database is busy or away; nothing was stored.
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
            held = held_lists.hold_and_check(connection, hold, {new.list}, now)
            add_tasks(connection, [new], None, now, unpushed=True)
            if key:
                remember(connection, key, now, token=new.token)
        return AddedOne(held=held)

    def accepted(self, token: str) -> Accepted:
        """Return a task as the answer to its request described it.

        Raises:
            TaskRemoved: the task has ended, and was removed since.
        """
        with self._database.read() as connection:
            row = connection.execute(select(tasks.c.data, tasks.c.custom_id).where(tasks.c.token == token)).first()
        if row is None:
            raise TaskRemoved(f"{TaskRemoved.default_sentence()} Its token was {token}.")
        return Accepted(index=0, token=token, data=json_text.loads(row.data), custom_id=row.custom_id)
