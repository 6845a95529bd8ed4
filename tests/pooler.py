"""A real pgbouncer in front of the PostgreSQL of the tests, on a Unix socket."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.postgres import Cluster, account
from tests.support import LIMIT, eventually

MODES = ("transaction", "session")

CONFIGURATION = """
[databases]
{databases}
[pgbouncer]
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
default_pool_size = 4
max_client_conn = 500
logfile = {folder}/log
"""
"""Few sessions of the server for many clients, so that clients get sessions that others have used."""


def program() -> str | None:
    """Return the path of pgbouncer; None if it is not installed."""
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@contextmanager
def pooler(cluster: Cluster, database: str, where: str) -> Iterator[dict[str, str]]:
    """Run pgbouncer in front of a database during a `with` block; yield the database's URL in each mode.

    Args:
        cluster: the server of the database.
        database: its name.
        where: the path of the program.
    """
    folder = cluster.folder / f"pooler_{database}"
    folder.mkdir(mode=0o755)
    rows = [f"{mode} = host={cluster.folder} user=postgres dbname={database} pool_mode={mode}" for mode in MODES]
    (folder / "ini").write_text(CONFIGURATION.format(databases="\n".join(rows), folder=folder))
    who = account()
    if who:
        shutil.chown(folder, who["user"], who["group"])
    running = subprocess.Popen([where, "-q", str(folder / "ini")], cwd="/", **who)
    try:
        eventually((folder / ".s.PGSQL.6432").is_socket)
        yield {mode: f"postgresql://postgres@/{mode}?host={folder}&port=6432" for mode in MODES}
    finally:
        running.terminate()
        running.wait(LIMIT)
