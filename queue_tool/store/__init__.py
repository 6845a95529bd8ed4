"""The store: the one place that knows SQLAlchemy. Its methods take many tasks at once."""

from __future__ import annotations

from queue_tool.store.batches import Added, Batches, Totals
from queue_tool.store.control import Canceled, Control
from queue_tool.store.engine.database import Changes, Database
from queue_tool.store.idempotency import IdempotencyKeys, Remembered
from queue_tool.store.identity import identity_of
from queue_tool.store.keys import Keys
from queue_tool.store.listing import Listing, PageKey
from queue_tool.store.queues import Queues
from queue_tool.store.results import Results
from queue_tool.store.runs import Runs, Settled, SettledAndClaimed, TakenBack
from queue_tool.store.singles import Singles
from queue_tool.store.tasks import Tasks
from queue_tool.store.tickets import Tickets
from queue_tool.store.upkeep import Upkeep
from queue_tool.store.workers import Process, Worker, Workers

__all__ = [
    "Added",
    "Canceled",
    "Changes",
    "PageKey",
    "Process",
    "Remembered",
    "Settled",
    "SettledAndClaimed",
    "Store",
    "TakenBack",
    "Totals",
    "Worker",
]


class Store:
    """All that is stored: an attribute for each noun."""

    def __init__(self, database: Database) -> None:
        """Work on this database, which has the tables already."""
        self.database = database
        self.batches = Batches(database)
        self.listing = Listing(database)
        self.results = Results(database)
        self.singles = Singles(database)
        self.tasks = Tasks(database)
        self.runs = Runs(database)
        self.tickets = Tickets(database)
        self.workers = Workers(database)
        self.keys = Keys(database)
        self.idempotency = IdempotencyKeys(database)
        self.control = Control(database)
        self.upkeep = Upkeep(database)
        self.queues = Queues(database)

    def identity(self) -> str:
        """Return what tells this database from every other one; a copy of it has the same."""
        return identity_of(self.database)

    def changes(self) -> Changes:
        """Return what tells whether anything was written since the last look."""
        return Changes(self.database)

    def close(self) -> None:
        """Close every connection that is not in use."""
        self.database.close()
