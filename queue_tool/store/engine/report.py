"""What a database says of itself, for operators. Nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from queue_tool.errors import FailureKind, StoreAway
from queue_tool.store.engine import generation
from queue_tool.store.engine.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseReport:
    """What a database says of itself."""

    server: str  # name and version, and how it keeps what was committed
    weaknesses: Mapping[str, str]  # what loses data, or keeps the system from working, each with what to do


def can_be_read(database: Database) -> bool:
    """Return whether the database is there and can be read without a change of it: the first use of a file may be one.

    A server that does not answer counts as there.
    """
    if not database.is_file:
        return True
    header = generation.read_header(database.path)
    return header is not None and header.is_wal


def report(database: Database) -> DatabaseReport:
    """Return what a database that exists says of itself.

    Raises:
        StoreAway: it cannot be read.
    """
    return _report_of_file(database) if database.is_file else _report_of_server(database)


def _report_of_file(database: Database) -> DatabaseReport:
    header = generation.read_header(database.path)
    if header is None and database.path.stat().st_size:
        error = StoreAway(f"{database.path} is not a SQLite database.")
        error.kind = FailureKind.WRONG
        raise error
    if header is None or not header.is_wal:
        state = "is empty" if header is None else "is not in WAL mode"
        return DatabaseReport(server="SQLite", weaknesses={state: "the next start changes that"})
    (version,) = database.first_row("SELECT sqlite_version()", ())
    return DatabaseReport(server=f"SQLite {version}, in WAL mode with synchronous=FULL", weaknesses={})


def _report_of_server(database: Database) -> DatabaseReport:
    version, is_replica, *switches = database.first_row(_SERVER, {})
    weaknesses = {
        f"has {name} off, so {consequence}": "turn it on in the configuration of the server"
        for (name, consequence), value in zip(_SWITCHES.items(), switches, strict=True)
        if value == "off"
    }
    if is_replica:
        weaknesses["is a replica, which nobody can write to"] = "use the primary server"
    return DatabaseReport(server=f"PostgreSQL {version}", weaknesses=weaknesses)


_SWITCHES = {
    "fsync": "a power failure may destroy the database",
    "full_page_writes": "a power failure may destroy the database",
    "synchronous_commit": "a power failure may lose tasks whose tokens were sent",
}
"""Settings of PostgreSQL that must not be off, each with what happens otherwise."""

_SERVER = "SELECT current_setting('server_version'), pg_is_in_recovery(), " + ", ".join(
    f"current_setting('{name}')" for name in _SWITCHES
)
