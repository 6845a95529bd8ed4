"""The table of supervisors. The migrations create the same table, as with those of `tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from queue_tool.store.engine.schema import Text
from queue_tool.store.tables import metadata

supervisors = Table(
    "supervisors",
    metadata,
    Column("host", Text, primary_key=True),  # its name, for people
    Column("machine", Text, nullable=False),  # these three identify its process, as in `workers`
    Column("pid", Integer, nullable=False),
    Column("pid_started", Text, nullable=False),
    Column("beat_at", BigInteger),  # when it last said that it lives, by `database_now`; NULL: it has ended
    Column("minimum", Integer, nullable=False),
    Column("maximum", Integer, nullable=False),
    Column("wanted", Integer, nullable=False),  # worker processes
    Column("automatic", Integer, nullable=False),  # 1: the automatic rule changes `wanted`
    Column("settings", Text, nullable=False),  # JSON text: the settings that said the numbers first
    Column("running", Integer, nullable=False),  # worker processes that run
    Column("draining", Integer, nullable=False),  # those that were asked to end and still run
)
