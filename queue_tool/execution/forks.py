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

LONGEST_WAIT = 10.0
"""Seconds that one of them waits for the others: a program on a disk that hangs must not stop the forks for ever."""

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
    os.register_at_fork(before=_take, after_in_parent=_give, after_in_child=_give)


def _take() -> None:
    taken = _one.acquire(timeout=LONGEST_WAIT)
    _taken().append(taken)


def _give() -> None:
    """Release it. In the child of a fork, the thread that has forked holds it, and is the only one."""
    if _taken().pop():
        _one.release()


def _taken() -> list[bool]:
    """Return, for each start that this thread is in, whether it got the lock."""
    found: list[bool] | None = getattr(_has_one, "taken", None)
    if found is None:
        found = _has_one.taken = []
    return found
