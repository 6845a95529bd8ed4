"""The tables about webhooks and feeds. They are not in `tables`, because most processes do not need them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, Table

from queue_tool.store.engine.schema import IDS_NEVER_REUSED, RowId, Text
from queue_tool.store.tables import metadata

__all__ = ["deliveries", "feed_ends", "feeds", "metadata", "outbox", "webhooks"]

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", RowId, primary_key=True),  # never reused: the outbox refers to it
    Column("public_id", Text, nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("own", Integer, nullable=False),  # 1: nobody registered it, it is the `webhook` of tasks or batches
    Column("events", Text, nullable=False),  # JSON text of an array
    Column("headers", Text),  # JSON text of an object
    Column("description", Text),
    Column("task_type", Text),  # the filters: only ends of tasks of this type, with this tag, of this batch
    Column("tag", Text),
    Column("batch", Text),
    Column("secret", Text),  # NULL: the service's own
    Column("previous_secret", Text),  # signs too, until the next time
    Column("previous_until", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger),
    Column("disabled_why", Text),
    Column("tries", Integer, nullable=False),  # of the next message
    Column("next_at", BigInteger, nullable=False),  # no try before this time, by `database_now`
    Column("owner", BigInteger),  # workers.id of the process that delivers now
    Column("leased_until", BigInteger),  # the end of its lease
    **IDS_NEVER_REUSED,
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("webhook_id", BigInteger),  # NULL: the row has only a URL so far
    Column("url", Text),  # the `webhook` of a task or batch
    Column("batch", Text),  # the public id of the batch of all these ends
    Column("sequence", BigInteger, nullable=False),  # the number of its transaction on PostgreSQL; 0 on SQLite
    Column("at", BigInteger, nullable=False),  # when they ended
    Column("count", Integer, nullable=False),  # how many ends it lists
    Column("ends", Text, nullable=False),  # JSON text of an array of arrays, see `model.webhook.End`
    Column("state", Text, nullable=False),  # one of `model.webhook.OutboxState`
    Column("message", Text),  # the id of the message that delivers it
    Index("ix_outbox_webhook_id", "webhook_id", "at"),
    Index("ix_outbox_at", "at"),
    **IDS_NEVER_REUSED,
)
"""One row for each transaction, webhook and batch: the ends that the webhook must hear of."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("webhook_id", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("count", Integer, nullable=False),  # how many ends the message has
    Column("at", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),  # the first try is 1
    Column("outcome", Text, nullable=False),  # one of `model.webhook.TryResult`
    Column("seconds", Float, nullable=False),
    Column("status", Integer),  # of HTTP; NULL: there was no answer
    Column("answer", Text, nullable=False),  # the beginning of its body
    Column("problem", Text),  # why there was no answer
    Index("ix_deliveries_webhook_id", "webhook_id", "id"),
    **IDS_NEVER_REUSED,
)
"""Each try to deliver a message."""

feeds = Table(
    "feeds",
    metadata,
    Column("id", RowId, primary_key=True),  # never reused: clients name it when they come back
    Column("batch", Text, nullable=False, unique=True),  # a public id; empty: all ends
    Column("until", BigInteger, nullable=False),  # how long ends are written to it, by `database_now`
    Column("gone_sequence", BigInteger, nullable=False),  # this row of `feed_ends` and all before it were removed
    Column("gone_row", BigInteger, nullable=False),
    **IDS_NEVER_REUSED,
)

feed_ends = Table(
    "feed_ends",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feed_id", BigInteger, nullable=False),
    Column("batch", Text),  # the public id of the batch of all these ends
    Column("sequence", BigInteger, nullable=False),  # the number of its transaction on PostgreSQL; 0 on SQLite
    Column("at", BigInteger, nullable=False),  # when it was written, by `database_now`
    Column("ends", Text, nullable=False),  # JSON text of an array of arrays, see `model.webhook.End`
    Index("ix_feed_ends_feed_id", "feed_id", "sequence", "id"),
    **IDS_NEVER_REUSED,
)
"""One row for each transaction, feed and batch."""
