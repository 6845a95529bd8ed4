"""Signals as bytes in a pipe, and default signals for forked children.

Python runs signal handlers only in the main thread, when that thread executes bytecode again. The kernel may deliver
the second of two signals to another thread, and then the main thread does not wake up. A byte in a pipe always wakes
the reader.

A forked child inherits the handlers and the pipe. A signal to the child would then not end it, and its byte would reach
the parent. So children that tasks fork get default signals instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

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
            keep_from_children()
        try:
            yield
        finally:
            if before:
                signal.set_wakeup_fd(-1)
            for name, handler in before.items():
                signal.signal(name, handler)
            _kept.clear()
            os.close(self._reading)
            os.close(self._writing)

    def wait(self) -> int:
        """Wait for the next signal or wake-up. Return the signal's number, or `NO_SIGNAL`."""
        return os.read(self._reading, 1)[0]

    def wake(self) -> None:
        """Wake the thread that waits, without a signal."""
        os.write(self._writing, bytes([NO_SIGNAL]))


# -- forked children ---------------------------------------------------------------------------------------

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
}
"""The signals that this module keeps from children, and Python's default handlers of them."""

_kept: dict[signal.Signals, Any] = {}
"""The handlers of this process that its children do not inherit."""

_held = threading.local()


def keep_from_children() -> None:
    """Let children that are forked from now on have default signals, and not the handlers that this process has now.

    A child keeps a signal that is ignored, because it may have been ignored since before this process started. Programs
    that replace a child, for example those of `subprocess`, get default handlers from the kernel.
    """
    for name in _DEFAULTS:
        handler = signal.getsignal(name)
        if handler not in (signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler):
            _kept[name] = handler


def _hold() -> None:
    """Hold signals to the child back until it has its own handlers: the fork itself takes milliseconds."""
    _held.before = signal.pthread_sigmask(signal.SIG_BLOCK, list(_kept)) if _kept else None


def _release() -> None:
    if _held.before is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _held.before)


def _reset_child() -> None:
    """Give this process, a new child, default signals in place of its parent's handlers."""
    if not _kept:
        return
    signal.set_wakeup_fd(-1)
    for name, handler in _kept.items():
        if signal.getsignal(name) is handler:
            signal.signal(name, _DEFAULTS[name])
    _kept.clear()  # what the child sets itself, its own children inherit
    _release()


os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_reset_child)
