"""Backup and restore of a SQLite database: one file, which is checked before it counts."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.exc import DBAPIError

from queue_tool.errors import CannotBackUp, CannotRestore, QueueToolError, StoreAway
from queue_tool.store import migrations
from queue_tool.store.engine import file_copies as copies
from queue_tool.store.engine import replacing
from queue_tool.store.engine.database import TIMEOUT, Database
from queue_tool.store.engine.failures import failures_named
from queue_tool.store.engine.generation import beside, new_generation, sync_folder
from queue_tool.store.restored import take_over
from queue_tool.store.tables import batches, identity, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a backup holds."""

    identity: str
    revision: str
    tasks: int
    batches: int
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore did."""

    content: Content  # of the database that is in place now
    running: int  # tasks that were running at the time of the backup, and are queued again
    aside: Path | None  # the folder of the old files, or the dump of the old tables; None: there were none


def back_up(database: Database, file: Path, progress: copies.Progress, *, force: bool) -> Content:
    """Write a checked copy of a database to a file. The database may be in use. The file is complete, or not there.

    Args:
        database: a SQLite database.
        file: the backup.
        progress: is called after each step of the copy.
        force: whether an existing file is replaced.

    Raises:
        CannotBackUp: the file exists or cannot be written, or the copy is damaged.
        StoreAway: the database is busy or away.
    """
    _require_free(database, file, force=force)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    with _failures_of(CannotBackUp, f"The backup {file} cannot be written"), _removed_at_the_end(part):
        _make(part)
        copies.copy(database.path, part, progress)
        content = _checked(part, CannotBackUp, f"The database {database.path}")
        copies.seal(part, 0)
        if force:
            part.replace(file)
        else:
            os.link(part, file)
        sync_folder(file.absolute().parent)
    return content


def _require_free(database: Database, file: Path, *, force: bool) -> None:
    if not database.path.exists():
        raise CannotBackUp(f"There is no database at {database.path}.")
    if file.is_dir():
        raise CannotBackUp(f"{file} is a directory: name a file.")
    if file.exists() and file.samefile(database.path):
        raise CannotBackUp(f"{file} is the database itself: name another file.")
    if file.exists() and not force:
        raise CannotBackUp(f"{file} exists: name another file, or replace it with --force.")


def restore(database: Database, file: Path, outcomes: Path, now: datetime, *, keep_identity: bool) -> Restored:
    """Put a backup in the place of a database that no process uses. The old files are moved to a dated folder.

    If this process is killed, either the old database is in place, or the next start puts the new one there.

    Args:
        database: a SQLite database, which may be missing or damaged.
        file: a backup, or another database of this program.
        outcomes: the folder of the outcomes that belong to the old database.
        now: the time.
        keep_identity: whether the restored database keeps the identity of the backup.

    Raises:
        CannotRestore: the file is no backup, is damaged, or is of a newer version, or a file cannot be written.
        DatabaseInUse: a process uses the database.
    """
    path = database.path.absolute()
    if file.exists() and path.exists() and file.samefile(path):
        raise CannotRestore(f"{file} is in the place of the database: move it to another folder first.")
    new = beside(path, replacing.PREPARED)
    refused = f"The backup {file} cannot be restored"
    with _failures_of(CannotRestore, refused), replacing.unused(path, TIMEOUT), _removed_at_the_end(new):
        file.open("rb").close()
        _make(new)
        copies.copy(file, new, lambda *_: None)
        _checked(new, CannotRestore, f"The file {file}")
        with copies.editing(new) as connection:
            migrations.upgrade_within(connection)
            running = take_over(connection, None if keep_identity else uuid.uuid4().hex, now)
        copies.seal(new, new_generation())
        content = _checked(new, CannotRestore, f"The file {file}")
        new.rename(beside(path, replacing.RESTORED))
        aside = replacing.replace(path, outcomes)
    return Restored(content=content, running=running, aside=aside)


def _checked(path: Path, error: type[QueueToolError], what: str) -> Content:
    """Return the content of a copy, after SQLite and this program have found no problem in it.

    Raises:
        QueueToolError: there is one; an error of the given class.
    """
    problem = copies.problem_of(path)
    if problem is not None:
        raise error(f"{what} is damaged: {problem}.")
    with copies.editing(path) as connection:
        return _content(connection, path, error, what)


def _content(connection: Connection, path: Path, error: type[QueueToolError], what: str) -> Content:
    revision = migrations.version_of(connection)
    if revision is None or not inspect(connection).has_table(identity.name):
        raise error(f"{what} is no database of Queue Tool.")
    if revision > migrations.head():
        raise error(
            f"{what} is at revision {revision}, which is newer than this version of Queue Tool: "
            "install a newer version."
        )
    return Content(
        identity=connection.execute(select(identity.c.value)).scalar_one(),
        revision=revision,
        tasks=connection.execute(select(func.count()).select_from(tasks)).scalar_one(),
        batches=connection.execute(select(func.count()).select_from(batches)).scalar_one(),
        size=path.stat().st_size,
    )


def _make(path: Path) -> None:
    """Create an empty file that only this user can read. What an earlier process left there is removed."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


@contextmanager
def _removed_at_the_end(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                beside(path, suffix).unlink()


@contextmanager
def _failures_of(error: type[QueueToolError], what: str) -> Iterator[None]:
    """Raise an error of this class for a failure of SQLite or of the file system."""
    try:
        with failures_named():
            yield
    except FileExistsError as found:
        raise error(f"{what}: it exists now.") from found
    except (StoreAway, DBAPIError) as failure:
        reason = failure.reason if isinstance(failure, StoreAway) else str(failure.orig)
        raise error(f"{what}: {reason.strip().partition(chr(10))[0].rstrip('.')}.") from failure
