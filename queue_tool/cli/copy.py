"""`queue-tool db copy`: from SQLite to PostgreSQL, while the service is stopped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from queue_tool.errors import CannotCopy, DataDirUnusable

if TYPE_CHECKING:
    from queue_tool.model.settings import Settings
    from queue_tool.store.copy.copying import Copied
    from queue_tool.store.engine.database import Database


@click.command()
@click.argument("target", metavar="TARGET")
@click.option("--source", metavar="URL", help="The SQLite database, if not the one of the settings.")
def copy(target: str, source: str | None) -> None:
    """Copy a SQLite database to an empty PostgreSQL one, while the service is stopped.

    TARGET is a URL, postgresql://user@host/database. Leave the password to ~/.pgpass or PGPASSWORD, since others of
    this machine can read a command line.
    """
    from queue_tool import environment
    from queue_tool.model.settings import without_secrets
    from queue_tool.services import owner
    from queue_tool.store.copy import copying
    from queue_tool.store.engine.database import Database

    settings = environment.load_settings()
    goes_to = Database(_url("TARGET", target))
    comes_from = _source(settings, source)
    copying.require_kinds(comes_from, goes_to)
    with _nobody_in({settings.data_dir.resolve(), comes_from.path.resolve().parent}):
        copied = copying.copy(comes_from, goes_to, owner.lives_here)
    goes_to.close()
    comes_from.close()
    _show(copied)
    click.echo(
        f"\n{comes_from.path} is copied to {without_secrets(goes_to.url)}.\n"
        "Set QUEUE_TOOL_DATABASE_URL to the target, and start the service on it, never on the source again."
    )


def _source(settings: Settings, source: str | None) -> Database:
    """Return the source: the one of the option, or of the settings, or in the data directory if they name a server."""
    from queue_tool.store.engine.database import Database

    if source is not None:
        return Database(_url("--source", source))
    of_settings = Database(settings.database)
    return of_settings if of_settings.is_file else Database(replace(settings, database_url=None).database)


def _nobody_in(folders: Iterable[Path]) -> ExitStack:
    """Keep others from running a system in these directories, of which some may be no data directories.

    Raises:
        DataDirInUse: somebody does.
        DataDirUnusable: that cannot be found out.
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
            sentence = f"In the table {table.table}, {rows} held U+0000, which PostgreSQL cannot keep"
            click.echo(f"{sentence}: it is written \\x00 there.", err=True)
