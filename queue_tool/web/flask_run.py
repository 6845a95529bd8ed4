"""`flask --app queue_tool run`: serves, and in embedded mode starts everything else, so that it is a whole system.

Flask loads the application for each of its commands, and twice where it reloads on change. Only for `run`, and
only in the process that is not the reloader's child, one supervisor without a web server is started; it ends
with the process that started it, however that ends.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask.cli import run_command
from werkzeug.serving import is_running_from_reloader

from queue_tool.errors import QueueToolError
from queue_tool.host import valkey
from queue_tool.host.lifeline import VARIABLE, Lifeline, watch
from queue_tool.runtime import child_environment, lifeline_of_parent, say
from queue_tool.settings import Settings
from queue_tool.telemetry import Event, Telemetry

START_TIMEOUT = 60.0
"""Seconds in which the rest of the system must be up."""


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
    """Start what this process does not do itself, if it is `flask run` that loads the application."""
    context = click.get_current_context(silent=True)
    if context is None or context.command is not run_command:
        return
    if is_running_from_reloader():
        _follow_the_reloader()
        return
    lifeline = Lifeline()
    lifeline.pass_on()  # to the reloader's child, which Flask starts
    say({VARIABLE: str(lifeline.reading)})
    if settings.embedded:
        _start_supervisor(settings, lifeline)
    else:
        telemetry.emit(Event.WARNING, reason="QUEUE_TOOL_REDIS_URL is set, so this only serves: start workers too")


def _follow_the_reloader() -> None:
    """End with the process that restarts this one on every change."""
    descriptor = lifeline_of_parent()
    if descriptor is not None:
        watch(descriptor, lambda: os._exit(1))


def _start_supervisor(settings: Settings, lifeline: Lifeline) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "queue_tool", "up"],
        env=child_environment({"QUEUE_TOOL_WEB": "0"}),
        pass_fds=[lifeline.reading],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    atexit.register(_end, lifeline, supervisor)
    _await(settings, supervisor)


def _await(settings: Settings, supervisor: subprocess.Popen[bytes]) -> None:
    """Wait until Redis is there, or the supervisor has said why it cannot be."""
    until = time.monotonic() + START_TIMEOUT
    while not valkey.answers(settings.data_dir) and supervisor.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def _end(lifeline: Lifeline, supervisor: subprocess.Popen[bytes]) -> None:
    lifeline.cut()
    supervisor.wait()
