"""The table of the message queues. It is not in `tables`, because most processes do not need it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from queue_tool.store.engine.schema import IDS_NEVER_REUSED, RowId, Text
from queue_tool.store.tables import metadata

messages = Table(
    "messages",
    metadata,
    Column("id", RowId, primary_key=True),  # the order of the messages
    Column("queue", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON text
    Column("created_at", BigInteger, nullable=False),
    Column("deliveries", Integer, nullable=False),  # how many times it was taken with a lease
    Column("leased_until", BigInteger),  # NULL: it waits
    Column("receipt", Text),  # of its last lease, which may be over
    **IDS_NEVER_REUSED,
)
