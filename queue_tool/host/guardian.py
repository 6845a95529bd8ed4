"""The guardian: a small process, in a session of its own, that ends the embedded Valkey when its owner is gone.

    python -m queue_tool.host.guardian DIRECTORY COMMAND [ARGUMENT ...]

Its standard input is the lifeline. Ctrl-C does not reach it, and kill -9 of the owner closes the pipe; so the
server ends after everybody else, and never stays behind. It leaves in DIRECTORY a note of the server's pid,
by which the next guardian finds a server that outlived the one before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from queue_tool.host import lifeline, processes

NOTE = "server.pid"
PATIENCE = 10.0
"""Seconds in which a server that was asked to end must have ended."""


def main() -> int:
    """Run the server until it ends or the owner is gone; return the exit code."""
    directory, command = Path(sys.argv[1]), sys.argv[2:]
    end_leftover(directory)
    server = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL)
    (directory / NOTE).write_text(f"{server.pid} {processes.started(server.pid)}", "ascii")
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # In a thread: the main one waits for the server and cannot do so twice.
        signal.signal(name, lambda *_: threading.Thread(target=_end, args=[server]).start())
    lifeline.watch(sys.stdin.fileno(), lambda: _end(server))
    code = server.wait()
    (directory / NOTE).unlink(missing_ok=True)
    return code


def end_leftover(directory: Path) -> None:
    """End the server of a guardian that was killed, if it still runs."""
    try:
        pid_text, _, started = (directory / NOTE).read_text("ascii").partition(" ")
        pid = int(pid_text)
    except (OSError, ValueError):
        return
    until = time.monotonic() + PATIENCE
    ask = signal.SIGTERM
    while processes.is_alive(pid, started):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, ask)
        ask = signal.SIGTERM if time.monotonic() < until else signal.SIGKILL
        time.sleep(0.05)


def _end(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(PATIENCE)
        return
    server.kill()


if __name__ == "__main__":
    sys.exit(main())
