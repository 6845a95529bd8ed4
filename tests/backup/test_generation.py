"""A database file that was put in place by hand is noticed before SQLite replays the old `-wal` file into it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from queue_tool.errors import DatabaseReplaced, StoreAway
from queue_tool.model.access import ApiKey, Role
from queue_tool.store import Store
from queue_tool.store.engine.database import Database

pytestmark = pytest.mark.sqlite

Copy = Callable[[Path, Path], None]
Place = Callable[[Path, Path], None]


def vacuumed(source: Path, target: Path) -> None:
    """Copy by `VACUUM INTO`."""
    with closing(sqlite3.connect(source)) as connection:
        connection.execute("VACUUM INTO ?", [str(target)])


def backed_up(source: Path, target: Path) -> None:
    """Copy by the backup API."""
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)


def over(copy: Path, path: Path) -> None:
    """Put a copy in place as `cp` does: into the same file."""
    path.write_bytes(copy.read_bytes())


def instead(copy: Path, path: Path) -> None:
    """Put a copy in place as `mv` does."""
    copy.replace(path)


COPIES = [vacuumed, backed_up]
PLACES = [over, instead]


@pytest.fixture
def path(tmp_path: Path, migrated_database: Path) -> Path:
    """A database with one key, used by a system that has started once."""
    shutil.copyfile(migrated_database, tmp_path / "queue_tool.db")
    return tmp_path / "queue_tool.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """The store of a running system."""
    made = Store(Database(f"sqlite:///{path}"))
    made.database.renew_generation()
    add(made, "first")
    yield made
    made.close()


def add(store: Store, name: str) -> None:
    """Write one row."""
    store.keys.add(ApiKey(id=name, name=name, role=Role.READ, created_at=datetime.now(UTC)), name)


def names(store: Store) -> list[str]:
    """Return what was written."""
    return sorted(key.name for key in store.keys.all())


def killed(path: Path, to: Path) -> Path:
    """Return the database as `kill -9` leaves it now: its files, while they are open."""
    to.mkdir()
    for file in path.parent.glob("queue_tool.db*"):
        shutil.copyfile(file, to / file.name)
    assert (to / "queue_tool.db-wal").stat().st_size
    return to / path.name


def contents(path: Path) -> dict[str, bytes]:
    """Return each file of a database."""
    return {file.name: file.read_bytes() for file in path.parent.glob("queue_tool.db*") if file.is_file()}


def test_after_a_kill_the_same_files_are_used_again(path: Path, store: Store, tmp_path: Path) -> None:
    for number in range(3):
        add(store, f"later {number}")
        killed_now = killed(path, tmp_path / f"killed {number}")
        with closing(Store(Database(f"sqlite:///{killed_now}"))) as again:
            again.database.require_same_file()
            again.database.renew_generation()
            assert names(again) == ["first", *(f"later {each}" for each in range(number + 1))]
            again.database.require_same_file()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("copy", COPIES)
def test_a_start_refuses_a_copy_beside_the_old_wal(
    path: Path, store: Store, tmp_path: Path, copy: Copy, place: Place
) -> None:
    copy(path, tmp_path / "copy.db")
    for number in range(30):
        add(store, f"later {number}")
    dead = killed(path, tmp_path / "dead")
    place(tmp_path / "copy.db", dead)
    before = contents(dead)
    with closing(Database(f"sqlite:///{dead}")) as database, pytest.raises(DatabaseReplaced, match="db restore"):
        database.require_same_file()
    assert contents(dead) == before


@pytest.mark.parametrize("place", PLACES)
def test_a_start_refuses_the_files_own_copy_from_before_the_last_start(
    path: Path, store: Store, tmp_path: Path, place: Place
) -> None:
    store.close()
    shutil.copyfile(path, tmp_path / "copy.db")  # complete: the system was stopped
    store.database.renew_generation()
    add(store, "second")
    dead = killed(path, tmp_path / "dead")
    place(tmp_path / "copy.db", dead)
    with closing(Database(f"sqlite:///{dead}")) as database, pytest.raises(DatabaseReplaced):
        database.require_same_file()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("copy", COPIES)
def test_a_running_system_writes_nothing_into_a_copy(
    path: Path, store: Store, tmp_path: Path, copy: Copy, place: Place
) -> None:
    copy(path, tmp_path / "copy.db")
    add(store, "second")
    original = tmp_path / "original.db"
    os.link(path, original)
    place(tmp_path / "copy.db", path)
    before = contents(path)
    for _ in range(2):
        with pytest.raises(StoreAway) as refused:
            add(store, "third")
        assert "was put in place by hand" in refused.value.reason
    assert contents(path) == before
    if place is instead:  # the file that is open is as it was
        assert names(store) == ["first", "second"]
        original.replace(path)
        add(store, "third")
        assert names(store) == ["first", "second", "third"]


@pytest.mark.parametrize("statement", ["VACUUM", "ANALYZE", "CREATE INDEX own ON tasks (name)"])
def test_the_operator_may_change_the_file_in_its_place(path: Path, store: Store, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    add(store, "second")
    store.close()
    store.database.require_same_file()
    add(store, "third")
    assert names(store) == ["first", "second", "third"]


def test_a_missing_file_is_not_made_anew(path: Path, store: Store) -> None:
    store.close()
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(DatabaseReplaced, match="is missing"):
        store.database.require_same_file()
    path.with_name("queue_tool.db-generation").unlink()
    store.database.require_same_file()


def test_a_generation_that_a_killed_start_has_half_written_fits(path: Path, store: Store, tmp_path: Path) -> None:
    """The note beside the file is written before the file, and a reader may hold the checkpoint up."""
    with store.database.read() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM tasks").scalar()
        for number in range(3):
            store.database.renew_generation()
            dead = killed(path, tmp_path / f"dead {number}")
            with closing(Database(f"sqlite:///{dead}")) as database:
                database.require_same_file()
    store.database.renew_generation()
    store.database.require_same_file()
