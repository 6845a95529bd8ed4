"""Commands for shells, each of which is a fork of the warm interpreter: see `shim.py`."""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from signal import Signals

from tests.warm.client import Interpreter, Program

SHIM = Path(__file__).with_name("shim.py")


class Commands:
    """A folder with commands, and the threads that serve them."""

    def __init__(self, interpreter: Interpreter, folder: Path, commands: Mapping[str, Sequence[str]]) -> None:
        """Write the commands and listen for them.

        Args:
            interpreter: what forks.
            folder: a folder, with a short path, that does not exist yet.
            commands: the first arguments of `python` for each name of a command.
        """
        self._interpreter = interpreter
        self._listener = socket.socket(socket.AF_UNIX)
        folder.mkdir()
        self._listener.bind(str(folder / "s"))
        self._listener.listen(16)
        self.folder = folder
        for name, words in commands.items():
            line = shlex.join([sys.executable, "-I", "-S", str(SHIM), str(folder / "s"), *words])
            (folder / name).write_text(f'#!/bin/sh\nexec {line} "$@"\n', "utf-8")
            (folder / name).chmod(0o700)
        threading.Thread(target=self._accept, name="commands", daemon=True).start()

    def close(self) -> None:
        """Accept no further command."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        """Start a command's fork, pass signals on, and report its exit code."""
        with connection:
            length, descriptors, _, _ = socket.recv_fds(connection, 4, 3)
            body = b""
            while len(body) < int.from_bytes(length, "big"):
                body += connection.recv(65536)
            request = json.loads(body)
            read, out, errors = descriptors
            with os.fdopen(read, "rb") as given, os.fdopen(out, "wb") as stdout, os.fdopen(errors, "wb") as stderr:
                program = self._interpreter.start(
                    request["words"],
                    cwd=Path(request["directory"]),
                    env=request["environment"],
                    stdout=stdout,
                    stderr=stderr,
                    stdin=given,
                    own_session=True,
                )
            threading.Thread(target=_pass_on, args=[connection.dup(), program], daemon=True).start()
            code = program.wait()
            with suppress(OSError):  # the shim was killed
                connection.sendall(str(code).encode())


def _pass_on(connection: socket.socket, program: Program) -> None:
    """Send the program each signal that the shim received; kill it if the shim ends first."""
    with connection, suppress(OSError):
        while number := connection.recv(1):
            os.kill(program.pid, Signals(number[0]))
        if program.returncode is None:
            program.kill()
