"""`queue-tool db backup` and `queue-tool db restore`: a checked copy of the database, and back again."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from queue_tool.cli.helpful import HelpfulCommand
from queue_tool.errors import BrokerAway

if TYPE_CHECKING:
    from queue_tool.model.settings import Settings
    from queue_tool.store.backup import Content, Restored
    from queue_tool.store.engine.database import Database

_FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path))


@click.command(cls=HelpfulCommand, example="queue-tool db backup monday.backup")
@_FILE
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def backup(file: Path, force: bool) -> None:
    """Write a checked copy of the database to FILE. The system may run meanwhile.

    FILE is complete, or it is not there. Only this user can read it.
    """
    from queue_tool import databases, environment

    settings = environment.load_settings()
    with closing(databases.open_database(settings)) as database:
        made = _back_up(database, file, force=force)
    click.echo(f"{file} is a backup of the database: {_described(made)}.")
    waiting = len(list(_outcomes(settings).glob("*.json")))
    if waiting:
        click.echo(
            f"{_outcomes(settings)} holds {waiting} files with results that are not in the database yet, so they are "
            "not in the backup: their tasks run again after a restore.",
            err=True,
        )


@click.command(cls=HelpfulCommand, example="queue-tool db restore monday.backup")
@_FILE
@click.option("--keep-identity", is_flag=True, help="Keep the identity of the backup, instead of a new one.")
def restore(file: Path, keep_identity: bool) -> None:
    """Put the backup FILE in the place of the database.

    The system must be stopped. The old files are moved to a folder beside the database; PostgreSQL's tables are dumped
    to the data directory. Redis belongs to the restored database from then on.
    """
    from queue_tool import environment
    from queue_tool.host import data_dir
    from queue_tool.host.clock import CLOCK
    from queue_tool.store import backup as backups
    from queue_tool.store.engine.database import Database
    from queue_tool.store.finishing import finish_restore

    settings = environment.load_settings()
    data_dir.prepare(settings.data_dir)
    with data_dir.Ownership(settings.data_dir.absolute()), closing(Database(settings.database)) as database:
        finish_restore(database, _outcomes(settings))
        if database.is_file:
            done = backups.restore(database, file, _outcomes(settings), CLOCK.now(), keep_identity=keep_identity)
        else:
            done = _restore_on_server(settings, database, file, keep_identity=keep_identity)
    click.echo(f"The database is restored from {file}: {_described(done.content)}.")
    click.echo(f"{done.running} tasks were running at the time of the backup and are queued again.")
    if done.aside is not None:
        click.echo(f"What was there before is in {done.aside}.")
    _take_redis_over(settings, done.content.identity)


def _restore_on_server(settings: Settings, database: Database, file: Path, *, keep_identity: bool) -> Restored:
    """Restore on a server, after a dump of the old tables to the data directory. The old outcomes are moved there."""
    from queue_tool import environment
    from queue_tool.host.clock import CLOCK
    from queue_tool.store import dump

    now, variables = CLOCK.now(), environment.for_child({})
    name = settings.data_dir.absolute() / f"before-restore-{now:%Y%m%dT%H%M%S.%f}Z"
    old = name.with_name(f"{name.name}.dump")
    done = dump.restore(database, file, variables, old, now, keep_identity=keep_identity)
    if _outcomes(settings).exists():
        name.mkdir(mode=0o700)
        _outcomes(settings).rename(name / _outcomes(settings).name)
    return done


def _back_up(database: Database, file: Path, *, force: bool) -> Content:
    from queue_tool import environment
    from queue_tool.store import backup as backups
    from queue_tool.store import dump

    if not database.is_file:
        return dump.back_up(database, file, environment.for_child({}), force=force)
    with click.progressbar(length=1, label="copied", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def show(copied: int, total: int) -> None:
            bar.length = total
            bar.update(copied - bar.pos)

        return backups.back_up(database, file, show, force=force)


def _described(content: Content) -> str:
    return (
        f"{content.tasks:,} tasks, {content.batches:,} batches, revision {content.revision}, "
        f"{max(1, content.size // 1024):,} KiB"
    )


def _outcomes(settings: Settings) -> Path:
    from queue_tool.host import put_aside

    return settings.data_dir.absolute() / put_aside.FOLDER


def _take_redis_over(settings: Settings, identity: str) -> None:
    """Let the settings' Redis carry the tickets of the restored database. `up` does so with its own Valkey."""
    from queue_tool.broker import RqBroker, keys
    from queue_tool.model.settings import INLINE

    if settings.redis_url is None or settings.redis_url == INLINE:
        return
    try:
        with closing(RqBroker(settings.redis_url, identity)) as broker:
            broker.take_over()
    except BrokerAway as error:
        click.echo(
            f"{error.sentence} So it still belongs to the old database: delete its key {keys.MARKER} before the start.",
            err=True,
        )
