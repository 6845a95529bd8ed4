"""The number of queued tasks, counted only when the limit may be exceeded."""

from __future__ import annotations

from sqlalchemy import Connection, func, literal_column, select

from queue_tool.errors import TooManyWaiting
from queue_tool.model.states import State
from queue_tool.store.tables import in_state, tasks

RETRY_AFTER = 30
"""Seconds after which the caller should retry."""


class WaitingCount:
    """Checks the limit of queued tasks.

    It remembers the last count and the last row at that time. It counts again only when that count plus the number of
    newer rows would exceed the limit. Older tasks that were queued again since the last count are not included.
    """

    def __init__(self) -> None:
        """Start without a count."""
        self._counted: int | None = None
        self._last_row = 0

    def require_room(self, connection: Connection, more: int, most: int) -> None:
        """Check that more tasks may be queued.

        Args:
            connection: the connection of the transaction that will add the tasks.
            more: the number of tasks to add.
            most: the most tasks that may be queued; 0 means no limit.

        Raises:
            TooManyWaiting: more than `most` tasks would be queued.
        """
        if most and not self._has_room(connection, more, most):
            raise TooManyWaiting(retry_after=RETRY_AFTER)

    def _has_room(self, connection: Connection, more: int, most: int) -> bool:
        last_row: int = connection.execute(_LAST_ROW).scalar_one()
        if self._counted is not None and self._counted + last_row - self._last_row + more <= most:
            return True
        self._counted, self._last_row = connection.execute(_COUNT).scalar_one(), last_row
        return self._counted + more <= most


_LAST_ROW = select(func.coalesce(func.max(tasks.c.id), literal_column("0")))

_COUNT = select(func.count()).select_from(tasks).where(in_state(State.QUEUED))
