"""The warm interpreter, which forks programs: `python server.py connection|listener DESCRIPTOR`.

DESCRIPTOR is the socket that requests come from, or one that listens. Then each connection gets an interpreter of its
own, a fork, until the standard input ends: so the processes of a test session share the time of the imports.

A request is a length of four bytes, sent with four file descriptors, and then that many bytes of JSON. The descriptors
are the program's standard input, output and error, and a socket that delivers its pid and later its exit code to the
caller.
"""

from __future__ import annotations

import atexit
import ctypes
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
    "queue_tool.cli.client.submitting",
    "queue_tool.cli.main",
    "queue_tool.client.blocking",
    "queue_tool.store.migrations",
    "queue_tool.supervisor",
    "queue_tool.web.app",
    "queue_tool.worker.process",
    "rich.live",
    "rich.table",
    "rq.cli",
    "sqlalchemy.dialects.postgresql",
)
"""The modules that are imported before a fork. Their import has no side effects."""

_imported: dict[str, ModuleType] = {}  # what was imported before the first fork

NUMBER = struct.Struct("!i")
"""The format of a length, a pid and an exit code."""

DESCRIPTORS = 4
"""The number of file descriptors in a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The program to start."""

    words: list[str]  # the arguments of `python`
    directory: str
    environment: dict[str, str]
    own_session: bool
    cold: bool  # whether the fork starts a new interpreter, which has imported nothing


def keep_imported() -> None:
    """Keep the modules that are imported now, however a fork ends: see `leave_imported`."""
    _imported.update(
        (name, module)
        for name, module in sys.modules.items()
        if name not in ("__main__", "builtins", "codecs", "io", "sys") and not name.startswith("encodings")
    )
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(_imported))


def leave_imported() -> None:
    """Hide the modules that were imported before the fork, when all else of a program has ended.

    Otherwise the end of the interpreter would clear them one by one, and so copy the memory that the forks share: that
    takes longer than many programs. What the program itself has made is ended as always.
    """
    for name in _imported:
        sys.modules.pop(name, None)


def share(listener: socket.socket) -> socket.socket | None:
    """Fork at each connection. Return the connection in the fork, and None in this process when its input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # then the kernel reaps the forks
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return None
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            return connection
        connection.close()


def serve(requests: socket.socket) -> Request | None:
    """Fork at each request. Return the request in the fork, and None in this process when the caller has closed."""
    waking, woken = os.pipe()
    for end in (waking, woken):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # without a handler, the wakeup descriptor gets no byte
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), waking], [], [])
        if waking in ready:
            os.read(waking, 4096)
            reap(running)
        if requests.fileno() in ready:
            length, descriptors, _, _ = socket.recv_fds(requests, NUMBER.size, DESCRIPTORS)
            if not length:  # the caller has closed, or was killed
                reap(running)
                kill(running)
                return None
            request = Request(**json.loads(read(requests, *NUMBER.unpack(length))))
            pid = os.fork()
            if pid == 0:
                for connection in (requests, *running.values()):
                    connection.close()
                become(request, descriptors, (waking, woken))
                return request
            *standard, reports = descriptors
            for descriptor in standard:
                os.close(descriptor)
            running[pid] = socket.socket(fileno=reports)
            running[pid].sendall(NUMBER.pack(pid))


def read(requests: socket.socket, length: int) -> bytes:
    """Read `length` bytes."""
    found = b""
    while len(found) < length:
        found += requests.recv(length - len(found))
    return found


def reap(running: dict[int, socket.socket]) -> None:
    """Reap each program that has ended, and send its exit code to the caller."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as reports, suppress(OSError):  # the caller may have closed its end
            reports.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def kill(running: dict[int, socket.socket]) -> None:
    """Kill the programs that still run: a caller that was killed cannot end them. Their own children then end, too."""
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def become(request: Request, descriptors: list[int], pipe: tuple[int, int]) -> None:
    """Give this process, a fork, the files, session, directory and environment of the request."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the tests may run where they are ignored: under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
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
    """Do what `python` does with these arguments."""
    found = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    sys.orig_argv[:] = [sys.executable, *words]  # with which Flask's reloader starts its child
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
    sys.path.pop(0)  # the directory of this file
    atexit.register(leave_imported)  # before all others, so that it is called last
    for name in IMPORTED:
        importlib.import_module(name)
    keep_imported()
    gc.collect()
    gc.freeze()
    given = socket.socket(fileno=int(sys.argv[2]))
    requests = share(given) if sys.argv[1] == "listener" else given
    program = serve(requests) if requests is not None else None
    if program is not None and program.cold:
        os.execve(sys.executable, [sys.executable, *program.words], program.environment)  # noqa: S606 - it is Python
    elif program is not None:
        run(program.words)
