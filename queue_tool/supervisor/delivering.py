"""Delivering: sends what waits for webhooks, in threads that no receiver can make the sweeper wait for."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from queue_tool.errors import StoreAway
from queue_tool.runtime import Runtime

if TYPE_CHECKING:
    from queue_tool.services.deliver import Deliver

_log = logging.getLogger("queue_tool.supervisor")

PAUSE = 0.5
"""Seconds between two looks into the outbox."""

LAST_WORD = 1.0
"""Seconds that messages on their way get when the process stops. Another process sends those that take longer again."""


def start_delivering(stopping: threading.Event, runtime: Runtime) -> threading.Thread:
    """Start to deliver, until the event is set."""
    thread = threading.Thread(target=deliver_until, args=[stopping, runtime], name="deliveries", daemon=True)
    thread.start()
    return thread


def deliver_until(stopping: threading.Event, runtime: Runtime) -> None:
    """Deliver repeatedly until the event is set. A failure does not prevent the next look."""
    deliver: Deliver | None = None
    is_away = False
    while not stopping.wait(PAUSE):
        try:
            if deliver is None and runtime.store.listens():
                deliver = runtime.deliver()
            if deliver is not None:
                deliver()
            is_away = False
        except StoreAway as error:
            if not is_away:
                _log.warning("webhooks wait, because the database is away: %s", error.reason)
            is_away = True
        except Exception:  # noqa: BLE001 - the next look must come, and the log has the traceback
            _log.exception("a look into the outbox failed")
    if deliver is not None:
        deliver.wait_idle(LAST_WORD)
