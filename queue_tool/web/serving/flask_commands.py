"""The commands that `flask --app queue_tool` has besides Flask's own: `create-db`.

Flask loads the application before it looks for a command of the application. But `create-db` must also work on a
database that the application refuses, because its tables are missing or old. So when Flask only looks for commands of
this package, it gets an application that has them and nothing else: no route, no database, no other process.
"""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo

from queue_tool.databases import upgrade_database
from queue_tool.environment import load_settings
from queue_tool.web.serving import flask_run


@click.command("create-db")
def create_db() -> None:
    """Create the database, or upgrade its tables."""
    with flask_run.short_errors():
        click.echo(upgrade_database(load_settings()))


def register(app: Flask) -> None:
    """Add the commands to the application."""
    app.cli.add_command(create_db)


def are_all_that_is_needed() -> bool:
    """Return whether Flask loads the application only to find or list its commands.

    Flask finds its own commands, such as `run`, first. They load the application themselves, in their own context. A
    program of the user that calls `create_app()` may add commands that need the whole application, so only our own
    package in `--app` counts.
    """
    context = click.get_current_context(silent=True)
    if context is None or not isinstance(context.command, FlaskGroup):
        return False
    path = context.ensure_object(ScriptInfo).app_import_path or ""
    return path.partition(":")[0] == "queue_tool"
