"""The companion: a supervisor without a web server, for a process in which Flask's server runs."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
import time

from queue_tool import environment
from queue_tool.errors import RestNotStarted
from queue_tool.host import data_dir, doorbell, lifeline, processes, valkey
from queue_tool.host.doorbell import Doorbell
from queue_tool.host.lifeline import Lifeline
from queue_tool.model import events
from queue_tool.model.settings import Settings
from queue_tool.model.telemetry import Telemetry
from queue_tool.web.serving.interrupts import Interrupts

START_TIMEOUT = 60.0
"""Seconds within which the rest of the system must be ready."""

PAUSE = 1.0
"""Seconds before a killed companion is started again."""

INTERRUPT_EVERY = 0.1
"""Seconds between two Ctrl-Cs for a companion that must end at once: its first one may only begin its end."""


class Companion:
    """Starts the companion and restarts it if it is killed. If the companion exits by itself, this process ends too."""

    def __init__(
        self, settings: Settings, telemetry: Telemetry, owner: Lifeline, bell: Doorbell, interrupts: Interrupts
    ) -> None:
        """Prepare the companion without starting it.

        Args:
            settings: the settings of this process.
            telemetry: receives an event for each killed companion.
            owner: ends the companion when this process ends.
            bell: tells the companion that new code is loaded.
            interrupts: the Ctrl-Cs of this process; a second one ends the companion at once.
        """
        self._data_dir = settings.data_dir
        self._telemetry = telemetry
        self._lifeline = owner
        self._bell = bell
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the companion and wait until its Redis responds.

        Raises:
            RestNotStarted: the companion ended or was not ready in time; its own log says why.
        """
        self._process = self._spawn()
        atexit.register(self._end)
        self._await(self._process)
        threading.Thread(target=self._supervise, args=[self._process], name="companion", daemon=True).start()

    def _await(self, process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + START_TIMEOUT
        while data_dir.owner(self._data_dir) != process.pid or not valkey.answers(self._data_dir):
            if process.poll() is not None or time.monotonic() > until:
                raise RestNotStarted
            if valkey.is_loading(self._data_dir):  # it reads its append-only file, without a time limit
                until = time.monotonic() + START_TIMEOUT
            time.sleep(0.02)

    def _supervise(self, process: subprocess.Popen[bytes]) -> None:
        while (code := process.wait()) < 0 and not self._ending.wait(PAUSE):
            self._telemetry.emit(events.ChildDied(child="up", code=code))
            with self._lock:
                if self._ending.is_set():
                    return
                process = self._process = self._spawn()
            # A companion ignores its first ring, which normally comes from the reloader.
            doorbell.ring(self._bell.writing)
        if not self._ending.is_set():  # its log says why it exited, and this process cannot work without it
            os.kill(os.getpid(), signal.SIGTERM)

    def _end(self) -> None:
        """Let the companion drain and end. It has a session of its own, so this process passes a second Ctrl-C on."""
        self._interrupts.end()
        with self._lock:
            self._ending.set()
            self._lifeline.cut()
        while self._process is not None:
            try:
                self._process.wait(INTERRUPT_EVERY)
            except subprocess.TimeoutExpired:
                if self._interrupts.repeated:
                    self._process.send_signal(signal.SIGINT)
            else:
                return

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            processes.python("queue_tool", "up"),
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
