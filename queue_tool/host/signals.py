"""Signals as bytes in a pipe.

Python runs signal handlers only in the main thread, when that thread executes bytecode again. The kernel may deliver
the second of two signals to another thread, and then the main thread does not wake up. A byte in a pipe always wakes
the reader.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

NO_SIGNAL = 0
"""The byte for a wake-up that is not a signal. No signal has this number."""


class SignalPipe:
    """Receives signals, and wake-ups from other threads of this process."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)

    @contextlib.contextmanager
    def receiving(self, *names: signal.Signals) -> Iterator[None]:
        """Receive these signals until the end of the block. Outside the main thread, no signal arrives."""
        before = {}
        with contextlib.suppress(ValueError):
            for name in names:
                before[name] = signal.signal(name, lambda *_: None)
            signal.set_wakeup_fd(self._writing, warn_on_full_buffer=False)
        try:
            yield
        finally:
            if before:
                signal.set_wakeup_fd(-1)
            for name, handler in before.items():
                signal.signal(name, handler)
            os.close(self._reading)
            os.close(self._writing)

    def wait(self) -> int:
        """Wait for the next signal or wake-up. Return the signal's number, or `NO_SIGNAL`."""
        return os.read(self._reading, 1)[0]

    def wake(self) -> None:
        """Wake the thread that waits, without a signal."""
        os.write(self._writing, bytes([NO_SIGNAL]))
