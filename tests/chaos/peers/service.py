"""Processes that are restarted when they die, as systemd does with Restart=always and KillMode=control-group."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tests.support import eventually

BACKOFF = 0.5
"""Seconds between the end of a process and its restart."""

PATIENCE = 10.0
"""Seconds that the remaining processes of a service have to end before they are killed."""


class Service:
    """One command that is restarted whenever it ends."""

    def __init__(self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
        """Prepare."""
        self.name = name
        self._command = list(command)
        self._folder = folder
        self._environment = dict(environment)
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Return the path of the log, which has the output of every start."""
        return self._folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        """Return the pid of the main process.

        Raises:
            ProcessLookupError: the main process is not running now.
        """
        if self._process is None or self._process.poll() is not None:
            raise ProcessLookupError(self.name)
        return self._process.pid

    def children(self) -> list[int]:
        """Return the pids of the main process's children."""
        main = self.pid
        return [pid for pid, parent, session in processes() if parent == main and session == main]

    def start(self) -> None:
        """Start the command, and restart it from now on whenever it ends."""
        self._stopping.clear()
        self._spawn()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper-{self.name}", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Send SIGTERM and wait; kill what has not ended after 30 s."""
        self._stopping.set()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        if self._keeper is None:
            return
        self._keeper.join(3 * PATIENCE)
        if self._keeper.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._keeper.join()

    def _spawn(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )

    def _keep(self) -> None:
        while self._process is not None:
            self._process.wait()
            _end_session(self._process.pid)
            if self._stopping.wait(BACKOFF):
                return
            self._spawn()
            if self._stopping.is_set():  # `stop` was called in the meantime
                self._process.terminate()


def processes() -> list[tuple[int, int, int]]:
    """Return the pid, the parent's pid and the session id of each process of this machine, without zombies."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        try:
            state, parent, _, session, *_ = (folder / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        except OSError:
            continue
        if state != "Z":
            found.append((int(folder.name), int(parent), int(session)))
    return found


def _end_session(leader: int) -> None:
    """End the remaining processes of the session of a dead main process."""

    def rest() -> list[int]:
        return [pid for pid, _, session in processes() if session == leader]

    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in rest():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        with suppress(AssertionError):
            eventually(lambda: not rest(), within=PATIENCE)
