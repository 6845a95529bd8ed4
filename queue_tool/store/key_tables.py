"""The table of the API keys. It is not in `tables`, because most processes do not need it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table

from queue_tool.store.engine.schema import RowId, Text
from queue_tool.store.tables import metadata

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
