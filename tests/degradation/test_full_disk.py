"""A full disk under a whole system: its database, its Valkey and all its files are on one small file system."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import PROGRAM, RECOVERY, System, eventually, http, items, tokens

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")

MEBIBYTES = 6

MOUNT = 'mkdir "$0" && mount -t tmpfs -o size=$1m none "$0" && cd "$0" && echo ready && exec sleep 600'

OURSELVES = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]

OUTSIDE = [] if os.getuid() == 0 else ["--user", "--map-root-user"]


@dataclass
class Disk:
    """A small file system in a mount namespace; only processes that enter the holder's namespace see it."""

    holder: subprocess.Popen[bytes]

    @property
    def program(self) -> list[str | Path]:
        """Return the command that runs `queue-tool` there."""
        return ["nsenter", "--target", str(self.holder.pid), "--mount", "--wd", *OURSELVES, *PROGRAM]

    @property
    def filler(self) -> Path:
        """Return the file that uses up the free space."""
        return self.inside / "filler"

    @property
    def inside(self) -> Path:
        """Return the file system's directory, as a path that works outside the namespace."""
        return Path(f"/proc/{self.holder.pid}/cwd")

    def fill(self) -> None:
        """Use up all free space."""
        with self.filler.open("ab", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096):
                pass
        assert os.statvfs(self.inside).f_bavail == 0

    def make_room(self) -> None:
        """Free the space again."""
        self.filler.unlink()

    def rows(self, to: Path, query: str) -> list[tuple[object, ...]]:
        """Copy the database to the directory `to` and query the copy.

        SQLite would resolve the path to one outside the namespace, so it cannot open the original.
        """
        for path in (self.inside / "instance").glob("queue_tool.db*"):
            shutil.copyfile(path, to / path.name)
        with closing(sqlite3.connect(to / "queue_tool.db")) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small file system at `disk`; it disappears when its holder ends."""
    holder = subprocess.Popen(
        ["unshare", "--mount", *OUTSIDE, "sh", "-c", MOUNT, str(tmp_path / "disk"), str(MEBIBYTES)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert holder.stdout is not None
    try:
        line = holder.stdout.readline()
        if line != b"ready\n":
            pytest.skip(f"this user can mount nothing here: {line.decode()}")
        yield Disk(holder)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()


@pytest.fixture
def system(disk: Disk, tmp_path: Path) -> Iterator[System]:
    """A whole system on that disk; only its log is on another disk."""
    made = System(tmp_path, program=disk.program, settings={"DRAIN": "0.5"})
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


def run_into_a_full_disk(system: System, disk: Disk) -> list[str]:
    """Fill the disk while tasks run, and wait until the worker holds their outcomes; return their tokens."""
    running = tokens(system.post(items(5, 0.5)))
    for token in running:
        system.await_status(token, "running")
    before = system.log.count("outcome delayed")
    disk.fill()
    eventually(lambda: system.log.count("outcome delayed") > before)
    return running


def test_with_a_full_disk_requests_are_refused_and_outcomes_are_held(system: System, disk: Disk) -> None:
    running = run_into_a_full_disk(system, disk)
    for _ in range(3):
        refused = system.post(items(100))
        assert (refused.status, refused.json["code"]) == (503, "store_away")
        assert "retry-after" in {name.lower() for name in refused.headers}
    assert {system.check(token)["status"] for token in running} == {"running"}
    assert http("GET", system.url("/health/live")).status == 200
    eventually(lambda: "the database is away: database or disk is full" in system.log)
    eventually(lambda: "No space left on device" in system.log)  # from Valkey, whose append-only file is there too
    disk.make_room()
    for token in [*running, *tokens(system.post(items(3)))]:
        assert system.await_status(token, "finished", RECOVERY)["attempt"] == 1
    assert disk.rows(system.directory, "SELECT accepted, open FROM batches") == [(5, 0), (3, 0)]
    assert disk.rows(system.directory, "SELECT DISTINCT state, run, losses FROM tasks") == [("finished", 1, 0)]


def test_tasks_whose_outcomes_can_be_stored_nowhere_run_again(system: System, disk: Disk) -> None:
    running = run_into_a_full_disk(system, disk)
    worker = system.child("worker-1")
    os.kill(worker, signal.SIGTERM)
    eventually(
        lambda: "5 outcomes could not be saved, and their tasks run again: No space left on device" in system.log
    )
    disk.make_room()
    for token in running:
        system.await_status(token, "finished")
