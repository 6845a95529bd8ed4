"""The check of the database: whether it is there, belongs to this program, and can be written to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from queue_tool.model.settings import without_secrets
from queue_tool.services.doctor.finding import Finding, ok, warning
from queue_tool.store import migrations
from queue_tool.store.engine.database import Database
from queue_tool.store.engine.report import report


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseCheck:
    """Looks at the database itself."""

    database: Database
    name: str = "database"

    def __call__(self) -> Iterator[Finding]:
        """Return what the database is.

        Raises:
            DatabaseReplaced: another file was put in its place.
            StoreAway: it cannot be reached.
        """
        self.database.require_same_file()
        if not self.database.exists():
            missing = f"{without_secrets(self.database.url)} does not exist yet"
            yield warning(self, missing, "start the system, or run `queue-tool db upgrade`")
            return
        found = report(self.database)
        for weakness, remedy in found.weaknesses.items():
            yield warning(self, f"The database {weakness}", remedy)
        if not found.weaknesses:
            yield ok(self, f"{found.server}: {without_secrets(self.database.url)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaCheck:
    """Compares the tables of the database with those that this program needs."""

    database: Database
    name: str = "migrations"

    def __call__(self) -> Iterator[Finding]:
        """Return the revision.

        Raises:
            SchemaOutdated: the database has another one.
        """
        migrations.require_current(self.database)
        yield ok(self, f"The database is at revision {migrations.head()}, which this version needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingCheck:
    """Tries a write, as `/health/ready` does."""

    attempt: Callable[[], None]  # raises StoreAway if the database refuses
    name: str = "writing"

    def __call__(self) -> Iterator[Finding]:
        """Return that the database takes a write.

        Raises:
            StoreAway: it does not.
        """
        self.attempt()
        yield ok(self, "The database can be written to")
