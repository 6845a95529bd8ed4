"""The number of rows that a limit is about, counted only when the limit may be exceeded."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Select, func, literal_column, select


class RowCount:
    """Tells how many more rows fit under a limit.

    It remembers the last count and the last row at that time. It counts again only when that count plus the number of
    newer rows would exceed the limit.
    """

    def __init__(self, row_id: Column[int], count: Select[int]) -> None:
        """Start without a count.

        Args:
            row_id: the autoincrement column of the rows.
            count: counts the rows.
        """
        self._last_row_id = select(func.coalesce(func.max(row_id), literal_column("0")))
        self._count = count
        self._counted: int | None = None
        self._last_row = 0

    def last_row_for(self, more: int, most: int) -> int:
        """Return the highest id of a row with which `more` new rows fit under the limit for sure; below 0: unknown.

        Args:
            more: the number of rows to add.
            most: the most rows that there may be.
        """
        return -1 if self._counted is None else self._last_row + most - self._counted - more

    def room_for(self, connection: Connection, more: int, most: int) -> int:
        """Return how many of `more` new rows fit under the limit `most`.

        Args:
            connection: the connection of the transaction that will add the rows.
            more: the number of rows to add.
            most: the most rows that there may be.
        """
        last_row: int = connection.execute(self._last_row_id).scalar_one()
        if self._counted is not None and self._counted + last_row - self._last_row + more <= most:
            return more
        self._counted, self._last_row = connection.execute(self._count).scalar_one(), last_row
        return max(0, min(more, most - self._counted))
