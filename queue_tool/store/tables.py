"""The tables, for SQLAlchemy Core. The migrations create the same tables, and a test compares the two.

The partial indexes are in `indexes`.

Times are whole microseconds since 1970 in UTC. JSON is stored as text, because a database's own JSON type would change
numbers and reject U+0000. There are no foreign keys, because each one would make every insert slower. The store removes
a row only together with, or after, all rows that refer to it.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    and_,
    literal_column,
    or_,
)

from queue_tool.model.states import State
from queue_tool.store.engine.schema import IDS_NEVER_REUSED, RowId, Text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

batches = Table(
    "batches",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("accepted", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("open", Integer, nullable=False),  # unfinished tasks; at zero the batch is finished
    Column("scheduled", Integer, nullable=False, server_default="0"),  # tasks in this state, as in the next two columns
    Column("failed", Integer, nullable=False, server_default="0"),
    Column("canceled", Integer, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("pushed_at", BigInteger),  # when all tickets were known to be in Redis; NULL: push them again
    Column("push_failed_at", BigInteger),  # when a push failed; negative: minus the number of the process that pushes
    Column("finished_at", BigInteger),
    Column("name", Text),
    Column("metadata", Text),  # JSON text of an object of texts; also in `labels`, for filters
    Column("task_type", Text),  # an open batch whose elements are the data of this type; NULL: they are task objects
    Column("filled_at", BigInteger),  # when an open batch last got elements, by `database_now`; NULL: it is not open
    Column("sealed_by", Text),  # what sealed a batch that was open, one of `model.batch.SealedBy`
    Column("continues", Integer),  # 1: it has continuations; 0: they do not run until a retry reopens it; NULL: none
    Column("reopening_until", BigInteger),  # a bulk retry is not done: it does not end before; by `database_now`
    Column("webhook", Text),  # the URL that is told when the batch finishes
)

labels = Table(
    "labels",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("id", RowId, primary_key=True),  # the order of submission
    Column("token", Text, nullable=False, unique=True),
    Column("batch_id", BigInteger),
    Column("position", Integer, nullable=False),  # index in the request's array
    Column("task_type", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("owner", BigInteger),  # workers.id of the worker that claimed it last
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("pushed_at", BigInteger),  # NULL: a sweeper must push it; negative: see `adding.being_pushed`
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("code", Text),
    Column("error", Text),
    Column("result", Text),
    Column("progress", Float),  # from 0 to 1, reported by the run
    Column("note", Text),  # the run's text about its progress
    Column("canceled_by", Text),
    Column("cancel_reason", Text),
    Column("canceled_key", Text),  # name of the API key that canceled it; `canceled_by` is what the request said
    Column("due_at", BigInteger),  # the task is not started before this time
    Column("expires_at", BigInteger),  # the first run is not started after this time
    Column("max_attempts", Integer),  # NULL: the task type's value
    Column("resignations", Integer, nullable=False, server_default="0"),  # workers that ended by themselves
    Column("forgiven", Integer, nullable=False, server_default="0"),  # attempts before a reopen, which do not count
    Column("timeout", Float),  # seconds; NULL: the task type's value
    Column("name", Text),
    Column("custom_id", Text),
    Column("description", Text),
    Column("parameters", Text),  # JSON text of an object
    Column("unique_key", Text),
    Column("continues", Integer),  # 1: it has continuations; NULL: none
    Column("parent", Text),  # the batch or task whose continuation it is: see `model.continuation`
    Column("webhook", Text),  # the URL that is told when the task ends
)

continuations = Table(
    "continuations",
    metadata,
    Column("parent", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("condition", Text, nullable=False),  # one of `model.continuation.When`
    Column("task_type", Text, nullable=False),
    Column("task", Text, nullable=False),  # JSON text: see `continuing.text_of`
)

tags = Table(
    "tags",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("task_id", BigInteger, primary_key=True, autoincrement=False, index=True),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("token", Text, nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("run", Integer, nullable=False),
    Column("worker", Text, nullable=False),  # for people
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("error", Text),
    Column("traceback", Text, nullable=False),
)

queues = Table(
    "queues",
    metadata,
    Column("priority", Text, primary_key=True),
    Column("paused_at", BigInteger),  # NULL: not paused
    Column("resumed_at", BigInteger),  # when it was last resumed
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("token", Text, nullable=False, index=True),
    Column("run", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # one line that the run logged
)


LIVE = "unique_key IS NOT NULL AND state IN ('scheduled', 'queued', 'running')"

UNIQUE_WHERE: ColumnElement[bool] = literal_column(
    LIVE.replace("unique_key", "tasks.unique_key").replace("state", "tasks.state")
)
"""The condition of the index on unique keys."""

Index("ix_tasks_batch_id", tasks.c.batch_id, tasks.c.id)
Index("ix_tasks_task_type", tasks.c.task_type, tasks.c.id)


def in_state(*states: State, keyed: bool = False) -> ColumnElement[bool]:
    """Return the condition that a task is in one of these states.

    The states are literals in the statement, because with parameters the database would not use a partial index.

    Args:
        states: the states.
        keyed: whether the statement finds its rows by a key. Then no partial index may be used, because the database
            would read the whole queue through it.
    """
    state: ColumnElement[str] = tasks.c.state.concat(literal_column("''")) if keyed else tasks.c.state
    return or_(*(state == literal_column(f"'{each.value}'") for each in sorted(states)))


def not_running() -> ColumnElement[bool]:
    """Return the condition that a task was claimed and is not running. It is written exactly as in its index."""
    return and_(tasks.c.owner.is_not(None), tasks.c.state != literal_column("'running'"))


windows = Table(
    "windows",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),  # 0: see `line.OTHERS`
    Column("list", Text, primary_key=True),  # the RQ queue
    Column("priority", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("after", BigInteger, nullable=False),  # tasks.id: the tickets of the batch up to this row were pushed
    Column("turn", BigInteger, nullable=False),  # the lowest one is next
    Index("ix_windows_list_turn", "list", "turn"),
)

parts = Table(
    "parts",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("start", Integer, primary_key=True, autoincrement=False),  # the index of its first element
    Column("count", Integer, nullable=False),  # its elements
    Column("digest", Text, nullable=False),  # of the body of its request
    Column("after", BigInteger, nullable=False),  # tasks.id: its tasks are those of the batch after this row,
    Column("last", BigInteger, nullable=False),  # up to this row
    Column("in_line", Integer, nullable=False),  # 1: its tickets wait behind others of the batch, in the same line
    Column("sender", BigInteger),  # the number of the process that pushes its tickets; 0: a sweeper; NULL: it is done
    Column("created_at", BigInteger, nullable=False),
)
"""The requests that brought the elements of batches that are, or were, open."""

fills = Table(
    "fills",
    metadata,
    Column("list", Text, primary_key=True),  # the RQ queue
    Column("at", BigInteger, nullable=False),  # when it was filled last
    Column("size", Integer, nullable=False),  # the window then
    Column("length", Integer, nullable=False),  # tickets in the list after that
)

refusals = Table(
    "refusals",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("item", Text, nullable=False),
    Column("errors", Text, nullable=False),
    Column("custom_id", Text),
    Column("duplicate_of", Text),  # the token of the task that already uses the unique key
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("batch_id", BigInteger),  # NULL for an empty array or a task without a batch
    Column("batch", Text),  # the id of the batch, which stays known after the batch was removed
    Column("elements", Integer),  # how many elements the request had; NULL: unknown, from an earlier version
    Column("token", Text),  # the task without a batch
    Column("created_at", BigInteger, nullable=False, index=True),
)

workers = Table(
    "workers",
    metadata,
    Column("id", RowId, primary_key=True),  # never reused: tasks refer to it as their owner
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),  # its name in Redis; empty if it has none
    Column("host", Text, nullable=False),  # for people
    Column("machine", Text, nullable=False),  # the scope in which `pid` is valid
    Column("pid", Integer, nullable=False),
    Column("pid_started", Text, nullable=False),  # distinguishes the process from a later one with the same pid
    Column("beat", BigInteger, nullable=False),  # the heartbeat, a counter that grows while the process lives
    Column("started_at", BigInteger, nullable=False),
    Column("trouble", Text),  # why it cannot do its work; NULL: it can
    Column("version", Text),  # of the program
    Column("lanes", Text),  # JSON text: by lane, its slots and those in use at the last heartbeat
    Column("finished", BigInteger, nullable=False, server_default="0"),  # tasks that finished here
    Column("failed", BigInteger, nullable=False, server_default="0"),  # tasks that failed here
    Column("beat_at", BigInteger),  # the last heartbeat, by `database_now`; only for people
    Column("gone_at", BigInteger),  # when it was known to have ended; the row stays while tasks refer to it
    **IDS_NEVER_REUSED,
)

identity = Table(
    "identity",
    metadata,
    Column("value", Text, primary_key=True),  # one row, created with the table: the unique id of this database
)

listening = Table(
    "listening",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1: there is at most one row
    Column("version", BigInteger, nullable=False),  # another random number after each change of `webhooks` or `feeds`
    Column("has_own", Integer, nullable=False),  # 1: a task or batch had a `webhook` of its own
    Column("secret", Text),  # signs what is sent to the `webhook` of a task or batch
)
"""Who listens to ends. Without a row nobody does. The other tables about webhooks are in `webhook_tables`."""
