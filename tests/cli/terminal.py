"""Commands as people and scripts run them: at a terminal of a given width, and with pipes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import tempfile
import termios
import threading
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import IO

import pyte

from tests.support import LIMIT, clean_environment
from tests.warm import Program, interpreter

LINES = 60
"""The height of the terminal: nothing may scroll out of it."""

WORDS = ("-m", "queue_tool")


class Terminal:
    """A terminal in which one command runs."""

    def __init__(self, *words: str, columns: int, cwd: Path, stdin: IO[bytes] | None = None, **settings: str) -> None:
        """Start the command.

        Args:
            words: its arguments.
            columns: the width of the terminal.
            cwd: the working directory.
            stdin: its standard input, if that is not the terminal.
            settings: settings by their names without the prefix `QUEUE_TOOL_`; NO_COLOR is the variable of that name.
        """
        plain = {"NO_COLOR": settings.pop("NO_COLOR")} if "NO_COLOR" in settings else {}
        environment = clean_environment(**settings) | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | plain
        for name in ("COLUMNS", "LINES"):
            environment.pop(name, None)
        self.written = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
        self._screen = pyte.Screen(columns, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        with os.fdopen(slave, "r+b", buffering=0) as end:
            self.program: Program = interpreter().start(
                [*WORDS, *words], cwd=cwd, env=environment, stdin=stdin or end, stdout=end, stderr=end, own_session=True
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def lines(self) -> list[str]:
        """Return the lines on the screen, without those that are empty."""
        with self._lock:
            return [line.rstrip() for line in self._screen.display if line.strip()]

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        os.kill(self.program.pid, signal.SIGINT)

    def wait(self) -> int:
        """Wait for the end of the command, and return its exit code."""
        code = self.program.wait(LIMIT)
        self._reader.join(LIMIT)
        return code

    def _read(self) -> None:
        try:
            while some := os.read(self._master, 65536):
                with self._lock:
                    self.written += some
                    self._stream.feed(some)
        except OSError:  # so Linux says that the other end is closed
            pass
        finally:
            os.close(self._master)


def run(*words: str, cwd: Path, given: bytes = b"", **settings: str) -> CompletedProcess[str]:
    """Run a command whose input and output are files, and return its end.

    Args:
        words: its arguments.
        cwd: the working directory.
        given: its standard input.
        settings: settings by their names without the prefix `QUEUE_TOOL_`.
    """
    with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        read.write(given)
        read.seek(0)
        program = begin(*words, cwd=cwd, stdin=read, stdout=out, stderr=errors, **settings)
        code = program.wait(LIMIT)
        return CompletedProcess(words, code, _text(out), _text(errors))


def begin(*words: str, cwd: Path, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], **settings: str) -> Program:
    """Start a command with these files, and do not wait."""
    environment = clean_environment(**settings)
    arguments: Sequence[str] = [*WORDS, *words]
    return interpreter().start(
        arguments, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=stderr, own_session=True
    )


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
