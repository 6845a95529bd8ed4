"""Telling: writes what webhooks and clients of `/events` must hear of.

Most systems have neither, and then no process needs `outbox`: it is imported when somebody listens.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection


def tell(connection: Connection, version: int, ended: Sequence[str], finished: Sequence[str], now: int) -> None:
    """Write the ends of a transaction; the arguments are those of `outbox.write_ends`."""
    from queue_tool.store.outbox import write_ends

    write_ends(connection, version, ended, finished, now)
