"""The title of a process: what `ps` and `pgrep -f` show as its command line. Only Linux lets a process change it."""

from __future__ import annotations

import ctypes
from pathlib import Path

_ARGUMENTS_START, _ARGUMENTS_END = 45, 46
"""proc(5): the addresses are fields 48 and 49 of `/proc/PID/stat`. The first two fields are cut off."""


def rename(title: str) -> None:
    """Change the title of this process. It is cut if it is longer than the command line was."""
    try:
        fields = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        start, end = int(fields[_ARGUMENTS_START]), int(fields[_ARGUMENTS_END])
    except OSError:  # /proc is not mounted
        return
    if 0 < start < end:  # they are 0 if a process may not see them
        ctypes.memmove(start, title.encode()[: end - start - 1].ljust(end - start, b"\0"), end - start)
