"""Ctrl-C on `flask run`: the first one ends Flask's server, and a second one ends the rest of the system at once."""

from __future__ import annotations

import contextlib
import signal
import time

REPEATED_AFTER = 1.0
"""Seconds after which one more Ctrl-C raises `KeyboardInterrupt` again, because the first may have been lost."""


class Interrupts:
    """Counts the Ctrl-Cs that this process received."""

    def __init__(self) -> None:
        """Start with none. Nothing is counted before `count` is called."""
        self._number = 0
        self._first = 0.0
        self._ending = False

    def count(self) -> None:
        """Count from now on. A process that ignores Ctrl-C, or that handles it itself, goes on doing so."""
        with contextlib.suppress(ValueError):  # outside the main thread, no signal arrives
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._on_interrupt)

    def end(self) -> None:
        """Raise nothing from now on: this process is ending, and a `KeyboardInterrupt` would only cut that short."""
        self._ending = True

    @property
    def repeated(self) -> bool:
        """Return whether there was more than one: the user wants the end at once."""
        return self._number > 1

    def _on_interrupt(self, _signum: int, _frame: object) -> None:
        self._number += 1
        now = time.monotonic()
        if self._number == 1:
            self._first = now
        if not self._ending and (self._number == 1 or now - self._first > REPEATED_AFTER):
            raise KeyboardInterrupt
