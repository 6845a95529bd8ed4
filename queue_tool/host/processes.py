"""Processes of this machine: how to identify them and whether they are alive."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path


def python(module: str, *words: str) -> list[str]:
    """Return the command that runs a module in another process of this Python.

    `-P` keeps the current directory out of the search for modules. Otherwise a file `tempfile.py` there would run in
    place of the standard library's module.
    """
    return [sys.executable, "-P", "-m", module, *words]


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def machine() -> str:
    """Return the id of the machine in which our pids are valid.

    On Linux this is the kernel's boot id and the pid namespace. So two containers on one host count as two machines,
    and a reboot makes a new machine. On other systems it is the host's name.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return f"{platform.system()}/{socket.gethostname()}"


def host() -> str:
    """Return this host's name, for people."""
    return socket.gethostname()


def started(pid: int) -> str | None:
    """Return the start time of a process as text. None if there is no such process.

    A later process with the same pid has another start time. The time counts from the kernel's boot, so a change of the
    clock does not affect it. A zombie does not count as a process.
    """
    try:
        fields = _stat(pid)
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # 22: start time in clock ticks after boot


def _stat(pid: int) -> list[str]:
    """Return what the kernel tells of a process, from its state on, which is field 3 of proc(5).

    A sweeper does this each second for each process: a file object would take five times as long.

    Raises:
        OSError: there is no such process, or no `/proc`.
    """
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
    try:
        return os.read(descriptor, _LONGEST_STAT).decode("utf-8", "replace").rpartition(")")[2].split()
    finally:
        os.close(descriptor)


_LONGEST_STAT = 4096
"""Bytes: 52 numbers and a short name have less than half of that."""


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used; 0 if it is gone, or without `/proc`."""
    try:
        fields = _stat(pid)
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc(5), 14 and 15: of itself


def descends_from(pid: int, ancestor: int) -> bool:
    """Return whether a process is this ancestor, or its child, or a child of that one, and so on.

    Without `/proc`, or when a process between the two has ended, the answer for a descendant is False.
    """
    for _ in range(_MOST_GENERATIONS):
        if pid == ancestor or pid <= 0:
            return pid == ancestor
        pid = _parent(pid)
    return False


_MOST_GENERATIONS = 100
"""Bounds the search for an ancestor: pids may be given to other processes while it lasts."""


def _parent(pid: int) -> int:
    """Return the pid of a process's parent; 0 if it has none or is gone."""
    try:
        return int(_stat(pid)[1])
    except OSError:
        return 0


def children(pid: int) -> list[int]:
    """Return the pids of the children of a process that has one thread. Without `/proc`, none is known."""
    try:
        return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]
    except OSError:
        return []


def is_alive(pid: int, pid_started: str) -> bool:
    """Return whether this process of this machine still runs, and not a later one with the same pid."""
    return started(pid) == pid_started


def _started_by_ps(pid: int) -> str | None:
    found = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def own_pid_started() -> str:
    """Return `started` of this process."""
    return started(os.getpid()) or "unknown"
