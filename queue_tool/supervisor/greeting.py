"""The greeting: one line that says where the system can be opened, as soon as all of it is ready."""

from __future__ import annotations

import socket
import threading

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.settings import Settings
from queue_tool.runtime import Runtime
from queue_tool.services.keys import Keys
from queue_tool.supervisor.workers import Workers

WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - only compared, never bound
"""Wildcard addresses: a server can listen on them, but a browser cannot open them."""

CHECK_EVERY = 0.05
"""Seconds between two checks."""


def greet(runtime: Runtime, workers: Workers, stopping: threading.Event) -> None:
    """Report that the system is ready when the web process answers and all workers are registered.

    Args:
        runtime: the runtime of the supervisor.
        workers: its workers.
        stopping: set when the system must stop before it is ready.
    """
    settings = runtime.settings
    while not (_is_web_ready(settings) and _are_registered(runtime, workers)):
        if stopping.wait(CHECK_EVERY):
            return
    runtime.telemetry.emit(
        events.Ready(
            open=_address_of(settings), data=settings.data_dir.absolute(), stop="Ctrl-C", access=_served(runtime)
        )
    )


def _is_web_ready(settings: Settings) -> bool:
    try:
        socket.create_connection((settings.host, settings.port), 1).close()
    except OSError:
        return False
    return True


def _are_registered(runtime: Runtime, workers: Workers) -> bool:
    try:
        registered = {worker.process.pid for worker in runtime.store.workers.all()}
    except StoreAway:
        return False
    present = tuple(workers.present)
    return all(child.process is not None and child.process.pid in registered for child in present)


def _address_of(settings: Settings) -> str:
    """Return the address that a browser on this machine can open."""
    host = "127.0.0.1" if settings.host in WILDCARDS else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _served(runtime: Runtime) -> str | None:
    """Return who is served without an API key; None if nobody is, or if the database is away."""
    try:
        return Keys(store=runtime.store, clock=runtime.clock).served_without(runtime.settings.auth)
    except StoreAway:
        return None
