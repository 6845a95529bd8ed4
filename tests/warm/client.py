"""What starts programs, and the programs as those who have started them see them."""

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


class Program:
    """A program that was started, in the words of `subprocess.Popen`."""

    def __init__(self, words: Sequence[str], told: socket.socket) -> None:
        """Wait until it is there; the socket tells its pid, and its exit code when it has ended."""
        self.args = list(words)
        self.returncode: int | None = None
        self._told = told
        (self.pid,) = NUMBER.unpack(told.recv(NUMBER.size, socket.MSG_WAITALL))

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        if self.returncode is None and select.select([self._told], [], [], 0)[0]:
            self._bury()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; return its exit code, which is the signal's number below zero where one has ended it.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._bury()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, which: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        if self.poll() is None:
            os.kill(self.pid, which)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _bury(self) -> None:
        (self.returncode,) = NUMBER.unpack(self._told.recv(NUMBER.size, socket.MSG_WAITALL))
        self._told.close()


class Interpreter:
    """The process that forks."""

    def __init__(self) -> None:
        """Start it; it is ready when it has forked for the first time."""
        self._lock = threading.Lock()
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("server.py")), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def start(
        self,
        words: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: IO[Any],
        stderr: IO[Any],
        own_session: bool = False,
        cold: bool = False,
    ) -> Program:
        """Start what `python` would start with these words, with nothing to read; a cold one has imported nothing."""
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
            given = [each.fileno() for each in (nothing, stdout, stderr, theirs)]
            socket.send_fds(self._requests, [NUMBER.pack(len(body))], given)
            self._requests.sendall(body)
        return Program(request.words, ours)

    def run(
        self, words: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Start something and wait for its end; return what it has written.

        Raises:
            subprocess.TimeoutExpired: it was ended after so many seconds.
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
        """End it; what it has started goes on."""
        self._requests.close()
        self._process.wait()
