"""Data about processes from the kernel: descendants, memory, CPU time."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
NANOSECONDS = 1e9


def family(pid: int) -> list[int]:
    """Return a process and all of its descendants."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except OSError:
            continue  # the process has ended
        children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def peak_memory(pid: int) -> int:
    """Return the peak memory of a process in MiB; 0 if it has ended."""
    try:
        lines = (PROC / str(pid) / "status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def peak_of(pid: int) -> int:
    """Return the highest peak memory among a process and its descendants, in MiB."""
    return max(map(peak_memory, family(pid)))


def shared_out(pid: int) -> int:
    """Return the memory of a process and its descendants in MiB. Memory that several share is counted once."""
    return sum(map(_share, family(pid))) // 1024


def _share(pid: int) -> int:
    """Return the memory of a process in KiB, and of what it shares its share."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def processor_seconds(pids: list[int]) -> float:
    """Return the CPU seconds that all threads of these processes have used."""
    spent = 0.0
    for pid in pids:
        for schedule in (PROC / str(pid) / "task").glob("*/schedstat"):
            try:
                spent += int(schedule.read_text("ascii").split()[0]) / NANOSECONDS
            except OSError:
                continue
    return spent
