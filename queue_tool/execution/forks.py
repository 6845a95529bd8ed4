"""Forks and programs that the functions of one process start at the same time, in several threads.

`subprocess.Popen` reads a pipe until the new program has closed its end. If another thread forks while this pipe is
made, the child of the fork has the end, too: `Popen` then waits until that child ends. The event loop of a worker stood
still so, and threads did not return.
"""

from __future__ import annotations

import functools
import os
import subprocess
import threading
from typing import Any

LONGEST_WAIT = 3.0
"""Seconds that one of them waits for the others. A program may be on a disk that hangs. An event loop that waits for it
must go on before its watchdog takes it for stuck."""

_one = threading.RLock()  # a `preexec_fn` forks within the start of a program

_has_one: threading.local = threading.local()


@functools.cache
def start_one_after_the_other() -> None:
    """Let a fork wait while another thread starts a program, and the other way around, in this process and its forks.

    This is about `os.fork`, `multiprocessing` and `subprocess`. Nobody waits for what C code starts.
    """
    start = subprocess.Popen.__init__

    @functools.wraps(start)
    def start_alone(self: subprocess.Popen[Any], *args: Any, **kwargs: Any) -> None:
        _take()
        try:
            start(self, *args, **kwargs)
        finally:
            _give()

    subprocess.Popen.__init__ = start_alone  # type: ignore[method-assign] # there is no other way to see its end
    os.register_at_fork(before=_take, after_in_parent=_give, after_in_child=_begin_anew)


def _take() -> None:
    global _one  # noqa: PLW0603 - there is one in a process
    lock = _one
    has_it = lock.acquire(timeout=LONGEST_WAIT)
    if not has_it and _one is lock:
        _one = threading.RLock()  # who has the old one hangs, and nobody waits for that again
    _taken().append(lock if has_it else None)


def _give() -> None:
    taken = _taken()
    lock = taken.pop() if taken else None
    if lock is not None:
        lock.release()


def _begin_anew() -> None:
    """Make the lock anew in the child of a fork, where the threads that wait for the old one do not exist."""
    global _one  # noqa: PLW0603 - there is one in a process
    _one = threading.RLock()
    _has_one.taken = [None] * (len(_taken()) - 1)  # the starts around this fork still call `_give`


def _taken() -> list[threading.RLock | None]:
    """Return, for each start that this thread is in, the lock that it has; None if it has none."""
    found: list[threading.RLock | None] | None = getattr(_has_one, "taken", None)
    if found is None:
        found = _has_one.taken = []
    return found
