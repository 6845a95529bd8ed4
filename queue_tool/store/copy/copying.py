"""Copying a whole database from SQLite to PostgreSQL, in one transaction that is compared before it is committed."""

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
from queue_tool.store.engine.database import Database, failures_named
from queue_tool.store.engine.postgres import copy_in, lock_tables, set_last_id
from queue_tool.store.engine.sqlite import last_id
from queue_tool.store.tables import identity, metadata, workers
from queue_tool.store.workers import ALIVE, Process, process_of

ROWS = 200
"""Rows that are in memory at once."""

Liveness = Callable[[Process], bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied of one table."""

    table: str
    rows: int
    changed: int  # rows with U+0000 in a text


def copy(source: Database, target: Database, lives_here: Liveness) -> list[Copied]:
    """Copy every table; commit only if the rows that are read back from the target are those of the source.

    Nobody else can write to the source meanwhile. What fails, or is cut short, leaves the target as it was.

    Args:
        source: on SQLite, at this version.
        target: on PostgreSQL, empty; its tables are made here.
        lives_here: tells whether a process lives; None where that cannot be known.

    Raises:
        CannotCopy: they are of other kinds, or the source is not there, or holds what PostgreSQL cannot keep.
        SchemaOutdated: the source has another version, or the target a newer one.
        DatabaseInUse: a process that works on the source lives.
        TargetNotEmpty: there is something in the target.
        CopyDiffers: what the target has kept is not what it was given.
        StoreAway: one of them is busy or away; the sentence says which, and why.
    """
    require_kinds(source, target)
    _require_file(source)
    with _failures_of("source"), source.write() as reading:
        _require_current(reading)
        _require_idle(reading, lives_here)
        with _failures_of("target"), target.write() as writing:
            _make_tables(writing)
            return [_copy_table(reading, writing, table) for table in metadata.sorted_tables]


# -- what must be so ---------------------------------------------------------------------------------------


def require_kinds(source: Database, target: Database) -> None:
    """Do nothing if the source is on SQLite and the target on PostgreSQL.

    Raises:
        CannotCopy: they are of other kinds.
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
            f"The source {have}, and a copy needs {migrations.head()}: "
            "run `queue-tool db upgrade` with QUEUE_TOOL_DATABASE_URL set to it."
        )


def _require_idle(reading: Connection, lives_here: Liveness) -> None:
    for row in reading.execute(select(workers).where(ALIVE)):
        if lives_here(process_of(row)):
            raise DatabaseInUse(f"Process {row.pid}, a {row.kind}, still works on the source: stop it first.")


def _make_tables(writing: Connection) -> None:
    """Make the tables of an empty database, or take those that are there and empty, for this transaction alone."""
    made = migrations.version_of(writing) is not None
    if not made and set(inspect(writing).get_table_names()) & metadata.tables.keys():
        raise TargetNotEmpty
    migrations.upgrade_within(writing)
    lock_tables(writing, metadata.tables.values())
    for table in metadata.tables.values():
        if table is not identity and writing.execute(select(exists(select(table)))).scalar_one():
            raise TargetNotEmpty
    writing.execute(identity.delete())  # the source's comes in its place: Redis knows the tickets by it


# -- one table ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Given:
    """What PostgreSQL is given of a table."""

    checksum: Checksum = field(default_factory=Checksum)
    changed: int = 0

    def fitting(self, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Return rows with U+0000 written \\x00, as in every text that this program makes: PostgreSQL refuses it."""
        for row in rows:
            fit = tuple(value.replace("\0", r"\x00") if isinstance(value, str) else value for value in row)
            self.changed += fit != row
            self.checksum.add(fit)
            yield fit


def _copy_table(reading: Connection, writing: Connection, table: Table) -> Copied:
    given, kept = _Given(), Checksum()
    copy_in(writing, table, given.fitting(_from_source(reading, table)))
    _go_on_counting(reading, writing, table)
    for row in _rows(writing, table):
        kept.add(row)
    if kept != given.checksum:
        raise CopyDiffers(
            f"The table {table.name} is not in the target as it was given: {given.checksum.rows} rows were given, and "
            f"{kept.rows} are there, or some are others; nothing of the copy was kept."
        )
    return Copied(table=table.name, rows=kept.rows, changed=given.changed)


def _from_source(reading: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    with _failures_of("source"):
        yield from _rows(reading, table)


def _rows(connection: Connection, table: Table) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table, some in memory at a time; in the order in which they were made, where it has ids."""
    ordered = select(table).order_by(*table.primary_key)
    return map(tuple, connection.execute(ordered, execution_options={"yield_per": ROWS}))


def _go_on_counting(reading: Connection, writing: Connection, table: Table) -> None:
    """Let the next row of a table get the id that it would have got in the source."""
    column = table.autoincrement_column
    if column is not None and (last := last_id(reading, column)):
        set_last_id(writing, column, last)


@contextmanager
def _failures_of(side: str) -> Iterator[None]:
    """Name in a failure the side that has failed, and the database's own reason; no password is in that."""
    try:
        with failures_named():
            yield
    except DBAPIError as error:  # such as a right that is missing
        raise StoreAway(f"The {side} cannot be used: {_first_line(str(error.orig))}.") from error
    except StoreAway as error:
        if error.sentence != StoreAway.default_sentence():
            raise  # it names the side already
        raise StoreAway(f"The {side} cannot be used: {_first_line(error.reason)}.") from error


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip(".")
