"""`queue-tool db backup` and `queue-tool db restore` on SQLite: what they refuse, and what they leave."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from queue_tool.broker.keys import MARKER
from queue_tool.store import migrations
from queue_tool.store.engine.database import Database
from tests.cli.test_cli import the_one_sentence
from tests.support import System, items, run_command, tokens

pytestmark = pytest.mark.sqlite

RUNNING = """
INSERT INTO tasks (token, position, task_type, priority, lane, data, state, run, owner, attempt, losses, created_at)
VALUES ('t', 0, 'simulate', 'default', 'default', '{}', 'running', 3, 7, 1, 1, 0)
"""


SHELL = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT * FROM tasks").fetchall()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path, migrated_database: Path) -> Path:
    """The database of a stopped system in `tmp_path`."""
    (tmp_path / "instance").mkdir(mode=0o700)
    shutil.copyfile(migrated_database, tmp_path / "instance" / "queue_tool.db")
    return tmp_path / "instance" / "queue_tool.db"


def run(directory: Path, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run `queue-tool db` with these words."""
    return run_command("db", *words, cwd=directory, **settings)


def rows(path: Path, query: str) -> list[Any]:
    """Return the rows of a query."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(query).fetchall()
        connection.commit()
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Return the database's files in a data directory, except for its locks."""
    return {each.name: each.read_bytes() for each in folder.glob("queue_tool.db*") if "lock" not in each.name}


def test_a_running_system_is_backed_up_and_not_restored(lasting_system: System, tmp_path: Path) -> None:
    (token,) = tokens(lasting_system.post(items(1)))
    lasting_system.await_status(token, "finished")
    copy, place = tmp_path / "copy.db", lasting_system.directory
    done = run(place, "backup", str(copy))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{copy} is a backup of the database: ")
    assert (copy.stat().st_mode & 0o777, [*tmp_path.iterdir()]) == (0o600, [copy])  # nothing is left beside it
    assert (token, "finished") in rows(copy, "SELECT token, state FROM tasks")
    assert f"in use by process {lasting_system.up.pid}" in the_one_sentence(run(place, "restore", str(copy)))
    assert "exists: name another file" in the_one_sentence(run(place, "backup", str(copy)))
    assert run(place, "backup", str(copy), "--force").returncode == 0
    itself = place / "instance" / "queue_tool.db"
    assert "is the database itself" in the_one_sentence(run(place, "backup", str(itself), "--force"))
    for bad, sentence in ((tmp_path, "is a directory"), (tmp_path / "no" / "x", "No such file or directory")):
        assert sentence in the_one_sentence(run(place, "backup", str(bad)))


