"""Processes of this machine: named so that they can be found again, and told alive or dead."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from functools import cache
from pathlib import Path


@cache
def machine() -> str:
    """Return what names the place in which a pid of ours means something.

    On Linux the kernel's boot and its namespace of pids: two containers of one host count as two machines, and
    a restart makes another one. Elsewhere the host's name.
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
    """Return a text that tells a process from a later one with the same pid; None if there is no such process.

    It counts from the kernel's boot, so setting the clock does not change it. A zombie is no process any more.
    """
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text("utf-8", "replace").rpartition(")")[2].split()  # proc(5): state is field 3
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]  # 22: start time in clock ticks after boot


def is_alive(pid: int, pid_started: str) -> bool:
    """Tell whether this very process of this machine still runs."""
    return started(pid) == pid_started


def _started_by_ps(pid: int) -> str | None:
    found = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return found.stdout.strip() or None


def own_pid_started() -> str:
    """Return `started` of this process."""
    return started(os.getpid()) or "unknown"
