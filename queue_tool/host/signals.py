"""Signals as bytes in a pipe.

Python runs its handlers in the main thread, when that comes to it. The second of two signals may be given to
another thread, and then nobody wakes the main one; a byte in a pipe wakes whoever reads.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

NO_SIGNAL = 0
"""The byte that no signal writes."""


class SignalPipe:
    """What this process is told, by signals and by its own threads."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)

    @contextlib.contextmanager
    def hearing(self, *names: signal.Signals) -> Iterator[None]:
        """Hear these signals for the length of a block; outside of the main thread nobody sends any."""
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
        """Wait for the next one; return its number, or `NO_SIGNAL`."""
        return os.read(self._reading, 1)[0]

    def wake(self) -> None:
        """Let the one who waits go, without a signal."""
        os.write(self._writing, bytes([NO_SIGNAL]))
