"""Sweeping: one pass of the sweeper after the other, until somebody says stop."""

from __future__ import annotations

import logging
import threading

from queue_tool.errors import QueueToolError, StoreAway
from queue_tool.model import events
from queue_tool.runtime import Runtime

_log = logging.getLogger("queue_tool.supervisor")

EVERY = 1.0
"""Seconds between two passes."""

SOON = 0.1
"""Seconds between two passes while tickets wait for room in Redis, which workers make all the time."""


def sweep_until(stopping: threading.Event, runtime: Runtime) -> None:
    """Sweep again and again until the event is set; whatever goes wrong in one pass, the next one comes."""
    sweep = runtime.sweep()
    pause, known = EVERY, ""
    while not stopping.wait(pause):
        pause = EVERY
        try:
            runtime.settle_put_aside()
            if sweep():
                pause = SOON
            known = ""
        except QueueToolError as error:
            reason = error.reason if isinstance(error, StoreAway) else error.sentence
            fault = reason if isinstance(error, StoreAway) else type(error).__name__  # Redis is away in many words
            if fault != known:
                runtime.telemetry.emit(events.SweepFailed(reason=reason))
            known = fault
        except Exception:  # noqa: BLE001 - the next pass must come, and the log has all of it
            _log.exception("a pass of the sweeper failed")
