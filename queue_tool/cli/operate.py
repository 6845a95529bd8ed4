"""The operator's commands: the database and the API keys."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import click

from queue_tool.cli.copy import copy
from queue_tool.model.access import KEY_ROLES, ApiKey, digest

if TYPE_CHECKING:
    from queue_tool.store import Store

KEY_PREFIX = "qt_"
"""By which a key that turns up in the wrong place is recognised."""


@click.group()
def db() -> None:
    """Look after the database."""


@db.command()
def upgrade() -> None:
    """Bring the database to the version that this program needs."""
    from queue_tool import runtime
    from queue_tool.store import migrations

    store = runtime.open_store(runtime.load_settings(), migrate=True)
    click.echo(f"The database is at revision {migrations.current(store.database)}.")
    store.close()


db.add_command(copy)


@click.group()
def keys() -> None:
    """Make, list and revoke API keys. Without any, only this machine is served."""


@keys.command()
@click.option(
    "--role",
    type=click.Choice(list(KEY_ROLES)),
    required=True,
    help="read: look at everything; submit: also send work; admin: everything.",
)
@click.option("--name", default="", help="A word that tells it from the others.")
def create(role: str, name: str) -> None:
    """Print a new key, once; only its digest is kept."""
    from queue_tool import runtime
    from queue_tool.services.submit import make_tokens

    now = runtime.now()
    secret = KEY_PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(id=make_tokens(1, now)[0], name=name, role=KEY_ROLES[role], created_at=now)
    _store().keys.add(key, digest(secret))
    click.echo(secret)
    click.echo(f"Its id is {key.id}. This is the only time that the key is shown.", err=True)


@keys.command("list")
def list_keys() -> None:
    """Print every key's id, role, name and dates; never the key itself."""
    found = _store().keys.all()
    if not found:
        click.echo("There are no keys: only this machine is served.", err=True)
    for key in found:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "valid"
        click.echo(f"{key.id}  {key.role.name.lower():6}  {key.created_at:%Y-%m-%d %H:%M}  {state}  {key.name}")


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Make a key invalid, by its id."""
    from queue_tool import runtime

    _store().keys.revoke(key_id, runtime.now())
    click.echo(f"{key_id} is revoked.")


def _store() -> Store:
    from queue_tool import runtime

    settings = runtime.load_settings()
    return runtime.open_store(settings, migrate=settings.embedded)
