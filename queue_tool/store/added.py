"""Added: what a transaction did with a request that adds tasks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from queue_tool.errors import QueueToolError
from queue_tool.model.batch import NewBatch, Refused
from queue_tool.model.ticket import Ticket
from queue_tool.store.idempotency import Remembered
from queue_tool.store.parts import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was done with a request."""

    before: Remembered | None = None  # set if nothing was added: the first use of the idempotency key
    instead: NewBatch | None = None  # set if tasks were refused because of their unique keys: the batch as it was added
    duplicate: Refused | None = None  # set if the task was not added: another task already uses the unique key
    refused_whole: bool = False  # whether nothing was added, because no element was accepted
    held: bool = False  # whether its tickets wait in line until Redis has room
    error: QueueToolError | None = None  # set if nothing was added: the service is full, or the batch takes no elements
    part: Part | None = None  # the elements that were added to an open batch
    repeated: Part | None = None  # set if nothing was added: an earlier request brought the same elements
    behind: Collection[str] = ()  # the lists for which the tickets wait behind others of the batch
    made: Sequence[Ticket] = ()  # tickets of continuations, if a batch has ended at its birth

    @property
    def nothing(self) -> bool:
        """Return whether nothing was added."""
        return bool(self.before or self.duplicate or self.refused_whole or self.error or self.repeated)
