"""A PostgreSQL server for the tests: a cluster in a temporary directory, on a Unix socket, without a port."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from tests.support import eventually

ROOM = 4 << 30
"""Bytes that must be free in the memory file system before a server may use it."""

COPY_STRATEGY_SINCE = 150_000
"""The first version with `STRATEGY`: by default it writes the copy of a database to the WAL, which is slow here."""

LOCALE = ("--locale-provider=icu", "--icu-locale=en-US")
"""A locale that sorts as people do, not by bytes, and that needs no package of the system."""

MIGRATED = "migrated"
"""The database with empty tables on each server of the test session. Tests copy it."""

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A running PostgreSQL server."""

    folder: Path  # of the data and the socket
    programs: Path
    lasting: bool = False  # whether committed data survives a crash of the machine

    def url(self, database: str) -> str:
        """Return the URL of a database on this server."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def run(self, statement: str) -> None:
        """Run a statement outside of any transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def new_database(self, template: str = "template0", name: str = "") -> str:
        """Make a database from a template; return its name. By default, no other database of this process has it."""
        name = name or f"test_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            quick = "STRATEGY file_copy" if connection.info.server_version >= COPY_STRATEGY_SINCE else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {quick}".encode())
        return name

    def drop(self, name: str) -> None:
        """Remove a database, also while clients are connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def cut_connections(self) -> None:
        """End every other connection, as an administrator of the server can, and wait until they have ended."""
        self.run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")

    def hang(self) -> None:
        """Let it answer nobody, neither on old connections nor on new ones."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        """Send a signal to all processes of the server: the first one, which makes new ones, and its children."""
        first = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(first, number)
        for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split():
            with suppress(ProcessLookupError):  # a backend ends when its client has given up
                os.kill(int(pid), number)

    def start(self) -> None:
        """Start the server. After a kill, retry until the remaining processes have ended."""
        careless = "" if self.lasting else " -c fsync=off -c full_page_writes=off -c wal_level=minimal"
        size = " -c max_connections=200 -c max_wal_senders=0 -c max_wal_size=256MB"
        options = f"-c listen_addresses='' -k {self.folder}{size}{careless}"

        def tried() -> bool:
            try:
                self.control("-o", options, "-l", str(self.folder / "log"), "start")
            except subprocess.CalledProcessError:
                return False
            return True

        eventually(tried)

    def copy_data(self, place: Path) -> None:
        """Copy the data to a folder, from which `cluster` can start another server."""
        self.control("-m", "fast", "stop")
        subprocess.run(["cp", "-a", self.folder / "data", place], check=True)
        self.start()

    def control(self, *words: str) -> None:
        """Start or stop the server, and wait until that is done."""
        _run(self.programs / "pg_ctl", "-D", str(self.folder / "data"), "-w", *words)


def programs() -> Path | None:
    """Return the folder of the server's programs; None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(program) for program in [shutil.which("initdb")] if program
    ]
    return found[-1].parent if found else None


def folder() -> TemporaryDirectory[str]:
    """Return a folder for a server, in memory if there is room: the tests make and drop hundreds of databases."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder in it has an unpredictable name
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
    return TemporaryDirectory(prefix="pg", dir=memory if roomy else None)


@contextmanager
def cluster(folder: Path, where: Path, *, lasting: bool = False, data: Path | None = None) -> Iterator[Cluster]:
    """Run a server during a `with` block.

    Args:
        folder: an empty folder for the data and the socket.
        where: the folder of the server's programs.
        lasting: whether committed data survives a crash of the machine.
        data: data to start with, from `Cluster.copy_data`; None: the server is new.
    """
    server = Cluster(folder=folder, programs=where, lasting=lasting)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    keeper = _keeper(folder, where)
    if data is None:
        place = str(folder / "data")
        _run(where / "initdb", "-D", place, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", *LOCALE)
    else:
        subprocess.run(["cp", "-a", data, folder / "data"], check=True)
    server.start()
    try:
        yield server
    finally:
        server.control("-m", "immediate", "stop")
        keeper.kill()
        keeper.communicate()


_KEEP = """
read -r nothing
"$1/pg_ctl" -D "$2/data" -m immediate -w stop
rm -rf "$2"
"""


def _keeper(folder: Path, where: Path) -> subprocess.Popen[bytes]:
    """Start a process that stops the server and removes its folder when this process was killed.

    The kernel then closes the standard input that the keeper reads. The server itself has no parent that ends.
    """
    return subprocess.Popen(
        ["/bin/sh", "-c", _KEEP, "keeper", where, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        **account(),
    )


def account() -> dict[str, Any]:
    """Return the arguments that start a program as the user postgres if this is root: PostgreSQL refuses to be root."""
    if os.geteuid():
        return {}
    postgres = pwd.getpwnam("postgres")
    return {"user": postgres.pw_uid, "group": postgres.pw_gid}


def _run(program: Path, *words: str) -> None:
    """Run a program of the server."""
    done = subprocess.run(
        [program, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        check=False,
        **account(),
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, [program, *words], stderr=done.stderr)
