"""`flask --app queue_tool run`: serves HTTP and, in embedded mode, also starts the rest of the system.

Flask loads the application for each of its commands, and twice if it reloads on change. Only for `run`, and only in
the process that is not the reloader's child, this module starts one supervisor without a web server. The supervisor
ends when the process that started it ends, even after kill -9. The reloader's child notifies the supervisor each time
it is loaded, so that the workers load the new code too. The first Ctrl-C lets everything drain, a second one ends it at
once.
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
from queue_tool.runtime import Runtime
from queue_tool.services.keys import Keys
from queue_tool.web.serving.companion import Companion
from queue_tool.web.serving.interrupts import Interrupts


@contextmanager
def short_errors() -> Iterator[None]:
    """Show only the error's sentence, without a traceback, if a Flask command fails.

    Raises:
        click.ClickException: the sentence, if a Flask command is running.
        QueueToolError: the error itself, if no Flask command is running.
    """
    try:
        yield
    except QueueToolError as error:
        if click.get_current_context(silent=True) is None:
            raise
        raise click.ClickException(error.for_operator) from error


def start_the_rest(system: Runtime) -> None:
    """Start the rest of the system if `flask run` loads the application, and warn while there is no API key.

    Raises:
        RestNotStarted: the rest did not start; its own log says why.
        StoreAway: the database is busy or away.
    """
    settings, telemetry = system.settings, system.telemetry
    context = click.get_current_context(silent=True)
    if context is None or context.command is not run_command:
        return
    interrupts = Interrupts()
    interrupts.count()
    if is_running_from_reloader():
        _follow_the_reloader()
        return
    served = Keys(store=system.store, clock=system.clock).served_without(settings.auth)
    if served:
        telemetry.emit(events.Warned(reason=served))
    own_lifeline, bell = Lifeline(), Doorbell()
    own_lifeline.pass_on()  # to the reloader's child, which Flask starts
    bell.let_children_ring()
    environment.override({lifeline.VARIABLE: str(own_lifeline.reading), doorbell.VARIABLE: str(bell.writing)})
    if settings.embedded:
        Companion(settings, telemetry, own_lifeline, bell, interrupts).start()
    else:
        telemetry.emit(
            events.Warned(reason="QUEUE_TOOL_REDIS_URL is set, so this process only serves HTTP: start workers too")
        )


def _follow_the_reloader() -> None:
    """End this process when the reloader ends, and notify the supervisor of the new code."""
    owner = environment.inherited_descriptor(lifeline.VARIABLE)
    if owner is not None:
        lifeline.watch(owner, lambda: os._exit(1))
    bell = environment.inherited_descriptor(doorbell.VARIABLE)
    if bell is not None:
        doorbell.ring(bell)
