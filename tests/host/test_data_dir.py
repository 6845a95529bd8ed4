"""The data directory: whose it must be, and what is not opened in it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from queue_tool.errors import DataDirUnusable, QueueToolError
from queue_tool.host import data_dir, files, guardian, put_aside, valkey
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.store.engine.database import Database
from tests.support import run_command

OUTCOME = Outcome(token="a" * 32, run=1, move=Move.FINISH, result="1", seconds=0.5)


def own(path: Path) -> None:
    data_dir.Ownership(path).release()


def keep(path: Path) -> None:
    put_aside.keep(path, 7, [OUTCOME])


def write(path: Path) -> None:
    database = Database(f"sqlite:///{path / 'q.db'}", timeout=0.1)
    database.prepare()
    with database.write():
        pass


def guard(path: Path) -> None:
    files.write(path / guardian.PID_FILE, b"1 1 1")


@pytest.mark.parametrize(
    ("name", "use"),
    [
        (data_dir.LOCK, own),
        ("outcomes/7-PID.new", keep),
        ("q.db.write-lock", write),
        (guardian.PID_FILE, guard),
        (guardian.LOCK, lambda path: guardian.await_lock(path, threading.Event())),
    ],
)
def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path, name: str, use: Callable[[Path], object]) -> None:
    victim, path = tmp_path / "victim", tmp_path / "data" / name.replace("PID", str(os.getpid()))
    path.parent.mkdir(mode=0o700, parents=True)
    for content in ("precious", None):  # there, or not there yet
        if content:
            victim.write_text(content)
        else:
            victim.unlink()
        path.unlink(missing_ok=True)
        path.symlink_to(victim)
        with pytest.raises((OSError, QueueToolError)):
            use(tmp_path / "data")
        assert (victim.read_text() if victim.exists() else None) == content


def test_a_link_is_not_read_either(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("4711 4712 x")
    for name in (data_dir.LOCK, guardian.PID_FILE):
        (tmp_path / name).symlink_to(tmp_path / "other")
    assert data_dir.owner(tmp_path) is None
    assert guardian.guardian_pid(tmp_path) is None
    keep(tmp_path)
    (file,) = (tmp_path / put_aside.FOLDER).iterdir()
    file.rename(tmp_path / "moved.json")
    file.symlink_to(tmp_path / "moved.json")
    settled: list[Outcome] = []
    put_aside.settle_all(tmp_path, lambda outcomes, _: settled.extend(outcomes), Telemetry())
    assert settled == []
    assert [path.suffix for path in (tmp_path / put_aside.FOLDER).iterdir()] == [".unreadable"]


def test_a_directory_that_every_user_can_write_is_refused_by_every_command(tmp_path: Path) -> None:
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    for words in (("up", "--port", "1"), ("keys", "list"), ("db", "upgrade")):
        done = run_command(*words, cwd=tmp_path, DATA_DIR=str(place))
        assert (done.returncode, list(place.iterdir())) == (1, [])
        assert f"Every user of this machine can write to the data directory {place}: run `chmod o-w" in done.stderr
    place.chmod(0o1777)  # nobody can replace the files of others there
    assert data_dir.prepare(place) == place


@pytest.mark.parametrize("mode", [0o770, 0o2775, 0o720])
def test_rights_of_a_group_are_taken_away_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    place = tmp_path / "data"
    for folder in (place, place / "valkey", place / put_aside.FOLDER):
        folder.mkdir()
        folder.chmod(mode)
    for _ in range(2):
        data_dir.prepare(place)
        data_dir.make_private(valkey.socket_path(place).parent)
        keep(place)
    assert place.stat().st_mode & 0o022 == 0
    assert [(place / name).stat().st_mode & 0o077 for name in ("valkey", put_aside.FOLDER)] == [0, 0]
    assert len([record for record in caplog.records if "are taken away now" in record.message]) == 3  # once for each


def test_a_parent_in_which_the_directory_can_be_replaced_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "parent")
    data_dir.prepare(tmp_path / "link" / "data")
    assert f"run `chmod o-w {tmp_path / 'parent'}`" in caplog.text


BY_ANOTHER = """
import os, sys
from pathlib import Path
from queue_tool.host import data_dir
os.setgid(65534)
os.setuid(65534)
for name in sys.argv[1:]:
    try:
        print(data_dir.prepare(Path(name)).name)
    except data_dir.DataDirUnusable as error:
        print(error.sentence)
"""


def test_a_directory_of_another_user_is_refused_and_one_of_root_is_not(tmp_path: Path) -> None:
    if os.getuid():  # only root can make directories of others: what others see of root's is all there is to test
        with pytest.raises(DataDirUnusable):
            data_dir.prepare(Path("/root/data"))
        return
    here = Path("/dev/shm") / f"data-{os.getpid()}"  # noqa: S108 - another user must be able to enter it
    theirs, ours, roots = here / "theirs", here / "ours", here / "roots"
    try:
        for place, user, mode in ((here, 0, 0o755), (theirs, 1, 0o770), (ours, 65534, 0o700), (roots, 0, 0o770)):
            place.mkdir()
            os.chown(place, user, 65534)
            place.chmod(mode)
        done = subprocess.run(
            [sys.executable, "-c", BY_ANOTHER, theirs, ours, roots], capture_output=True, text=True, check=True
        )
        refused = f"The data directory {theirs} belongs to another user: set QUEUE_TOOL_DATA_DIR to one of this user's."
        assert done.stdout.splitlines() == [refused, "ours", "roots"]
        assert done.stderr.count("belongs to another user, who can replace its files") == 1
    finally:
        for place in (theirs, ours, roots, here):
            place.rmdir()


@pytest.mark.parametrize("what", ["a link", "a file"])
def test_a_place_for_the_socket_that_is_no_directory_is_refused(tmp_path: Path, what: str) -> None:
    place = tmp_path / "place"
    if what == "a link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.touch(mode=0o600)
    with pytest.raises(DataDirUnusable, match="must be a directory of this user"):
        data_dir.make_private(place)
