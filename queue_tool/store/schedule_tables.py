"""The tables of schedules and their ticks. The migrations create the same tables, as with those of `tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, Table

from queue_tool.store.engine.schema import IDS_NEVER_REUSED, RowId, Text
from queue_tool.store.tables import metadata

schedules = Table(
    "schedules",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("declared_as", Text, unique=True),  # the task type whose code declares it; NULL: it was made with the API
    Column("version", Integer),  # as the code declares it
    Column("declared_at", BigInteger),  # when a process last declared it
    Column("request", Text, nullable=False),  # JSON text of a task request without its data
    Column("data", Text, nullable=False),  # JSON text
    Column("is_batch", Integer, nullable=False),  # 1: the data is an array, with the data of each task of a batch
    Column("lane", Text, nullable=False),  # of the task type, as in the next column
    Column("priority", Text, nullable=False),
    Column("cron", Text),
    Column("every", Float),  # seconds
    Column("timezone", Text, nullable=False),
    Column("start_at", BigInteger),
    Column("end_at", BigInteger),
    Column("overlap", Text, nullable=False),
    Column("catch_up", Text, nullable=False),
    Column("jitter", Float, nullable=False),  # seconds
    Column("next_at", BigInteger, index=True),  # the next tick; NULL: none is due
    Column("last_at", BigInteger),
    Column("paused_at", BigInteger),
    Column("paused_by", Text),
    Column("revision", Integer, nullable=False),  # grows with each change
    Column("ticks", Integer, nullable=False),  # the number of the last tick
    Column("last_token", Text),  # what the last tick sent, as in the next column
    Column("last_batch", Text),
    Column("created_at", BigInteger, nullable=False),
    **IDS_NEVER_REUSED,
)

ticks = Table(
    "ticks",
    metadata,
    Column("schedule_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),  # when it was due
    Column("made_at", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("token", Text),
    Column("batch", Text),
    Column("error", Text),
)
