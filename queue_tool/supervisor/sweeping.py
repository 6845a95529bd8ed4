"""Sweeping: repeats the sweeper's passes until it is stopped."""

from __future__ import annotations

import logging
import threading

from queue_tool.errors import QueueToolError, StoreAway
from queue_tool.model import events
from queue_tool.runtime import Runtime

_log = logging.getLogger("queue_tool.supervisor")

PAUSE = 1.0
"""Seconds between two passes."""

SHORT_PAUSE = 0.1
"""Seconds between two passes while tickets wait for room in Redis. Workers free room all the time."""


def sweep_until(stopping: threading.Event, runtime: Runtime) -> None:
    """Sweep repeatedly until the event is set. A failed pass does not prevent the next one."""
    sweep = runtime.sweep()
    pause, last_fault = PAUSE, ""
    while not stopping.wait(pause):
        pause = PAUSE
        try:
            runtime.settle_put_aside()
            if sweep():
                pause = SHORT_PAUSE
            last_fault = ""
        except QueueToolError as error:
            reason = error.reason if isinstance(error, StoreAway) else error.sentence
            fault = reason if isinstance(error, StoreAway) else type(error).__name__  # Redis errors vary in their text
            if fault != last_fault:
                runtime.telemetry.emit(events.SweepFailed(reason=reason))
            last_fault = fault
        except Exception:  # noqa: BLE001 - the next pass must come, and the log has the traceback
            _log.exception("a pass of the sweeper failed")
