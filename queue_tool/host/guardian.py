"""The guardian: a small process in its own session that ends the embedded Valkey when the owner is gone.

    python -m queue_tool.host.guardian DIRECTORY SOCKET COMMAND [ARGUMENT ...]

Its standard input is the lifeline. Ctrl-C does not reach the guardian, and kill -9 of the owner closes the pipe. So
the server ends after all other processes and never stays behind. The guardian writes the server's pid and its own pid
to a file in DIRECTORY. With this file, the next guardian finds a server that outlived its guardian. A lock ensures that
only one guardian at a time works in a directory: when the next guardian starts, the last one may still be cleaning up.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket as socket_module
import subprocess
import sys
import threading
import time
from pathlib import Path

from queue_tool.host import data_dir, files, lifeline, processes, signals
from queue_tool.host.signals import OF_SUPERVISOR

PID_FILE = "server.pid"
LOCK = "guardian.lock"
STOP_TIMEOUT = 10.0
"""Seconds that a server may take to end after it was asked to."""

PAUSE = 0.05
"""Seconds between two polls."""


def main() -> int:
    """Run the server until it ends or the owner is gone. Return the exit code."""
    directory, socket, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    owner_gone = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: None)  # a service manager sends it to all processes at once
    signal.signal(OF_SUPERVISOR, lambda *_: None)
    signals.wake(lambda number: owner_gone.set() if number == OF_SUPERVISOR else None)
    lifeline.watch(sys.stdin.fileno(), owner_gone.set)
    if not await_lock(directory, owner_gone):
        return 1
    end_leftover(directory, socket)
    data_dir.make_private(socket.parent)
    try:
        return _guard(directory, socket, command, owner_gone)
    finally:
        _clean_up(directory, socket)


def await_lock(directory: Path, owner_gone: threading.Event) -> bool:
    """Wait for the lock of a directory and keep it until this process ends. Return False if the owner ends first."""
    lock = files.open_here(directory / LOCK, os.O_RDWR | os.O_CREAT)
    while not owner_gone.is_set():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner_gone.wait(PAUSE)
        else:
            return True
    return False


def guardian_pid(directory: Path) -> int | None:
    """Return the pid of the guardian of the current or last server here. None if it is not recorded."""
    try:
        return int(files.read(directory / PID_FILE).decode("ascii").split(" ", 2)[1])
    except (OSError, ValueError, IndexError):
        return None


def end_leftover(directory: Path, socket: Path) -> None:
    """End a server whose guardian was killed, if the server still runs."""
    try:
        pid_text, _, started = files.read(directory / PID_FILE).decode("ascii").split(" ", 2)
        pid = int(pid_text)
    except (OSError, ValueError):
        return
    until = time.monotonic() + STOP_TIMEOUT
    while processes.is_alive(pid, started):
        _ask_to_end(socket)
        time.sleep(PAUSE)
        if time.monotonic() > until:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _guard(directory: Path, socket: Path, command: list[str], owner_gone: threading.Event) -> int:
    # The server inherits the mask, so that it outlives a signal to all processes: the workers still need it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, OF_SUPERVISOR))
    server = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    files.write(directory / PID_FILE, f"{server.pid} {os.getpid()} {processes.started(server.pid)}".encode())
    # In a thread, because the main thread already waits for the server.
    threading.Thread(target=_end, args=[server, socket, owner_gone], daemon=True).start()
    return server.wait()


def _end(server: subprocess.Popen[bytes], socket: Path, owner_gone: threading.Event) -> None:
    """End the server when the owner is gone. It is asked again and again: until it has its socket, it hears nothing."""
    owner_gone.wait()
    until = time.monotonic() + STOP_TIMEOUT
    while time.monotonic() < until:
        _ask_to_end(socket)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(PAUSE)
            return
    server.kill()


def _ask_to_end(path: Path) -> None:
    """Ask a server to write its files and end. It takes the command also while it reads its files."""
    with contextlib.suppress(OSError), socket_module.socket(socket_module.AF_UNIX) as client:
        client.settimeout(PAUSE)
        client.connect(str(path))
        client.sendall(b"SHUTDOWN\r\n")
        client.recv(64)  # a server that begins to end closes the connection


def _clean_up(directory: Path, socket: Path) -> None:
    """Remove what an ended server left behind, also outside the data directory."""
    (directory / PID_FILE).unlink(missing_ok=True)
    socket.unlink(missing_ok=True)
    if socket.parent != directory:
        with contextlib.suppress(OSError):  # not empty: it has files that are not ours
            socket.parent.rmdir()


if __name__ == "__main__":
    sys.exit(main())
