"""PostgreSQL's own programs for backups: `pg_dump`, `pg_restore` and `psql`, with the connection of the settings."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import URL, Connection, Executable, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.sql import ClauseElement

from queue_tool.errors import CannotBackUp, CannotRestore, DatabaseInUse, QueueToolError

_MISSING = (
    "The program {name} is not here: install PostgreSQL's client programs, or run this where they are: `{command}`."
)


class ServerTools:
    """The programs, for one database."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        """Prepare. No command line has the password, because every user of the machine can read it.

        Args:
            url: the database's URL.
            environment: the environment of the programs.
        """
        whole = make_url(url)
        password = whole.password or whole.query.get("password")
        public = URL.create(
            "postgresql",
            username=whole.username,
            host=whole.host,
            port=whole.port,
            database=whole.database,
            query={name: value for name, value in whole.query.items() if name != "password"},
        )
        self._url = public.render_as_string(hide_password=False)
        self._environment = dict(environment) | ({"PGPASSWORD": str(password)} if password else {})

    def dump(self, file: Path, schema: str, tables: Iterable[str]) -> None:
        """Write tables to a file in the custom format, from one snapshot.

        Raises:
            CannotBackUp: the program is missing or fails.
        """
        wanted = [f'--table="{schema}"."{table}"' for table in tables]
        words = ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}", *wanted]
        self._run("pg_dump", [*words, f"--dbname={self._url}"], CannotBackUp)

    def contents(self, file: Path) -> str:
        """Return the list of what a backup holds.

        Raises:
            CannotRestore: the program is missing, or the file is damaged.
        """
        return self._run("pg_restore", ["--list", str(file)], CannotRestore)

    def rows(self, file: Path, table: str) -> list[str]:
        """Return the rows that a backup holds of a table, as text.

        Raises:
            CannotRestore: the program is missing, or the file is damaged.
        """
        written = self._run("pg_restore", ["--data-only", f"--table={table}", "--file=-", str(file)], CannotRestore)
        _, _, rows = written.partition("FROM stdin;\n")
        return rows.partition("\n\\.")[0].splitlines()

    def script(self, file: Path, to: Path) -> None:
        """Write the statements that make the tables of a backup to another file.

        Raises:
            CannotRestore: the program is missing, or the file is damaged.
        """
        words = ["--no-owner", "--no-privileges", f"--file={to}", str(file)]
        self._run("pg_restore", words, CannotRestore)

    def run(self, scripts: Iterable[Path]) -> str:
        """Run scripts in one transaction. Return what their queries have returned.

        Raises:
            CannotRestore: the program is missing, or a statement fails. Nothing was changed.
        """
        words = [
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
        ]
        files = [f"--file={script}" for script in scripts]
        return self._run("psql", [*words, *files, f"--dbname={self._url}"], CannotRestore)

    def _run(self, name: str, words: list[str], error: type[QueueToolError]) -> str:
        program = shutil.which(name, path=self._environment.get("PATH"))
        if program is None:
            raise error(_MISSING.format(name=name, command=" ".join([name, *words])))
        done = subprocess.run(
            [program, "--no-password", *words] if name != "pg_restore" else [program, *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [
                f"code {done.returncode}"
            ]
            raise error(f"{name} has failed: {lines[0].strip().rstrip('.')}.")
        return done.stdout


def schema_of(connection: Connection) -> str:
    """Return the schema in which this connection makes its tables."""
    return str(connection.execute(text("SELECT current_schema()")).scalar_one())


def require_unused(connection: Connection) -> None:
    """Check that this user has no other connection to the database.

    Raises:
        DatabaseInUse: there is one.
    """
    found = connection.execute(text(_OTHERS)).first()
    if found is not None:
        raise DatabaseInUse(f"A client still uses the database (pid {found.pid} on the server): stop it first.")


_OTHERS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid() LIMIT 1"
)


def as_text(statement: Executable) -> str:
    """Return a statement with its values, for `psql`."""
    assert isinstance(statement, ClauseElement)  # it was built from tables
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy declares no type
    return f"{statement.compile(dialect=dialect, compile_kwargs={'literal_binds': True})};\n"


def removal(schema: str, tables: Iterable[str]) -> str:
    """Return the statements that remove tables."""
    return "".join(f'DROP TABLE IF EXISTS "{schema}"."{table}";\n' for table in tables)


def search_in(schema: str) -> str:
    """Return the statement after which names without a schema are of this one."""
    return f'SET search_path TO "{schema}";\n'


_MOVED_ON = """
SELECT setval(name, nextval(name) + {by})
FROM (SELECT pg_get_serial_sequence('{table}', '{column}')::regclass AS name) AS sequence;
"""


def ids_moved_on(table: str, column: str, by: int) -> str:
    """Return the statement that lets a table's ids skip this many."""
    return _MOVED_ON.format(table=table, column=column, by=by)
