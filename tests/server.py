"""A Valkey server that a test can kill, pause, fill and wipe."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from queue_tool.host import valkey
from tests.support import LIMIT


class Server:
    """A Valkey server that belongs to one test."""

    def __init__(self, directory: Path) -> None:
        """Start the server with this data directory."""
        self.directory = directory
        self.url = valkey.url(directory)
        self.start()

    def start(self) -> None:
        """Start the server with the data that it saved."""
        self._guardian: subprocess.Popen[bytes] = valkey.start(self.directory)

    def kill(self) -> None:
        """Kill the server."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def hang(self) -> None:
        """Pause the server: it answers no request."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Resume the server."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Return the server's pid, which its guardian has written to a file."""
        return int((self.directory / "valkey" / "server.pid").read_text().split()[0])

    def wipe(self) -> None:
        """Delete the data that the server saved."""
        shutil.rmtree(self.directory / "valkey" / valkey.AOF_DIR)

    def stop(self) -> None:
        """Stop the server, if it runs."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait(LIMIT)
