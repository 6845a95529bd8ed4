"""Signals with their senders, and default signals for forked children.

Python runs signal handlers only in the main thread, when that thread executes bytecode again, and does not tell them
who sent the signal. So the main thread waits in `sigwaitinfo`, which reports the sender. The kernel may deliver a
signal to another thread: for example the second of two signals, or one that arrives while that thread starts a process
or a thread. Then a byte in a pipe wakes a thread that reads it, and the sender stays unknown.

A forked child inherits the handlers and the pipe. A signal to the child would then not end it, and its byte would reach
the parent. So children that tasks fork get default signals instead.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from queue_tool.host import processes

OF_SUPERVISOR = signal.SIGUSR2
"""The signal by which the supervisor ends workers and Valkey: a service manager may send SIGTERM to all processes."""

TO_SUPERVISOR = signal.SIGUSR1
"""The signal that tells a supervisor that the database has news for it."""

LOOK_EVERY = 0.001
"""Seconds between two looks whether a thread waits for signals."""

_THE_END = 0
"""The byte after which nothing more is read. No signal has this number."""


def wake(then: Callable[[int], None]) -> None:
    """Call a function in a thread of its own at each signal that has a handler, with the signal's number.

    The kernel may deliver a signal to any thread, for example after SIGSTOP and SIGCONT. If the main thread waits then,
    nothing else would wake it, and the signal's handler would not run.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def hear() -> None:
        while True:
            then(os.read(reading, 1)[0])

    threading.Thread(target=hear, name="signals", daemon=True).start()


def call_supervisor(pid: int, pid_started: str) -> None:
    """Tell a supervisor of this machine that the database has news for it. If it does not hear it, it looks soon."""
    if pid != os.getpid() and processes.is_alive(pid, pid_started):
        with contextlib.suppress(OSError):  # it has just ended, or belongs to another user
            os.kill(pid, TO_SUPERVISOR)


class Signals:
    """Receives signals until another thread of this process calls `end`."""

    def __init__(self) -> None:
        """Open the pipe."""
        self._reading, self._writing = os.pipe()
        os.set_blocking(self._writing, False)
        self._names: tuple[signal.Signals, ...] = ()
        self._receiver = threading.get_ident()
        self._has_ended = False
        self._is_woken = threading.Event()

    @contextlib.contextmanager
    def receiving(self, *names: signal.Signals) -> Iterator[None]:
        """Receive these signals until the end of the block. Outside the main thread, no signal arrives."""
        before = {}
        with contextlib.suppress(ValueError):
            wanted = [name for name in names if name != signal.SIGINT or signal.getsignal(name) is not signal.SIG_IGN]
            for name in wanted:  # a shell ignores SIGINT for a program in its background
                before[name] = signal.signal(name, lambda *_: None)
            self._names, self._receiver = tuple(wanted), threading.get_ident()
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

    def hear(self, on_signal: Callable[[int, bool], None], on_ready: Callable[[], None]) -> None:
        """Report each signal until `end` is called. Threads that may start processes must have been started before.

        Args:
            on_signal: called for each signal with its number, and whether this process or a descendant of it is known
                to have sent it.
            on_ready: called when senders are known from now on. Descendants must not send a signal before.
        """
        if not self._names or not hasattr(signal, "sigwaitinfo"):  # for example on macOS: the sender is not known
            on_ready()
            self._hear_others(on_signal)
            return
        others = threading.Thread(target=self._hear_others, args=[on_signal], name="signals", daemon=True)
        others.start()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self._names)  # in this thread only
        threading.Thread(
            target=_call_when_it_waits, args=[threading.get_native_id(), self._names[0], on_ready], daemon=True
        ).start()
        while not self._has_ended:
            found = signal.sigwaitinfo(self._names)
            if not self._has_ended:
                on_signal(found.si_signo, processes.descends_from(found.si_pid, os.getpid()))
        self._is_woken.wait()  # the signal that wakes this thread must not arrive when its handler is gone
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        others.join()

    def _hear_others(self, on_signal: Callable[[int, bool], None]) -> None:
        """Report the signals that other threads receive."""
        while (number := os.read(self._reading, 1)[0]) != _THE_END:
            on_signal(number, False)

    def end(self) -> None:
        """Let `hear` return. Call this once, from another thread."""
        self._has_ended = True
        os.write(self._writing, bytes([_THE_END]))
        if self._names:
            signal.pthread_kill(self._receiver, self._names[0])
        self._is_woken.set()


# -- forked children ---------------------------------------------------------------------------------------

_DEFAULTS: dict[signal.Signals, Any] = {
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    OF_SUPERVISOR: signal.SIG_DFL,
}
"""The signals that this module keeps from children, and Python's default handlers of them."""

_kept: dict[signal.Signals, Any] = {}
"""The handlers of this process that its children do not inherit."""

_held = threading.local()


def _call_when_it_waits(thread: int, name: signal.Signals, call: Callable[[], None]) -> None:
    """Call a function when a thread, which has blocked a signal, waits for it.

    Before, the kernel would deliver the signal to another thread, which does not learn the sender. While a thread waits
    in `sigwaitinfo`, the kernel does not count the signal as blocked, and `/proc` shows that.
    """
    status, bit = Path(f"/proc/self/task/{thread}/status"), 1 << (name - 1)
    with contextlib.suppress(OSError, StopIteration):  # there is no `/proc`, or the thread has ended
        while _blocked(status.read_text("ascii", "replace")) & bit:
            time.sleep(LOOK_EVERY)
    call()


def _blocked(status: str) -> int:
    """Return the signals that a thread blocks, as bits (proc(5), `SigBlk`)."""
    return int(next(line for line in status.splitlines() if line.startswith("SigBlk:")).split()[1], 16)


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
