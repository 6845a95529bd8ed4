"""Finishing a restore that was killed. Each process does so at its start, before it opens the database."""

from __future__ import annotations

from pathlib import Path

from queue_tool.store.engine import replacing
from queue_tool.store.engine.database import TIMEOUT, Database
from queue_tool.store.engine.failures import failures_named


def finish_restore(database: Database, outcomes: Path) -> None:
    """Finish a restore that was killed after the new database was complete.

    Raises:
        StoreAway: a file cannot be moved.
    """
    if database.is_file:
        with failures_named():
            replacing.finish(database.path.absolute(), outcomes, TIMEOUT)
