"""Serving: granian runs the application in one or more processes."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from queue_tool.environment import inherited_descriptor
from queue_tool.host.lifeline import VARIABLE, Lifeline, watch
from queue_tool.host.ports import require_free
from queue_tool.model.settings import Settings
from queue_tool.runtime import load_types

THREADS = 32
"""Requests that one process handles at the same time, in addition to requests that wait. Threads start on demand.

A database server that does not answer can hold 24 of them: one for each connection that the store may open.
"""

_server_lifeline: Lifeline | None = None
"""Notifies a serving process when granian's main process ends."""


def require_startable(settings: Settings) -> None:
    """Check what would prevent the server from starting: granian's child would find it and print a traceback.

    Raises:
        PortTaken: another process listens on the port.
        BadTaskType: a task type in a user's module is not valid.
    """
    require_free(settings.host, settings.port)
    load_types(settings).compile()


def serve(settings: Settings) -> None:
    """Serve until a signal stops this process. Check before that it can start."""
    from granian import Granian  # imported here: `flask run` loads this module too and does not use granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    global _server_lifeline  # noqa: PLW0603 - the processes that granian forks must find it
    _server_lifeline = Lifeline()
    descriptor = inherited_descriptor(VARIABLE)
    if descriptor is not None:
        watch(descriptor, lambda: os.kill(os.getpid(), signal.SIGTERM))
    Granian(
        "queue_tool.web.app:application",
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        address=settings.host,
        port=settings.port,
        workers=max(1, settings.web),
        http1_settings=HTTP1Settings(max_buffer_size=64 * 1024),  # bytes of one request's headers
        blocking_threads=THREADS + settings.max_waits,
        respawn_failed_workers=True,
        log_enabled=False,
    ).serve(target_loader=_load)


def _load(target: str) -> Callable[..., Any]:
    """Return the application. granian's own loader would look for modules in the current directory first."""
    module, _, factory = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), factory)()
    return application


def follow_server() -> None:
    """End this process, which granian forked, when granian's main process ends."""
    if _server_lifeline is not None:
        _server_lifeline.keep_reading_only()
        watch(_server_lifeline.reading, lambda: os._exit(1))


def on_first_signal(then: Callable[[], None]) -> None:
    """Call a function in its own thread at the first signal for which this process has a handler.

    Args:
        then: the function. The handler itself may belong to other code, for example to granian.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(reading, 1)
        then()

    threading.Thread(target=wait, name="signals", daemon=True).start()
