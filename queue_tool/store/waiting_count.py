"""How many tasks wait for a worker, counted as seldom as the limit of them allows."""

from __future__ import annotations

from sqlalchemy import Connection, func, literal_column, select

from queue_tool.errors import TooManyWaiting
from queue_tool.model.states import State
from queue_tool.store.tables import in_state, tasks

RETRY_AFTER = 30
"""Seconds after which there may be room again."""


class WaitingCount:
    """Remembers the last count and the last row of that time: no more can wait now than these and the rows since."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self._counted: int | None = None
        self._last_row = 0

    def require_room(self, connection: Connection, more: int, most: int) -> None:
        """Do nothing if so many more tasks may wait, in a transaction that writes.

        Args:
            connection: of that transaction.
            more: how many tasks it is about to add.
            most: how many may wait; 0 is no limit.

        Raises:
            TooManyWaiting: there is no room for them.
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
