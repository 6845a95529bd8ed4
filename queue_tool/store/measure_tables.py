"""The table of what all processes have counted and measured."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Table

from queue_tool.store.engine.schema import Text
from queue_tool.store.tables import metadata

measures = Table(
    "measures",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),  # Unix time in minutes; 0: the sum of all time
    Column("metric", Text, primary_key=True),
    Column("labels", Text, primary_key=True),  # JSON text of an object
    Column("bucket", Text, primary_key=True),  # of a histogram, see `model.metrics.Measure`; empty: it is a counter
    Column("value", Float, nullable=False),
)