def test_a_database_that_any_process_has_open_is_not_restored(path: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    before = files(path.parent)
    with subprocess.Popen([sys.executable, "-c", SHELL, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert "A process still uses" in the_one_sentence(run(tmp_path, "restore", "copy.db"))
        other.communicate()
    assert files(path.parent) == {**files(path.parent), "queue_tool.db": before["queue_tool.db"]}
    assert run(tmp_path, "restore", "copy.db").returncode == 0


def test_a_backup_of_a_backup_is_restored_twice_and_nothing_old_matches(path: Path, tmp_path: Path) -> None:
    rows(path, RUNNING)
    (before,) = rows(path, "SELECT value FROM identity")
    outcome = tmp_path / "instance" / "outcomes" / "7-1.json"
    outcome.parent.mkdir(mode=0o700)
    outcome.write_text("{}")
    first = run(tmp_path, "backup", "first.db")
    assert "holds 1 files with results" in first.stderr
    assert run(tmp_path, "restore", "first.db", "--keep-identity").returncode == 0
    assert rows(path, "SELECT value FROM identity") == [before]
    assert run(tmp_path, "backup", "second.db").returncode == 0
    seen = {before}
    for time in (2, 3):
        done = run(tmp_path, "restore", "second.db")
        assert done.returncode == 0, done.stderr
        (now,) = rows(path, "SELECT value FROM identity")
        assert now not in seen
        seen.add(now)
        assert rows(path, "SELECT state, run, losses, attempt, pushed_at FROM tasks") == [("queued", 4, 1, 1, None)]
        assert dict(rows(path, "SELECT * FROM sqlite_sequence"))["workers"] >= 2_000_000
        aside = list(path.parent.glob("before-restore-*"))
        assert len(aside) == time
        assert [str(each) in done.stdout for each in aside].count(True) == 1
    assert [each.name for each in path.parent.glob("before-restore-*/outcomes/*")] == ["7-1.json"]
    assert not outcome.exists()


def newer(backup: Path) -> None:
    rows(backup, "UPDATE alembic_version SET version_num = '9999'")


def truncated(backup: Path) -> None:
    backup.write_bytes(backup.read_bytes()[:-20_000])


def damaged(backup: Path) -> None:
    content = bytearray(backup.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = b"\xff" * 4096
    backup.write_bytes(content)


def of_another_program(backup: Path) -> None:
    backup.unlink()
    rows(backup, "CREATE TABLE tasks (id)")


BAD: list[tuple[Callable[[Path], object], str]] = [
    (newer, "newer than this version of Queue Tool"),
    (truncated, "malformed"),
    (damaged, "is damaged"),
    (of_another_program, "no database of Queue Tool"),
    (lambda backup: backup.write_bytes(b""), "no database of Queue Tool"),
    (lambda backup: backup.write_text("a text" * 1000), "file is not a database"),
    (lambda backup: backup.unlink(), "No such file or directory"),
]


def test_a_bad_file_is_refused_and_changes_nothing(path: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.db", tmp_path / "bad.db"
    assert run(tmp_path, "backup", "good.db").returncode == 0
    before = files(path.parent)
    for change, sentence in BAD:
        shutil.copyfile(good, bad)
        change(bad)
        assert sentence in the_one_sentence(run(tmp_path, "restore", "bad.db"))
        assert files(path.parent) == before
    assert "is in the place of the database" in the_one_sentence(run(tmp_path, "restore", str(path)))


def test_an_older_backup_is_upgraded(path: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    migrations.downgrade(database, "0009")
    database.close()
    assert "revision 0009" in run(tmp_path, "backup", "old.db").stdout
    assert run(tmp_path, "restore", "old.db").returncode == 0
    with closing(Database(f"sqlite:///{path}")) as restored:
        migrations.require_current(restored)


@pytest.mark.parametrize("moved", [(), ("queue_tool.db-wal",), ("queue_tool.db-wal", "queue_tool.db")])
def test_the_next_start_finishes_a_restore_that_was_killed(path: Path, tmp_path: Path, moved: tuple[str, ...]) -> None:
    """The complete copy has its name, and the old files were moved one after the other."""
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    rows(tmp_path / "copy.db", RUNNING)
    assert run(tmp_path, "restore", "copy.db").returncode == 0
    (aside,) = path.parent.glob("before-restore-*")
    path.rename(path.with_name("queue_tool.db-restored"))
    for name, old in (("queue_tool.db-wal", b"of another"), ("queue_tool.db", (aside / "queue_tool.db").read_bytes())):
        (aside / name).unlink(missing_ok=True)
        (aside if name in moved else path.parent).joinpath(name).write_bytes(old)
    assert run_command("keys", "list", cwd=tmp_path).returncode == 0
    assert rows(path, "SELECT token, state FROM tasks") == [("t", "queued")]
    assert (aside / "queue_tool.db-wal").read_bytes() == b"of another"
    assert not path.with_name("queue_tool.db-restored").exists()


def test_a_restore_that_is_killed_before_the_copy_is_complete_leaves_the_old_database(
    path: Path, tmp_path: Path
) -> None:
    path.with_name("queue_tool.db-restoring").write_bytes(b"half")
    assert run_command("keys", "list", cwd=tmp_path).returncode == 0
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    assert run(tmp_path, "restore", "copy.db").returncode == 0
    assert not path.with_name("queue_tool.db-restoring").exists()


def test_redis_belongs_to_the_restored_database(path: Path, tmp_path: Path, redis: Redis, valkey_server: str) -> None:
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    redis.set(MARKER, "another/1")
    assert run(tmp_path, "restore", "copy.db", REDIS_URL=valkey_server).returncode == 0
    ((now,),) = rows(path, "SELECT value FROM identity")
    marker: Any = redis.get(MARKER)
    assert marker.startswith(f"{now}/".encode())
    away = run(tmp_path, "restore", "copy.db", REDIS_URL="unix:///nowhere.sock")
    assert (away.returncode, f"delete its key {MARKER}" in away.stderr) == (0, True)


def test_a_file_put_in_place_by_hand_stops_each_command(path: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "backup", "copy.db").returncode == 0
    assert run(tmp_path, "restore", "copy.db").returncode == 0
    shutil.copyfile(tmp_path / "copy.db", path)
    before = files(path.parent)
    for words in (["up"], ["worker"], ["sweep"], ["web"], ["keys", "list"], ["db", "upgrade"], ["db", "backup", "x"]):
        assert "was put in place by hand" in the_one_sentence(run_command(*words, cwd=tmp_path))
    assert files(path.parent) == before
    path.rename(tmp_path / "mine.db")
    assert run(tmp_path, "restore", "mine.db").returncode == 0
    assert run_command("keys", "list", cwd=tmp_path).returncode == 0
