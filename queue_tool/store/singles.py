"""Tasks without a batch in the store, as the answers to their requests described them. `additions.py` adds them."""

from __future__ import annotations

from sqlalchemy import select

from queue_tool.errors import TaskRemoved
from queue_tool.model import json_text
from queue_tool.model.new_task import Accepted
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import tasks


class Singles:
    """The tasks without a batch."""

    def __init__(self, database: Database) -> None:
        """Use this database."""
        self._database = database

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
