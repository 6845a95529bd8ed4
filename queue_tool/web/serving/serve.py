"""Serving: granian runs the application in one or more processes."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from queue_tool.environment import inherited_descriptor, take_descriptor
from queue_tool.host import readiness
from queue_tool.host.lifeline import VARIABLE, Lifeline, watch
from queue_tool.host.ports import require_free
from queue_tool.known_types import load_types
from queue_tool.model.settings import Settings

THREADS = 32
"""Requests that one process handles at the same time, in addition to requests that wait. Threads start on demand.

A database server that does not answer can hold 24 of them: one for each connection that the store may open.
"""

CONNECTIONS = 8_192
"""Connections that one process keeps at the same time. Further ones wait in the backlog."""

BACKLOG = 4_096
"""Connections that may wait. The kernel may have a lower limit."""

OTHER_FILES = 256
"""Open files of a process that are not connections."""

HEADER_TIMEOUT = 30_000
"""Milliseconds within which a request's header must arrive; an idle connection is closed after this time."""

HEADER_SIZE = 64 * 1024
"""Bytes that a request's header may have."""

_server_lifeline: Lifeline | None = None
"""Notifies a serving process when granian's main process ends."""

_parent: int | None = None
"""The descriptor through which a serving process reports to the supervisor that it is ready."""


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
    from granian.constants import HTTPModes, Interfaces, Loops
    from granian.http import HTTP1Settings

    global _server_lifeline, _parent
    _server_lifeline, _parent = Lifeline(), take_descriptor(readiness.VARIABLE)
    descriptor = inherited_descriptor(VARIABLE)
    if descriptor is not None:
        watch(descriptor, lambda: os.kill(os.getpid(), signal.SIGTERM))
    Granian(
        "queue_tool.web.app:application",
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT, max_buffer_size=HEADER_SIZE),
        websockets=False,
        backlog=BACKLOG,
        backpressure=_connections(),
        address=settings.host,
        port=settings.port,
        workers=max(1, settings.web),
        respawn_failed_workers=True,
        log_enabled=False,
    ).serve(target_loader=_load)


def _load(target: str) -> Callable[..., Any]:
    """Return the application. granian's own loader would look for modules in the current directory first."""
    module, _, factory = target.partition(":")
    application: Callable[..., Any] = getattr(import_module(module), factory)()
    return application


def _connections() -> int:
    """Let this process and its children open as many files as they may; return the connections that one may keep."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if files != resource.RLIM_INFINITY and files < wanted:
        files = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))
    return CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, files - OTHER_FILES))


def follow_server() -> None:
    """End this process, which granian forked, when granian's main process ends."""
    if _server_lifeline is not None:
        _server_lifeline.keep_reading_only()
        watch(_server_lifeline.reading, lambda: os._exit(1))


def report_ready() -> None:
    """Report that this process, which granian forked, has loaded the application. Its socket listens already."""
    if _parent is not None:
        readiness.report(_parent)


def on_signal(then: Callable[[], None]) -> None:
    """Call a function in its own thread at each SIGINT and SIGTERM, in addition to what the event loop does.

    Call this in the event loop, in the main thread. The loop learns of signals through a descriptor, not through the
    handler that this replaces.

    Args:
        then: the function.
    """

    def start(_number: int, _frame: object) -> None:
        threading.Thread(target=then, name="signals", daemon=True).start()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, start)
        signal.siginterrupt(number, False)
