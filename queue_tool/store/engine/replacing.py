"""Replacing a SQLite database by a complete copy: the old files or the new one are in place, never a mixture."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from queue_tool.errors import DatabaseInUse
from queue_tool.store.engine import generation
from queue_tool.store.engine.generation import Mark, beside
from queue_tool.store.engine.write_lock import WriteLock

PREPARED, RESTORED = "-restoring", "-restored"
"""Suffixes of a copy that will replace the database: while it is prepared, and when it is complete."""

_LOCK_BYTES = (0x40000002, 510)
"""Where SQLite's connections lock the database file, and how many bytes (sqlite.org/lockingv3.html)."""


@contextmanager
def unused(path: Path, timeout: float) -> Iterator[None]:
    """Keep every other connection out of a database during the block. The database may be missing.

    Raises:
        DatabaseInUse: a process has the database open.
    """
    with WriteLock(beside(path, ".write-lock"), timeout).hold(), ExitStack() as opened:
        if path.exists():
            file = opened.enter_context(path.open("r+b"))
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES[1], _LOCK_BYTES[0])
            except OSError:
                raise DatabaseInUse(f"A process still uses {path}: stop it first.") from None
        yield


def finish(path: Path, outcomes: Path, timeout: float) -> Path | None:
    """Put a complete copy in the place of a database, if there is one. Move the old files to a dated folder.

    A process that is killed meanwhile leaves the complete copy, so the next process continues.

    Args:
        path: the database.
        outcomes: the folder of the outcomes that belong to the old database.
        timeout: seconds to wait for another process that does the same.

    Returns:
        The folder of the old files. None if there is no complete copy.
    """
    if not beside(path, RESTORED).exists():
        return None
    with WriteLock(beside(path, ".write-lock"), timeout).hold():
        return replace(path, outcomes)


def replace(path: Path, outcomes: Path) -> Path | None:
    """Do what `finish` does. The caller holds the write lock."""
    restored = beside(path, RESTORED)
    header = generation.read_header(restored)
    if header is None:  # another process was faster
        return None
    made = datetime.fromtimestamp(restored.stat().st_mtime, UTC)
    name = f"before-restore-{made:%Y%m%dT%H%M%S.%f}Z"
    for old in (*(beside(path, suffix) for suffix in ("-wal", "-shm", "-journal")), path, outcomes):
        _move(old, old.parent / name)
    mark = Mark(generations=(header.generation,), schema_version=header.schema_version)
    generation.write_mark(path, mark)
    restored.rename(path)
    generation.sync_folder(path.parent)
    return path.parent / name


def _move(old: Path, folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    with suppress(FileNotFoundError):
        old.rename(folder / old.name)
