"""Copying a whole database from SQLite to PostgreSQL in one transaction. The rows are compared before the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, exists, inspect, select
from sqlalchemy.exc import DBAPIError

from queue_tool.errors import CannotCopy, CopyDiffers, DatabaseInUse, SchemaOutdated, StoreAway, TargetNotEmpty
from queue_tool.store import migrations
from queue_tool.store.copy.checksum import Checksum
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.failures import failures_named
from queue_tool.store.engine.postgres import copy_in, lock_tables, set_last_id
from queue_tool.store.engine.sqlite import last_id
from queue_tool.store.indexes import metadata
from queue_tool.store.tables import identity, workers
from queue_tool.store.workers import ALIVE, Process, process_of

ROWS = 200
"""Rows in memory at the same time."""

Liveness = Callable[[Process], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """The result of copying one table."""

    table: str
    rows: int
    changed: int  # rows in which U+0000 was replaced


def copy(source: Database, target: Database, lives_here: Liveness) -> list[Copied]:
    """Copy every table. Commit only if the rows read back from the target equal the rows of the source.

    No other process can write to the source meanwhile. If the copy fails or is interrupted, the target is unchanged.

    Args:
        source: a SQLite database at the revision of this code.
        target: an empty PostgreSQL database. The copy creates its tables.
        lives_here: returns whether a process lives, or None if this machine cannot know.

    Raises:
        CannotCopy: the databases are of the wrong kinds, or the source is missing, or PostgreSQL cannot store a value.
        SchemaOutdated: the source has another revision, or the target has a newer one.
        DatabaseInUse: a live process uses the source.
        TargetNotEmpty: the target contains rows, or tables that no migration created.
        CopyDiffers: the rows read back from the target differ from the rows sent to it.
        StoreAway: one of the databases is busy or away; the message says which one and why.
    """
    require_kinds(source, target)
    _require_file(source)
    with _failures_of("source"), source.write() as reading:
        _require_current(reading)
        _require_idle(reading, lives_here)
        with _failures_of("target"), target.write(unhurried=True) as writing:
            _make_tables(writing)
            return [_copy_table(reading, writing, table) for table in metadata.sorted_tables]


# -- preconditions -----------------------------------------------------------------------------------------


def require_kinds(source: Database, target: Database) -> None:
    """Check that the source is on SQLite and the target on PostgreSQL.

    Raises:
        CannotCopy: the databases are of the wrong kinds.
    """
    if not source.is_file or target.is_file:
        raise CannotCopy


def _require_file(source: Database) -> None:
    try:
        source.path.open("rb").close()
    except OSError as error:
        raise CannotCopy(f"The source {source.path} cannot be read: {error.strerror}.") from None


def _require_current(reading: Connection) -> None:
    found = migrations.version_of(reading)
    if found != migrations.head():
        have = f"is at revision {found}" if found else "has no tables"
        raise SchemaOutdated(
            f"The source {have}, but a copy needs revision {migrations.head()}: "
            "run `queue-tool db upgrade` with QUEUE_TOOL_DATABASE_URL set to the source."
        )


def _require_idle(reading: Connection, lives_here: Liveness) -> None:
    for row in reading.execute(select(workers).where(ALIVE)):
        if lives_here(process_of(row)):
            raise DatabaseInUse(f"Process {row.pid} ({row.kind}) still uses the source: stop it first.")


def _make_tables(writing: Connection) -> None:
    """Create the tables, or use existing empty ones. Lock them until the end of the transaction."""
    made = migrations.version_of(writing) is not None
    if not made and set(inspect(writing).get_table_names()) & metadata.tables.keys():
        raise TargetNotEmpty
    migrations.upgrade_within(writing)
    lock_tables(writing, metadata.tables.values())
    for table in metadata.tables.values():
        if table is not identity and writing.execute(select(exists(select(table)))).scalar_one():
            raise TargetNotEmpty
    writing.execute(identity.delete())  # the source's identity replaces it: Redis stores it to mark its tickets


# -- one table ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sent:
    """The rows of a table that were sent to PostgreSQL."""

    checksum: Checksum = field(default_factory=Checksum)
    changed: int = 0

    def without_nul(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Return the rows with U+0000 written as \\x00, because PostgreSQL rejects U+0000.

        `queue_tool.model.bounded_text` writes U+0000 in the same way.
        """
        for row in rows:
            clean = tuple(value.replace("\0", r"\x00") if isinstance(value, str) else value for value in row)
            self.changed += clean != row
            self.checksum.add(clean)
            yield clean


def _copy_table(reading: Connection, writing: Connection, table: Table) -> Copied:
    sent, stored = _Sent(), Checksum()
    copy_in(writing, table, sent.without_nul(_from_source(reading, table)))
    _continue_ids(reading, writing, table)
    for row in _rows(writing, table):
        stored.add(row)
    if stored != sent.checksum:
        raise CopyDiffers(
            f"The table {table.name} differs in the target: {sent.checksum.rows} rows were sent, {stored.rows} were "
            "read back, and their contents differ. Nothing was copied."
        )
    return Copied(table=table.name, rows=stored.rows, changed=sent.changed)


def _from_source(reading: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    with _failures_of("source"):
        yield from _rows(reading, table)


def _rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table in the order of its primary key. At most `ROWS` rows are in memory."""
    ordered = select(table).order_by(*table.primary_key)
    return map(tuple, connection.execute(ordered, execution_options={"yield_per": ROWS}))


def _continue_ids(reading: Connection, writing: Connection, table: Table) -> None:
    """Continue the ids of the source, so that the next row gets the id that it would get in the source."""
    column = table.autoincrement_column
    if column is not None and (last := last_id(reading, column)):
        set_last_id(writing, column, last)


@contextmanager
def _failures_of(side: str) -> Iterator[None]:
    """Add to an error the side that failed and the database's own reason, which contains no password."""
    try:
        with failures_named():
            yield
    except DBAPIError as error:  # for example, a table that is not ours
        raise StoreAway(f"The {side} cannot be used: {_first_line(str(error.orig))}.") from error
    except StoreAway as error:
        if error.sentence != StoreAway.default_sentence():
            raise  # the message names the side already
        raise StoreAway(f"The {side} cannot be used: {_first_line(error.reason)}.") from error


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
