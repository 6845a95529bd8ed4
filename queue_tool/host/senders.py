"""Senders: a number for the process that pushes a ticket, so that others can find out whether it still lives.

It names the machine and the pid. A later process with the same pid counts as the sender, which delays a push a little.
"""

from __future__ import annotations

import os
import zlib
from functools import cache

from queue_tool.host import processes

PID_BITS = 22
"""No pid of Linux is longer (proc(5), `pid_max`)."""


def own() -> int:
    """Return the number of this process, which is positive and fits into 54 bits."""
    return number(os.getpid())


def number(pid: int) -> int:
    """Return the number of a process of this machine."""
    return (_machine() << PID_BITS) + pid % (1 << PID_BITS)


def lives(sender: int) -> bool | None:
    """Return whether the process with this number is alive; None for a process of another machine."""
    machine, pid = divmod(sender, 1 << PID_BITS)
    return processes.started(pid) is not None if machine == _machine() else None


@cache
def _machine() -> int:
    return zlib.crc32(processes.machine().encode())
