"""The limit of queued tasks."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from queue_tool.errors import TooManyWaiting
from queue_tool.model.states import State
from queue_tool.store.row_count import RowCount
from queue_tool.store.tables import in_state, tasks

RETRY_AFTER = 30
"""Seconds after which the caller should retry."""


NO_LIMIT = 2**62
"""A number above all ids of tasks."""


class WaitingCount:
    """Checks the limit. Tasks that were sent before the last count and queued again since then are not included."""

    def __init__(self) -> None:
        """Start without a count."""
        self._rows = RowCount(tasks.c.id, _COUNT)

    def require_room(self, connection: Connection, more: int, most: int) -> None:
        """Check that more tasks may be queued.

        Args:
            connection: the connection of the transaction that will add the tasks.
            more: the number of tasks to add.
            most: the most tasks that may be queued; 0 means no limit.

        Raises:
            TooManyWaiting: more than `most` tasks would be queued.
        """
        if not self.has_room(connection, more, most):
            raise TooManyWaiting(retry_after=RETRY_AFTER)

    def has_room(self, connection: Connection, more: int, most: int) -> bool:
        """Return whether more tasks may be queued; the arguments are those of `require_room`."""
        return not most or self._rows.room_for(connection, more, most) >= more

    def last_row_for(self, more: int, most: int) -> int:
        """Return the highest id of a task with which there is room for sure; below 0: unknown.

        Args:
            more: the number of tasks to add.
            most: the most tasks that may be queued; 0 means no limit.
        """
        return self._rows.last_row_for(more, most) if most else NO_LIMIT


_COUNT = select(func.count()).select_from(tasks).where(in_state(State.QUEUED))
