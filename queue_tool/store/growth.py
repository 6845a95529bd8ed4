"""Growth: the counts of open batches to which a transaction adds elements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection

from queue_tool.model.batch import NewBatch
from queue_tool.store import ends
from queue_tool.store.engine.database import micros


class Growth:
    """The elements that one transaction adds to open batches."""

    def __init__(self) -> None:
        """Start without elements."""
        self._added: dict[str, Counter[str]] = {}  # by the public id of the batch
        self._at = 0  # when the last of them came

    def add(self, new: NewBatch) -> None:
        """Note new elements of a batch."""
        added = {"more": len(new.accepted), "more_rejected": len(new.refused), "more_scheduled": new.scheduled}
        self._added.setdefault(new.id, Counter()).update(added)
        self._at = max(self._at, micros(new.created_at))

    @property
    def batches(self) -> Sequence[str]:
        """Return the public ids of the batches."""
        return list(self._added)

    def of(self, batch: str) -> int:
        """Return how many elements were noted for a batch."""
        added = self._added.get(batch, Counter())
        return added["more"] + added["more_rejected"]

    def apply(self, connection: Connection) -> None:
        """Change the counts of the batches. The transaction has locked their rows."""
        for batch, added in self._added.items():
            connection.execute(ends.GROW, {"public": batch, "now": self._at, **added})
