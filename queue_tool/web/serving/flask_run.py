"""`flask --app queue_tool run`: serves, and in embedded mode starts everything else, so that it is a whole system.

Flask loads the application for each of its commands, and twice where it reloads on change. Only for `run`, and
only in the process that is not the reloader's child, one supervisor without a web server is started; it ends
with the process that started it, however that ends. The reloader's child rings at the supervisor's door each
time that it is loaded, so that the workers get the new code too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import run_command
from werkzeug.serving import is_running_from_reloader

from queue_tool import environment
from queue_tool.errors import QueueToolError
from queue_tool.host import doorbell, lifeline
from queue_tool.host.doorbell import Doorbell
from queue_tool.host.lifeline import Lifeline
from queue_tool.model import events
from queue_tool.model.settings import Settings
from queue_tool.model.telemetry import Telemetry
from queue_tool.web.serving.companion import Companion


@contextmanager
def one_sentence() -> Iterator[None]:
    """Let a command of Flask's end with the sentence alone where the application cannot be made.

    Raises:
        click.ClickException: with the sentence, if one of Flask's commands is loading the application.
    """
    try:
        yield
    except QueueToolError as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(error.sentence) from error


def start_the_rest(settings: Settings, telemetry: Telemetry) -> None:
    """Start what this process does not do itself, if it is `flask run` that loads the application.

    Raises:
        RestNotStarted: it ended at once, and has said why.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.command is not run_command:
        return
    if is_running_from_reloader():
        _follow_the_reloader()
        return
    mine, bell = Lifeline(), Doorbell()
    mine.pass_on()  # to the reloader's child, which Flask starts
    bell.let_children_ring()
    environment.override({lifeline.VARIABLE: str(mine.reading), doorbell.VARIABLE: str(bell.writing)})
    if settings.embedded:
        Companion(settings, telemetry, mine, bell).start()
    else:
        telemetry.emit(events.Warned(reason="QUEUE_TOOL_REDIS_URL is set, so this only serves: start workers too"))


def _follow_the_reloader() -> None:
    """End with the process that restarts this one on every change, and tell of the new code."""
    owner = environment.inherited_descriptor(lifeline.VARIABLE)
    if owner is not None:
        lifeline.watch(owner, lambda: os._exit(1))
    bell = environment.inherited_descriptor(doorbell.VARIABLE)
    if bell is not None:
        doorbell.ring(bell)
