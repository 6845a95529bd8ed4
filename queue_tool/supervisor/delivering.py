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

PAUSE_UNHEARD = 1.0
"""Seconds between two looks whether anybody listens, as long as nobody does."""

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
    is_away = is_prepared = False
    while not stopping.wait(PAUSE_UNHEARD if deliver is None else PAUSE):
        try:
            if not is_prepared:
                _prepare(runtime)
                is_prepared = True
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


def _prepare(runtime: Runtime) -> None:
    """Let the exchange of events hear of ends, or not, as the settings say.

    Raises:
        StoreAway: the database is busy or away.
    """
    wanted = runtime.settings.amqp_events == "on" and runtime.settings.amqp_url is not None
    if wanted or runtime.store.listens():
        from queue_tool.delivery.signing import new_secret
        from queue_tool.services import exchange

        if wanted:
            exchange.register(runtime.store, runtime.clock, new_secret)
        else:
            exchange.unregister(runtime.store)
