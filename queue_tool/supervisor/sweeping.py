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
    passes = _Passes(runtime, after_pass)
    while not stopping.wait(SHORT_PAUSE if passes.has_line else PAUSE):
        passes.do_next()
    delivering.join()
    runtime.measures.stop()


class _Passes:
    """The passes of a sweeper: whole ones, and between them fills while tickets wait in line."""

    def __init__(self, runtime: Runtime, after_pass: Callable[[], None]) -> None:
        self._runtime = runtime
        self._after_pass = after_pass
        self._sweep = runtime.sweep()
        self._keep_levels = Levels(store=runtime.store, gauges=runtime.gauges, clock=runtime.clock)
        self._next_whole = runtime.clock.monotonic() + PAUSE
        self._last_fault = ""
        self.has_line = False  # whether tickets wait in line

    def do_next(self) -> None:
        """Do a fill, or a whole pass if it is time for one. A failure is reported."""
        is_fill = self.has_line and self._runtime.clock.monotonic() < self._next_whole
        self.has_line = False
        try:
            if is_fill:
                self.has_line = self._sweep.fill()
            else:
                self._do_whole()
        except QueueToolError as error:
            self._report(error)
        except Exception:  # noqa: BLE001 - the next pass must come, and the log has the traceback
            _log.exception("a pass of the sweeper failed")

    def _do_whole(self) -> None:
        self._next_whole = self._runtime.clock.monotonic() + PAUSE
        self._runtime.settle_put_aside()
        self.has_line = self._sweep()
        self._keep_levels()
        self._runtime.measures.write_if_due()
        self._after_pass()
        self._last_fault = ""

    def _report(self, error: QueueToolError) -> None:
        """Report a failure, unless the pass before it failed in the same way."""
        reason = error.reason if isinstance(error, StoreAway) else error.sentence
        fault = reason if isinstance(error, StoreAway) else type(error).__name__  # Redis errors vary in their text
        if fault != self._last_fault:
            self._runtime.telemetry.emit(events.SweepFailed(reason=reason))
        self._last_fault = fault
