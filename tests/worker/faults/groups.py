"""Isolated task types whose processes start others, which do not end by themselves."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from queue_tool import task
from tests.worker.faults.hard import HOURS, pause

NOTE = "echo $$ > '{0}.new'; mv '{0}.new' '{0}'; "
"""What a command does first: it writes its pid to a file, all at once."""

FOREVER = "while :; do sleep 0.2; done"


def command(path: str) -> None:
    """Wait for a command."""
    subprocess.run(["sh", "-c", NOTE.format(path) + "exec sleep 3600"], check=False)


def system(path: str) -> None:
    """Wait for a command of a shell, which waits for another one."""
    os.system(NOTE.format(path) + "sleep 3600; true")  # noqa: S605 - it is what is tested


def stubborn(path: str) -> None:
    """Wait for a command that ignores SIGTERM."""
    subprocess.run(["sh", "-c", f"trap '' TERM; {NOTE.format(path)}{FOREVER}"], check=False)


def polite(path: str) -> None:
    """Wait for a command that writes a file before it ends."""
    trap = f"trap 'touch \"{path}.asked\"; exit' TERM; "
    subprocess.run(["sh", "-c", trap + NOTE.format(path) + FOREVER], check=False)


def busy(path: str) -> None:
    """Compute without an end in a way that lets no other thread of this process run."""
    Path(f"{path}.new").write_text(str(os.getpid()))
    Path(f"{path}.new").rename(path)
    sum(iter(int, 1))


def forgotten(path: str) -> None:
    """Leave a command behind, and return."""
    subprocess.Popen(["sh", "-c", NOTE.format(path) + "exec sleep 3600"])
    while not Path(path).exists():
        pause(0.01)


def orphan(path: str) -> None:
    """Fork a child that has the pipe to the worker, and end without a report."""
    child = os.fork()
    if not child:
        pause(HOURS)
    Path(path).write_text(str(child))
    os._exit(3)


ENDLESS = {each.__name__: each for each in (command, system, stubborn, polite, busy)}

OVER = {each.__name__: each for each in (forgotten, orphan)}


def do(data: list[str]) -> None:
    """Do what the name says; the file gets the pid of a process that was started."""
    name, path = data
    (ENDLESS | OVER)[name](path)


task("group", timeout=HOURS, isolated=True)(do)
task("group.hurried", timeout=2, isolated=True)(do)
