"""Adding batches to a store directly, and recording what was pushed, as the submitter does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from queue_tool.model.batch import NewBatch
from queue_tool.model.ticket import Ticket
from queue_tool.store import AddBatch, Added, PushedTickets, Store


def add_to(
    store: Store, new: NewBatch, max_waiting: int = 0, *, hold: Sequence[str] = (), some_accepted: bool = False
) -> Added:
    """Add one batch.

    Raises:
        TooManyWaiting: more than `max_waiting` tasks would be queued.
    """
    (added,) = store.additions.add([AddBatch(new=new, hold=hold, some_accepted=some_accepted)], max_waiting)
    if added.error is not None:
        raise added.error
    return added


def record_pushed(store: Store, what: str | Sequence[Ticket], now: datetime) -> None:
    """Record that a batch, or these tickets, were pushed."""
    batches, tickets = ([what], ()) if isinstance(what, str) else ([], what)
    store.additions.record_pushed(PushedTickets(at=now, batches=batches, tickets=tickets))
