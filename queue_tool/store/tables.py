"""The tables, as SQLAlchemy Core sees them; the migrations make the same, and a test compares the two.

The indexes of a part of the rows are in `indexes`.

Times are whole microseconds since 1970 in UTC. JSON is text, never a database's own JSON type, which would
change numbers and refuse U+0000. There are no foreign keys: each would cost every insert, and rows are only
ever removed from the leaves upwards.
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
    Text,
    and_,
    literal_column,
    or_,
)

from queue_tool.model.states import State
from queue_tool.store.engine.schema import IDS_NEVER_COME_BACK, RowId

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
    Column("open", Integer, nullable=False),  # tasks that have not ended; its zero ends the batch
    Column("created_at", BigInteger, nullable=False),
    Column("pushed_at", BigInteger),  # when the tickets were known to be in Redis; NULL: push them again
    Column("push_failed_at", BigInteger),  # when they were known not to be: nobody is still pushing them
    Column("finished_at", BigInteger),
    Column("name", Text),
    Column("metadata", Text),  # JSON text of an object of texts; `labels` has them too
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
    Column("position", Integer, nullable=False),  # index in the array that was sent
    Column("task_type", Text, nullable=False),
    Column("priority", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("run", Integer, nullable=False),
    Column("owner", BigInteger),  # workers.id: who claimed it last; while it runs, whose it is
    Column("attempt", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("pushed_at", BigInteger),  # NULL: the ticket of this run waits to be pushed
    Column("started_at", BigInteger),
    Column("finished_at", BigInteger),
    Column("code", Text),
    Column("error", Text),
    Column("result", Text),
    Column("progress", Float),  # from 0 to 1, as the run says
    Column("note", Text),  # its word about the progress
    Column("canceled_by", Text),
    Column("cancel_reason", Text),
    Column("due_at", BigInteger),  # not to be done before
    Column("expires_at", BigInteger),  # not to be started for the first time after
    Column("max_attempts", Integer),  # NULL: its type's
    Column("forgiven", Integer, nullable=False, server_default="0"),  # attempts that do not count any more
    Column("timeout", Float),  # seconds; NULL: its type's
    Column("name", Text),
    Column("custom_id", Text),
    Column("description", Text),
    Column("parameters", Text),  # JSON text of an object
    Column("unique_key", Text),
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
    Column("paused_at", BigInteger),  # NULL: it is not paused
    Column("resumed_at", BigInteger),  # when it last went on
)

events = Table(
    "events",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("token", Text, nullable=False, index=True),
    Column("run", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # a line of the run's own log
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

    The states stand in the statement itself: with a parameter in their place no partial index would be used. Where
    the rows are found by a key (`keyed`), none of these indexes is to be used either: it would read the whole queue.
    """
    state: ColumnElement[str] = tasks.c.state.concat(literal_column("''")) if keyed else tasks.c.state
    return or_(*(state == literal_column(f"'{each.value}'") for each in sorted(states)))


def not_running() -> ColumnElement[bool]:
    """Return the condition that a task does not run and has been run before, in the words of its index."""
    return and_(tasks.c.owner.is_not(None), tasks.c.state != literal_column("'running'"))


held_lists = Table(
    "held_lists",
    metadata,
    Column("list", Text, primary_key=True),  # the RQ queue whose tasks wait here until there is room in Redis
    Column("since", BigInteger, nullable=False),
)

refusals = Table(
    "refusals",
    metadata,
    Column("batch_id", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("item", Text, nullable=False),
    Column("errors", Text, nullable=False),
    Column("duplicate_of", Text),  # the token of the task that has its unique key
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("batch_id", BigInteger),  # NULL for an array that was empty, or one task
    Column("token", Text),  # of one task
    Column("created_at", BigInteger, nullable=False),
)

workers = Table(
    "workers",
    metadata,
    Column("id", RowId, primary_key=True),  # a task's owner must not come back as another one
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False, server_default=""),  # under which Redis knows it; empty where it does not
    Column("host", Text, nullable=False),  # for people
    Column("machine", Text, nullable=False),  # where `pid` means something
    Column("pid", Integer, nullable=False),
    Column("pid_started", Text, nullable=False),  # tells a process from a later one with the same pid
    Column("beat", BigInteger, nullable=False),  # grows while the process lives
    Column("started_at", BigInteger, nullable=False),
    Column("gone_at", BigInteger),  # when it had ended; the row stays for as long as a task says that it ran there
    **IDS_NEVER_COME_BACK,
)

identity = Table(
    "identity",
    metadata,
    Column("value", Text, primary_key=True),  # one row, made with the table: tells this database from all others
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)
