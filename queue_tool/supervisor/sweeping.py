"""Sweeping: repeats the sweeper's passes until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from queue_tool.errors import QueueToolError, StoreAway
from queue_tool.model import events
from queue_tool.runtime import Runtime
from queue_tool.services.measures.levels import Levels
from queue_tool.supervisor.delivering import start_delivering

_log = logging.getLogger("queue_tool.supervisor")

PAUSE = 1.0
"""Seconds between two passes."""

SHORT_PAUSE = 0.1
"""Seconds between two fills while tickets wait in line. Workers make room all the time, and RQ's own do not fill."""


def sweep_until(stopping: threading.Event, runtime: Runtime, after_pass: Callable[[], None] = lambda: None) -> None:
    """Sweep repeatedly until the event is set. A failed pass does not prevent the next one.

    Args:
        stopping: the event.
        runtime: the runtime of this process.
        after_pass: what else is done after each pass.
    """
    delivering = start_delivering(stopping, runtime)
    sweep = runtime.sweep()
    keep_levels = Levels(store=runtime.store, gauges=runtime.gauges, clock=runtime.clock)
    next_pass, waits, last_fault = runtime.clock.monotonic() + PAUSE, False, ""
    while not stopping.wait(SHORT_PAUSE if waits else PAUSE):
        is_between = waits and runtime.clock.monotonic() < next_pass
        waits = False
        try:
            if is_between:
                waits = sweep.fill()
                continue
            next_pass = runtime.clock.monotonic() + PAUSE
            runtime.settle_put_aside()
            waits = sweep()
            keep_levels()
            runtime.measures.write_if_due()
            after_pass()
            last_fault = ""
        except QueueToolError as error:
            reason = error.reason if isinstance(error, StoreAway) else error.sentence
            fault = reason if isinstance(error, StoreAway) else type(error).__name__  # Redis errors vary in their text
            if fault != last_fault:
                runtime.telemetry.emit(events.SweepFailed(reason=reason))
            last_fault = fault
        except Exception:  # noqa: BLE001 - the next pass must come, and the log has the traceback
            _log.exception("a pass of the sweeper failed")
    delivering.join()
    runtime.measures.stop()
