"""The store: the only package that uses SQLAlchemy. Its methods take many tasks at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from queue_tool.model.failures import Failure
from queue_tool.model.made_once import made_once
from queue_tool.model.states import State
from queue_tool.store.added import Added
from queue_tool.store.addition import AddBatch, Addition, AddTask
from queue_tool.store.additions import Additions, new_tasks
from queue_tool.store.batches import Batches
from queue_tool.store.control import Canceled, Control
from queue_tool.store.elements import AddElements
from queue_tool.store.engine.database import Changes, Database
from queue_tool.store.failed import newest_failed
from queue_tool.store.idempotency import IdempotencyKeys, Remembered
from queue_tool.store.identity import identity_of, try_write
from queue_tool.store.keys import Keys
from queue_tool.store.listening import Listening
from queue_tool.store.listing import Listing, PageKey
from queue_tool.store.losses import TakenBack
from queue_tool.store.measures import Measures
from queue_tool.store.open_batches import OpenBatch, OpenBatches
from queue_tool.store.parts import Part, Parts
from queue_tool.store.portions import Portion
from queue_tool.store.pushed_tickets import PushedTickets
from queue_tool.store.queues import Queues
from queue_tool.store.results import Results
from queue_tool.store.runs import Runs, Settled, SettledAndClaimed
from queue_tool.store.singles import Singles
from queue_tool.store.tasks import Tasks
from queue_tool.store.tickets import Tickets
from queue_tool.store.totals import Totals, read_states, read_totals
from queue_tool.store.upkeep import Upkeep
from queue_tool.store.windows import LineState, Windows
from queue_tool.store.workers import Process, Worker, WorkerDetails, Workers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from queue_tool.model.batch_ends import BatchEnds
    from queue_tool.model.webhook import End
    from queue_tool.store.chores import Chores
    from queue_tool.store.declared_schedules import DeclaredSchedules
    from queue_tool.store.deliveries import Deliveries
    from queue_tool.store.feeds import Feeds
    from queue_tool.store.message_queues import MessageQueues
    from queue_tool.store.messages import Messages
    from queue_tool.store.outbox_upkeep import OutboxUpkeep
    from queue_tool.store.schedules import Schedules
    from queue_tool.store.suggestions import Suggestions
    from queue_tool.store.supervisors import Supervisors
    from queue_tool.store.ticks import Ticks
    from queue_tool.store.webhooks import Webhooks

__all__ = [
    "AddBatch",
    "AddElements",
    "AddTask",
    "Added",
    "Addition",
    "Canceled",
    "Changes",
    "LineState",
    "OpenBatch",
    "PageKey",
    "Part",
    "Portion",
    "Process",
    "PushedTickets",
    "Remembered",
    "Settled",
    "SettledAndClaimed",
    "Store",
    "TakenBack",
    "Totals",
    "Worker",
    "WorkerDetails",
    "new_tasks",
]


class Store:
    """The whole store. Each attribute is one group of operations."""

    def __init__(self, database: Database) -> None:
        """Use this database. Its tables must exist already."""
        self.database = database
        self.additions = Additions(database)
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
        self.windows = Windows(database)
        self.open_batches = OpenBatches(database)
        self.parts = Parts(database)
        self.listens = Listening(database)
        self.measures = Measures(database)

    @made_once
    def chores(self) -> Chores:
        """What a sweeper must do now; made like `messages`."""
        from queue_tool.store.chores import Chores

        return Chores(self.database)

    @made_once
    def messages(self) -> Messages:
        """The messages. Their statements are made at the first use, because no worker needs them."""
        from queue_tool.store.messages import Messages

        return Messages(self.database)

    @made_once
    def message_queues(self) -> MessageQueues:
        """The message queues; made like `messages`."""
        from queue_tool.store.message_queues import MessageQueues

        return MessageQueues(self.database)

    @made_once
    def webhooks(self) -> Webhooks:
        """The webhooks; made like `messages`."""
        from queue_tool.store.webhooks import Webhooks

        return Webhooks(self.database)

    @made_once
    def deliveries(self) -> Deliveries:
        """What webhooks must hear of; made like `messages`."""
        from queue_tool.store.deliveries import Deliveries

        return Deliveries(self.database)

    @made_once
    def outbox_upkeep(self) -> OutboxUpkeep:
        """The upkeep of the outbox; made like `messages`."""
        from queue_tool.store.outbox_upkeep import OutboxUpkeep

        return OutboxUpkeep(self.database)

    @made_once
    def feeds(self) -> Feeds:
        """What clients that listen get; made like `messages`."""
        from queue_tool.store.feeds import Feeds

        return Feeds(self.database)

    def end_facts(self, ends: Sequence[End]) -> dict[str, dict[str, Any]]:
        """Return by the id of an end what is still known about its task or batch."""
        from queue_tool.store.end_facts import facts_of

        return facts_of(self.database, ends)

    @made_once
    def schedules(self) -> Schedules:
        """The schedules; made like `messages`."""
        from queue_tool.store.schedules import Schedules

        return Schedules(self.database)

    @made_once
    def declared_schedules(self) -> DeclaredSchedules:
        """The schedules that code declares; made like `messages`."""
        from queue_tool.store.declared_schedules import DeclaredSchedules

        return DeclaredSchedules(self.database)

    @made_once
    def supervisors(self) -> Supervisors:
        """The supervisors; made like `messages`."""
        from queue_tool.store.supervisors import Supervisors

        return Supervisors(self.database)

    @made_once
    def ticks(self) -> Ticks:
        """The ticks of schedules; made like `messages`."""
        from queue_tool.store.ticks import Ticks

        return Ticks(self.database)

    @made_once
    def suggestions(self) -> Suggestions:
        """Values of filters for those who type; made like `messages`."""
        from queue_tool.store.suggestions import Suggestions

        return Suggestions(self.database)

    def identity(self) -> str:
        """Return the unique id of this database. A copy of the database has the same id."""
        return identity_of(self.database)

    def try_write(self) -> None:
        """Write to the database, and change nothing.

        Raises:
            StoreAway: the database cannot be written to.
        """
        try_write(self.database)

    def totals(self) -> Totals:
        """Return how many batches, tasks and refused elements there are, all at one moment."""
        return read_totals(self.database)

    def states(self) -> Mapping[State, int]:
        """Return how many tasks are in each state, all at one moment."""
        return read_states(self.database)

    def batch_ends(self, batch: str) -> BatchEnds:
        """Return when tasks of a batch ended: all of them, or an even sample. Only pages need its statements."""
        from queue_tool.store.batch_ends import ends_of

        return ends_of(self.database, batch)

    def newest_failed(self, most: int) -> list[Failure]:
        """Return the newest failed tasks, in the reverse order of their submission."""
        return newest_failed(self.database, most)

    def changes(self) -> Changes:
        """Return an object that detects whether the database was written to."""
        return Changes(self.database)

    def close(self) -> None:
        """Close every connection. A connection in use is closed when it is returned."""
        self.database.close()
