"""The session of each connection to PostgreSQL: its settings, its encoding, and whether a pooler is in between.

A pooler, for example pgbouncer, passes a client's transactions to sessions that it shares among clients. There the
settings of a session would reach other clients, and named prepared statements would be missing or exist already. So
through a pooler each transaction sets its own settings, and nothing is prepared.

A pooler is recognized by the id of the server process: a client learns another one when it connects than the process
itself tells. A pooler that hides this too is recognized by its first failure (`BoundedConnection.is_shared`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from queue_tool.errors import FailureKind, StoreAway
from queue_tool.store.engine.driver import BoundedConnection

ENCODING = "UTF8"
"""The encoding of the database: texts of tasks have characters that others cannot store."""


class Session:
    """The settings that an engine needs in each of its transactions."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Prepare the statements that set these parameters of the server, by name."""
        self._for_session, self._for_transaction = (
            "SELECT " + ", ".join(f"set_config('{name}', '{value}', {local})" for name, value in settings.items())
            for local in ("false", "true")
        )

    def open(self, connection: BoundedConnection) -> None:
        """Set the parameters for the whole session, unless a pooler shares it. Call this once for a new connection.

        Raises:
            StoreAway: the database has another encoding.
        """
        require_encoding(connection)
        connection.autocommit = True  # the end of a transaction could undo it
        own = f"pg_backend_pid() = {connection.info.backend_pid}"
        if connection.execute(f"{self._for_session} WHERE {own}".encode()).fetchone() is None:
            connection.share()
        connection.autocommit = False

    def begin(self, driver: Any) -> None:
        """Set the parameters for the transaction that has just begun, if a pooler shares the session."""
        if driver.is_shared:
            driver.execute(self._for_transaction)


def require_encoding(connection: BoundedConnection) -> None:
    """Raise an error if the database cannot store every text.

    Raises:
        StoreAway: the database has another encoding than UTF8.
    """
    found = connection.info.parameter_status("server_encoding")
    if found not in (None, ENCODING):
        connection.close()
        error = StoreAway(f"The PostgreSQL database has the encoding {found}: create one with `ENCODING '{ENCODING}'`.")
        error.kind = FailureKind.REFUSES
        error.retry_after = 1
        raise error
