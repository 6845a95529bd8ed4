"""The companion: a supervisor without a web server, beside Flask's own."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
import time

from queue_tool import environment
from queue_tool.errors import RestNotStarted
from queue_tool.host import data_dir, doorbell, lifeline, valkey
from queue_tool.host.doorbell import Doorbell
from queue_tool.host.lifeline import Lifeline
from queue_tool.model import events
from queue_tool.model.settings import Settings
from queue_tool.model.telemetry import Telemetry

START_TIMEOUT = 60.0
"""Seconds in which the rest of the system must be up."""

PAUSE = 1.0
"""Seconds before a companion that was killed is started again."""


class Companion:
    """Starts it, starts it again when it was killed, and ends this process when it ends by itself."""

    def __init__(self, settings: Settings, telemetry: Telemetry, owner: Lifeline, bell: Doorbell) -> None:
        """Prepare; nothing is started yet."""
        self._data_dir = settings.data_dir
        self._telemetry = telemetry
        self._lifeline = owner
        self._bell = bell
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when its Redis answers.

        Raises:
            RestNotStarted: it ended at once, and has said why.
        """
        self._process = self._spawn()
        atexit.register(self._end)
        self._await(self._process)
        threading.Thread(target=self._look_after, args=[self._process], name="companion", daemon=True).start()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_TIMEOUT
        while data_dir.owner(self._data_dir) != process.pid or not valkey.answers(self._data_dir):
            if process.poll() is not None or time.monotonic() > until:
                raise RestNotStarted
            time.sleep(0.02)

    def _look_after(self, process: subprocess.Popen[bytes]) -> None:
        while (code := process.wait()) < 0 and not self._ending.wait(PAUSE):
            self._telemetry.emit(events.ChildDied(child="up", code=code))
            with self._lock:
                if self._ending.is_set():
                    return
                process = self._process = self._spawn()
            doorbell.ring(self._bell.writing)  # the first ring is that of the start, and the reloader's has passed
        if not self._ending.is_set():  # it has said why, and without it this is no whole system
            os.kill(os.getpid(), signal.SIGTERM)

    def _end(self) -> None:
        with self._lock:
            self._ending.set()
            self._lifeline.cut()
        if self._process is not None:
            self._process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "queue_tool", "up"],
            env=environment.for_child(
                {
                    "QUEUE_TOOL_WEB": "0",
                    lifeline.VARIABLE: str(self._lifeline.reading),
                    doorbell.VARIABLE: str(self._bell.reading),
                }
            ),
            pass_fds=[self._lifeline.reading, self._bell.reading],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
