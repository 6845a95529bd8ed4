"""The operator's commands: the database and the API keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from queue_tool.cli.backup import backup, restore
from queue_tool.cli.copy import copy
from queue_tool.cli.helpful import HelpfulGroup
from queue_tool.model.access import KEY_ROLES

if TYPE_CHECKING:
    from queue_tool.services.keys import Keys


@click.group(cls=HelpfulGroup)
def db() -> None:
    """Manage the database."""


@db.command(example="queue-tool db upgrade")
def upgrade() -> None:
    """Create the database, or upgrade its tables. They get the version that this program needs."""
    from queue_tool import databases, environment

    click.echo(databases.upgrade_database(environment.load_settings()))


db.add_command(copy)
db.add_command(backup)
db.add_command(restore)


@click.group(cls=HelpfulGroup)
def keys() -> None:
    """Create, list and revoke API keys. Without a key, the service accepts requests from this machine only."""


@keys.command(example="queue-tool keys create --role submit --name reports")
@click.option(
    "--role",
    type=click.Choice(list(KEY_ROLES)),
    required=True,
    help="read: view everything. submit: also submit tasks. admin: everything.",
)
@click.option("--name", default="", help="A name that helps to recognize the key.")
@click.option("--keep", is_flag=True, help="Keep it in the data directory, for the commands on this machine.")
def create(role: str, name: str, keep: bool) -> None:
    """Create a key and print it once. Only its digest is stored.

    With --keep, commands and Python programs of this user that ask the system on this machine send the key by
    themselves, if QUEUE_TOOL_URL and QUEUE_TOOL_KEY are not set and they find the same data directory.
    """
    with _keys() as service:
        new = service.create(KEY_ROLES[role], name)
    click.echo(new.secret)
    click.echo(f"Its id is {new.key.id}. The key is shown only once.", err=True)
    if keep:
        click.echo(f"It is kept in {_keep(new.secret)}.", err=True)


def _keep(key: str) -> Path:
    from queue_tool import environment
    from queue_tool.host import data_dir, kept_key

    return kept_key.keep(data_dir.prepare(environment.load_settings().data_dir), key)


@keys.command("list", example="queue-tool keys list")
def list_keys() -> None:
    """Print the id, role, dates and name of each key. The key itself is never printed."""
    with _keys() as service:
        found = service.all()
    if not found:
        click.echo("There are no keys: the service accepts requests from this machine only.", err=True)
    for key in found:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "valid"
        click.echo(f"{key.id}  {key.role.name.lower():6}  {key.created_at:%Y-%m-%d %H:%M}  {state}  {key.name}")


@keys.command(example="queue-tool keys revoke 01a2171f18857a0bb04b6fac08924c5e")
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key by its id."""
    with _keys() as service:
        service.revoke(key_id)
    click.echo(f"The key {key_id} is revoked.")


@contextmanager
def _keys() -> Iterator[Keys]:
    """Open the store and return the service for API keys."""
    from queue_tool import databases, environment
    from queue_tool.host.clock import CLOCK
    from queue_tool.services.keys import Keys

    settings = environment.load_settings()
    with closing(databases.open_store(settings, migrate=settings.embedded)) as store:
        yield Keys(store=store, clock=CLOCK)
