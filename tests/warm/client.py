"""Start programs by a fork of a warm interpreter, and control the started programs."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from tests.warm.server import NUMBER, Request

SHARED = "TEST_WARM"
"""The environment variable with the path of the socket of the shared interpreter."""


class Program:
    """A started program, with the interface of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], reports: socket.socket) -> None:
        """Wait until the program has started.

        Args:
            words: the arguments of `python`.
            reports: a socket that delivers the pid, and the exit code when the program has ended.
        """
        self.args = list(words)
        self.returncode: int | None = None
        self._reports = reports
        (self.pid,) = NUMBER.unpack(reports.recv(NUMBER.size, socket.MSG_WAITALL))

    def poll(self) -> int | None:
        """Return the exit code; None while the program runs."""
        if self.returncode is None and select.select([self._reports], [], [], 0)[0]:
            self._read_exit_code()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until the program ends; return its exit code. If signal N ended it, that is -N.

        Args:
            timeout: seconds; None waits forever.

        Raises:
            subprocess.TimeoutExpired: the program still runs after `timeout` seconds.
        """
        if self.returncode is None:
            if not select.select([self._reports], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._read_exit_code()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, which: signal.Signals) -> None:
        """Send a signal to the program, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, which)

    def terminate(self) -> None:
        """Ask the program to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the program."""
        self.send_signal(signal.SIGKILL)

    def _read_exit_code(self) -> None:
        (self.returncode,) = NUMBER.unpack(self._reports.recv(NUMBER.size, socket.MSG_WAITALL))
        self._reports.close()


class Interpreter:
    """The warm interpreter, seen from the test process: a child process that forks programs."""

    def __init__(self) -> None:
        """Start the interpreter without waiting for its imports: the first program waits for them."""
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        if SHARED in os.environ:
            self._requests = socket.socket(socket.AF_UNIX)
            self._requests.connect(os.environ[SHARED])
            return
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = _started("connection", theirs, stdin=subprocess.DEVNULL)

    def start(
        self,
        words: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[Any],
        stderr: IO[Any],
        stdin: IO[Any] | None = None,
        own_session: bool = False,
        cold: bool = False,
    ) -> Program:
        """Start `python` with these arguments.

        Args:
            words: the arguments of `python`.
            cwd: the working directory.
            env: the environment.
            stdout: a file for the standard output.
            stderr: a file for the standard error.
            stdin: a file for the standard input; None: it is empty.
            own_session: whether the program gets its own session, with `setsid`.
            cold: whether the program starts a new interpreter, which has imported nothing.
        """
        request = Request(
            words=[str(word) for word in words],
            directory=str(cwd),
            environment=dict(env),
            own_session=own_session,
            cold=cold,
        )
        body = json.dumps(asdict(request)).encode()
        ours, theirs = socket.socketpair()
        with theirs, Path(os.devnull).open("rb") as nothing, self._lock:
            descriptors = [file.fileno() for file in (stdin or nothing, stdout, stderr, theirs)]
            socket.send_fds(self._requests, [NUMBER.pack(len(body))], descriptors)
            self._requests.sendall(body)
        return Program(request.words, ours)

    def run(
        self, words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Start `python` with these arguments and wait until it ends; return its exit code and output.

        Raises:
            subprocess.TimeoutExpired: the program ran longer than `timeout` seconds and was killed.
        """
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as errors:
            program = self.start(words, cwd=cwd, env=env, stdout=out, stderr=errors)
            try:
                code = program.wait(timeout)
            except subprocess.TimeoutExpired:
                program.kill()
                program.wait()
                raise
            out.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(program.args, code, out.read(), errors.read())

    def close(self) -> None:
        """Stop the interpreter; it kills the programs that still run. It does the same when this process is killed."""
        self._requests.shutdown(socket.SHUT_WR)
        self._requests.recv(1)  # until the interpreter has closed its end
        self._requests.close()
        if self._process is not None:
            self._process.wait()


class Shared:
    """An interpreter that the processes of a test session share: each gets a fork of it. It ends with this process."""

    def __init__(self) -> None:
        """Start it, and show it to the processes that start from now on."""
        self._folder = tempfile.TemporaryDirectory(prefix="warm")
        path = str(Path(self._folder.name) / "s")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(64)
            self._process = _started("listener", listener, stdin=subprocess.PIPE)
        os.environ[SHARED] = path

    def close(self) -> None:
        """Stop it."""
        del os.environ[SHARED]
        self._process.communicate()
        self._folder.cleanup()


def _started(kind: str, connection: socket.socket, stdin: int) -> subprocess.Popen[bytes]:
    server = str(Path(__file__).with_name("server.py"))
    command = [sys.executable, server, kind, str(connection.fileno())]
    return subprocess.Popen(command, pass_fds=[connection.fileno()], stdin=stdin)
