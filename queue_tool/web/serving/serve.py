"""Serving: granian in front of the application, as one process or several."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

from queue_tool.environment import inherited_descriptor
from queue_tool.host.lifeline import VARIABLE, Lifeline, watch
from queue_tool.host.ports import require_free
from queue_tool.model.settings import Settings
from queue_tool.runtime import load_types

THREADS = 16
"""Requests that one process works on at once, beside those that only wait. A thread is made when it is needed."""

_of_server: Lifeline | None = None
"""By which a process that serves learns that granian's main process is gone."""


def serve(settings: Settings) -> None:
    """Serve until somebody says stop.

    Raises:
        PortTaken: another process listens there.
        BadTaskType: a module of the user's cannot be used.
    """
    from granian import Granian  # here, since `flask run` loads this module too and serves without it
    from granian.constants import HTTPModes, Interfaces

    global _of_server  # noqa: PLW0603 - granian forks, and the child must find it
    require_free(settings.host, settings.port)
    load_types(settings).compile()  # or else granian's child would find what is wrong with them, and say it at length
    _of_server = Lifeline()
    descriptor = inherited_descriptor(VARIABLE)
    if descriptor is not None:
        watch(descriptor, lambda: os.kill(os.getpid(), signal.SIGTERM))
    Granian(
        "queue_tool.web.app:application",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        address=settings.host,
        port=settings.port,
        workers=max(1, settings.web),
        blocking_threads=THREADS + settings.max_waits,
        respawn_failed_workers=True,
        log_enabled=False,
    ).serve()


def follow_server() -> None:
    """Let this process, which granian has forked to serve, end with granian's main process."""
    if _of_server is not None:
        _of_server.keep_reading_only()
        watch(_of_server.reading, lambda: os._exit(1))


def on_a_signal(then: Callable[[], None]) -> None:
    """Call a function, in a thread of its own, at the first signal that this process handles, whoever handles it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def wait() -> None:
        os.read(reading, 1)
        then()

    threading.Thread(target=wait, name="signals", daemon=True).start()
