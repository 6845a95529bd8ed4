"""The interpreter that is forked: `python server.py DESCRIPTOR`, where requests come from.

A request is four bytes of length, sent with four descriptors, and so many bytes of JSON. The descriptors are the
program's standard input, output and errors, and a socket on which the pid and at last the exit code are told.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

IMPORTED = (
    "alembic.command",
    "flask.cli",
    "granian",
    "jsonschema",
    "jsonschema_rs",
    "psycopg",
    "queue_tool.cli.main",
    "queue_tool.store.migrations",
    "queue_tool.supervisor",
    "queue_tool.web.app",
    "queue_tool.worker.process",
    "rq.cli",
    "sqlalchemy.dialects.postgresql",
)
"""What a program finds imported already; nothing of it does anything when it is imported."""

NUMBER = struct.Struct("!i")
"""How a length, a pid and an exit code are sent."""

DESCRIPTORS = 4
"""How many come with a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to start."""

    words: list[str]  # what would stand behind `python` on a command line
    directory: str
    environment: dict[str, str]
    own_session: bool
    cold: bool  # whether to start another interpreter after all, which has imported nothing


def serve(requests: socket.socket) -> Request | None:
    """Fork at each request; return it in the fork, and None in this process when nobody can ask any more."""
    waking, woken = os.pipe()
    for end in (waking, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the descriptor above hears of it
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), waking], [], [])
        if waking in ready:
            os.read(waking, 4096)
            bury(running)
        if requests.fileno() in ready:
            length, descriptors, _, _ = socket.recv_fds(requests, NUMBER.size, DESCRIPTORS)
            if not length:
                bury(running)
                return None
            request = Request(**json.loads(read(requests, *NUMBER.unpack(length))))
            pid = os.fork()
            if pid == 0:
                for each in (requests, *running.values()):
                    each.close()
                become(request, descriptors, (waking, woken))
                return request
            *standard, told = descriptors
            for descriptor in standard:
                os.close(descriptor)
            running[pid] = socket.socket(fileno=told)
            running[pid].sendall(NUMBER.pack(pid))


def read(requests: socket.socket, length: int) -> bytes:
    """Read so many bytes."""
    found = b""
    while len(found) < length:
        found += requests.recv(length - len(found))
    return found


def bury(running: dict[int, socket.socket]) -> None:
    """Tell of each program that has ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as told, suppress(OSError):  # nobody may want to know
            told.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def become(request: Request, descriptors: list[int], pipe: tuple[int, int]) -> None:
    """Let this process, a fork, be as one that was started for this request alone."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors[:3]):
        os.dup2(descriptor, number)
    for descriptor in (*descriptors, *pipe):
        os.close(descriptor)
    if request.own_session:
        os.setsid()
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)


def run(words: list[str]) -> None:
    """Do what `python` does with these words."""
    found = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    match words:
        case ["-m", module, *arguments]:
            sys.argv = [module, *arguments]
            sys.path[:0] = [str(Path.cwd()), *found]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", code, *arguments]:
            sys.argv = ["-c", *arguments]
            sys.path[:0] = ["", *found]
            sys.modules["__main__"] = main = ModuleType("__main__")
            exec(code, main.__dict__)  # noqa: S102 - the tests wrote it
        case [script, *arguments]:
            sys.argv = [script, *arguments]
            sys.path[:0] = [str(Path(script).parent), *found]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    sys.path.pop(0)  # where this file is
    for name in IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None and asked.cold:
        os.execve(sys.executable, [sys.executable, *asked.words], asked.environment)  # noqa: S606 - it is Python
    elif asked is not None:
        run(asked.words)
