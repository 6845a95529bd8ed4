"""A Valkey of a test's own, which may be ended, stopped, filled and wiped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

from queue_tool.host import valkey


class Server:
    """A Valkey of this test's own."""

    def __init__(self, directory: Path) -> None:
        """Start it."""
        self.directory = directory
        self.url = valkey.url(directory)
        self.start()

    def start(self) -> None:
        """Start it again, with all that it has kept."""
        self._guardian: subprocess.Popen[bytes] = valkey.start(self.directory)

    def kill(self) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def hang(self) -> None:
        """Let it answer nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Return the server's process, which its guardian has noted."""
        return int((self.directory / "valkey" / "server.pid").read_text().split()[0])

    def wipe(self) -> None:
        """Forget all that it has kept."""
        shutil.rmtree(self.directory / "valkey" / valkey.AOF_DIR)

    def stop(self) -> None:
        """End it, if it is there."""
        assert self._guardian.stdin is not None
        self._guardian.stdin.close()
        self._guardian.wait(20)
