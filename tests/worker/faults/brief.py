"""An isolated task type of short functions. Some of them wait, or kill a process while others wait behind them."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from pathlib import Path

from queue_tool import Context, task
from tests.worker.faults.hard import HOURS, pause


def unread() -> int:
    """Return how many bytes are in the pipes that this process reads: they belong to runs that have not begun."""
    found = 0
    for path in Path("/proc/self/fd").iterdir():
        descriptor = int(path.name)
        try:
            if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
                found += int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), "little")
        except OSError:  # it is no pipe, or closed
            continue
    return found


@task("brief.pid", isolated=True)
def pid(data: list[str], context: Context) -> int:
    """Return the pid. With the name of a file, make one beside it and wait for it first.

    With a pid before the name, kill that process, or this one if it is 0, unless the file exists or no other run waits
    behind this one. The file gets the token.
    """
    if len(data) == 1:
        Path(f"{data[0]}.began").touch()
        while not Path(data[0]).exists():
            pause(0.01)
    elif data and not Path(data[1]).exists() and unread():
        Path(data[1]).write_text(context.token)
        os.kill(int(data[0]) or os.getpid(), signal.SIGKILL)
        pause(HOURS)
    return os.getpid()
