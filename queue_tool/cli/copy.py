"""`queue-tool db copy`: copies SQLite to PostgreSQL while the service is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from queue_tool.cli.helpful import HelpfulCommand
from queue_tool.errors import CannotCopy, DataDirUnusable

if TYPE_CHECKING:
    from queue_tool.model.settings import Settings
    from queue_tool.store.copy.copying import Copied
    from queue_tool.store.engine.database import Database


@click.command(
    cls=HelpfulCommand,
    example='queue-tool db copy "$TARGET"',
)
@click.argument("target", metavar="TARGET")
@click.option("--source", metavar="URL", help="The SQLite database to copy. Default: the database of the settings.")
def copy(target: str, source: str | None) -> None:
    """Copy a SQLite database to an empty PostgreSQL one.

    The service must be stopped. TARGET is a URL, postgresql://user@host/database. Put the password in ~/.pgpass or
    PGPASSWORD, because other users of this machine can read the command line.
    """
    from queue_tool import environment
    from queue_tool.model.settings import without_secrets
    from queue_tool.services import owner
    from queue_tool.store.copy import copying
    from queue_tool.store.engine.database import Database

    settings = environment.load_settings()
    target_database = Database(_url("TARGET", target))
    source_database = _source(settings, source)
    copying.require_kinds(source_database, target_database)
    with _exclusive({settings.data_dir.resolve(), source_database.path.resolve().parent}):
        copied = copying.copy(source_database, target_database, owner.lives_here)
    target_database.close()
    source_database.close()
    _show(copied)
    click.echo(
        f"\n{source_database.path} was copied to {without_secrets(target_database.url)}.\n"
        "Set QUEUE_TOOL_DATABASE_URL to the target, then start the service. Do not start it on the source again."
    )


def _source(settings: Settings, source: str | None) -> Database:
    """Return the source database: from the option, else from the settings, else the file in the data directory."""
    from queue_tool.store.engine.database import Database

    if source is not None:
        return Database(_url("--source", source))
    of_settings = Database(settings.database)
    return of_settings if of_settings.is_file else Database(replace(settings, database_url=None).database)


def _exclusive(folders: Iterable[Path]) -> ExitStack:
    """Prevent other processes from running a system in these directories. Skip those that are not data directories.

    Raises:
        DataDirInUse: a process runs a system in one of them.
        DataDirUnusable: a directory cannot be checked.
    """
    from queue_tool.host.data_dir import LOCK, Ownership

    with ExitStack() as owned:
        for folder in folders:
            try:
                if (folder / LOCK).exists():
                    owned.enter_context(Ownership(folder))
            except OSError as error:
                raise DataDirUnusable(f"The data directory {folder} cannot be used: {error.strerror}.") from None
        return owned.pop_all()


def _url(name: str, text: str) -> str:
    from queue_tool.model.settings import database_url

    try:
        return database_url(text)
    except ValueError as wanted:
        raise CannotCopy(f"{name} must be {wanted}.") from None


def _show(copied: Sequence[Copied]) -> None:
    click.echo(f"{'table':20}{'rows':>12}  ok")
    for table in copied:
        click.echo(f"{table.table:20}{table.rows:>12,}  yes")
    for table in copied:
        if table.changed:
            rows = f"{table.changed:,} row{'s' * (table.changed > 1)}"
            sentence = f"In the table {table.table}, {rows} contained U+0000, which PostgreSQL cannot store"
            click.echo(f"{sentence}. The copy has \\x00 instead.", err=True)
