"""The guardian: a small process, in a session of its own, that ends the embedded Valkey when its owner is gone.

    python -m queue_tool.host.guardian DIRECTORY SOCKET COMMAND [ARGUMENT ...]

Its standard input is the lifeline. Ctrl-C does not reach it, and kill -9 of the owner closes the pipe; so the
server ends after everybody else, and never stays behind. It leaves in DIRECTORY a note of the server's pid and
its own, by which the next guardian finds a server that outlived the one before. One guardian at a time works in a
directory, under a lock: one whose owner has just been killed may still be tidying up when the next is started.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from queue_tool.host import data_dir, lifeline, processes

NOTE = "server.pid"
LOCK = "guardian.lock"
PATIENCE = 10.0
"""Seconds in which a server that was asked to end must have ended."""

PAUSE = 0.05
"""Seconds between two looks at what is awaited."""


def main() -> int:
    """Run the server until it ends or the owner is gone; return the exit code."""
    directory, socket, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    owner_gone = threading.Event()
    lifeline.watch(sys.stdin.fileno(), owner_gone.set)
    if not await_lock(directory, owner_gone):
        return 1
    end_leftover(directory)
    data_dir.make_private(socket.parent)
    try:
        return _guard(directory, command, owner_gone)
    finally:
        _tidy(directory, socket)


def await_lock(directory: Path, owner_gone: threading.Event) -> bool:
    """Wait for the lock of a directory and keep it until this process ends; return False if the owner is gone first."""
    lock = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while not owner_gone.is_set():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner_gone.wait(PAUSE)
        else:
            return True
    return False


def of_server(directory: Path) -> int | None:
    """Return the guardian of the server that runs here, or did so last; None where there is no note of one."""
    try:
        return int((directory / NOTE).read_text("ascii").split(" ", 2)[1])
    except (OSError, ValueError, IndexError):
        return None


def end_leftover(directory: Path) -> None:
    """End the server of a guardian that was killed, if it still runs."""
    try:
        pid_text, _, started = (directory / NOTE).read_text("ascii").split(" ", 2)
        pid = int(pid_text)
    except (OSError, ValueError):
        return
    until = time.monotonic() + PATIENCE
    ask = signal.SIGTERM
    while processes.is_alive(pid, started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ask)
        ask = signal.SIGTERM if time.monotonic() < until else signal.SIGKILL
        time.sleep(PAUSE)


def _guard(directory: Path, command: list[str], owner_gone: threading.Event) -> int:
    server = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL)
    (directory / NOTE).write_text(f"{server.pid} {os.getpid()} {processes.started(server.pid)}", "ascii")
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(name, lambda *_: owner_gone.set())
    # In a thread: the main one waits for the server and cannot do so twice.
    threading.Thread(target=_end, args=[server, owner_gone], daemon=True).start()
    return server.wait()


def _end(server: subprocess.Popen[bytes], owner_gone: threading.Event) -> None:
    owner_gone.wait()
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(PATIENCE)
        return
    server.kill()


def _tidy(directory: Path, socket: Path) -> None:
    """Leave nothing behind of a server that has ended, also outside of the data directory."""
    (directory / NOTE).unlink(missing_ok=True)
    socket.unlink(missing_ok=True)
    if socket.parent != directory:
        with contextlib.suppress(OSError):  # it is not empty: what is in it is not ours
            socket.parent.rmdir()


if __name__ == "__main__":
    sys.exit(main())
