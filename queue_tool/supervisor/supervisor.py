"""The supervisor: `queue-tool up`, a whole system under one process.

It starts Valkey (in embedded mode), the workers and the web processes, sweeps, starts again what dies, and
stops all of it in the order in which nothing is lost. Its children run in sessions of their own, so Ctrl-C
reaches the supervisor alone; when it is killed, they learn of it by the lifeline.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from queue_tool.environment import inherited_descriptor
from queue_tool.errors import ChildKeepsDying, QueueToolError, StoreAway
from queue_tool.host import doorbell, lifeline, valkey
from queue_tool.host.lifeline import Lifeline
from queue_tool.model import events
from queue_tool.model.settings import INLINE
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import Runtime
from queue_tool.supervisor.sweeping import sweep_until

TOO_SHORT = 5.0
"""Seconds that a child must live for its death to count as an accident."""

TOO_OFTEN = 5
"""Deaths in a row after lives too short, at which the whole system gives up."""

KILL_AFTER = 5.0
"""Seconds beyond its own time that a child gets before it is killed."""

LAST_WORDS = 10.0
"""Seconds that a worker may take after its drain to write its last outcomes, or to find out that it cannot."""

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - it is only recognised here
"""Addresses to listen on that nobody can open."""

_STOP = "stop"
_NEW_CODE = "new code"


@dataclass(slots=True)
class _Child:
    """A part of the system, and its process of the moment."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    patience: float  # seconds that it may take to stop
    process: subprocess.Popen[bytes] | None = None  # None: not started yet, or dead and to be started again
    born: float = 0.0
    early_deaths: int = 0
    replaced: bool = False  # is asked to end, so that it gets new code
    proved: bool = False  # has lived long enough once: whatever kills it now is no mistake of its own
    gone: threading.Event = field(default_factory=threading.Event)


class Supervisor:
    """Everything that `queue-tool up` runs."""

    def __init__(self, runtime: Runtime, environment: Mapping[str, str]) -> None:
        """Plan the children; nothing is started yet. The environment is the one that they get."""
        self._runtime = runtime
        self._telemetry: Telemetry = runtime.telemetry
        self._environment = dict(environment)
        self._lifeline = Lifeline()
        self._news: queue.SimpleQueue[_Child | str] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._hurry = False
        settings = runtime.settings
        self._valkey = [
            _Child("valkey", lambda: valkey.start(settings.data_dir), KILL_AFTER * 2)
        ] if settings.embedded else []  # fmt: skip
        self._workers = [
            _Child(f"worker-{number}", lambda: self._command("worker"), settings.drain + LAST_WORDS)
            for number in range(1, 1 + (0 if settings.redis_url == INLINE else settings.workers))
        ]
        self._web = [_Child("web", lambda: self._command("web"), settings.drain)] if settings.web else []

    def run(self) -> None:
        """Start everything and stay until somebody says stop.

        Raises:
            ChildKeepsDying: a part ends as soon as it is started.
            QueueToolError: a part cannot be started at all.
        """
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(name, self._on_signal)
        owner, bell = inherited_descriptor(lifeline.VARIABLE), inherited_descriptor(doorbell.VARIABLE)
        if owner is not None:
            lifeline.watch(owner, lambda: os.kill(os.getpid(), signal.SIGTERM))
        if bell is not None:
            doorbell.hear(bell, lambda: self._news.put(_NEW_CODE))
        sweeper = threading.Thread(
            target=sweep_until, args=[self._stopping, self._runtime], name="sweeper", daemon=True
        )
        try:
            for child in self._valkey:
                self._start(child)
                self._runtime.broker.take_over()  # who owns the data directory owns what is in it
            for child in (*self._workers, *self._web):
                self._start(child)
            sweeper.start()
            if self._web:
                threading.Thread(target=self._tell_when_ready, name="greeter", daemon=True).start()
            self._look_after()
        finally:
            self._stop(sweeper)

    # -- while it runs -------------------------------------------------------------------------------------

    def _command(self, name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "queue_tool", name],
            env=self._environment | {lifeline.VARIABLE: str(self._lifeline.reading)},
            pass_fds=[self._lifeline.reading],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _start(self, child: _Child) -> None:
        child.gone, child.replaced = threading.Event(), False
        child.process, child.born = child.start(), time.monotonic()
        self._telemetry.emit(events.ChildStarted(child=child.name, pid=child.process.pid))
        threading.Thread(target=self._await_end, args=[child, child.process], daemon=True).start()

    def _await_end(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        try:
            if hasattr(os, "waitid"):  # until it is waited for, its pid and so its group's name is nobody else's
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                _kill_group(process)
            process.wait()
        finally:
            child.gone.set()
            self._news.put(child)

    def _look_after(self) -> None:
        while True:
            news = self._news.get()
            if news == _NEW_CODE:
                self._replace_workers()
            elif isinstance(news, str):
                return
            elif news.process is None:
                self._start_again(news)
            else:
                self._bury(news, news.process)

    def _bury(self, child: _Child, process: subprocess.Popen[bytes]) -> None:
        """Forget a process that has ended: its pid may be somebody else's from here on."""
        child.process = None
        lived = time.monotonic() - child.born
        if child.replaced:
            self._start_again(child)
            return
        self._telemetry.emit(events.ChildDied(child=child.name, code=process.returncode, lived=lived))
        self._start_later(child, early=lived < TOO_SHORT)

    def _replace_workers(self) -> None:
        """Drain the workers; each is started anew, with the code as it is then, as soon as it has ended."""
        for child in self._workers:
            if child.process is not None and not child.replaced:
                child.replaced = True
                self._telemetry.emit(events.ChildReplaced(child=child.name))
                _ask_to_end(child, child.process)
                too_late = threading.Timer(child.patience + KILL_AFTER, _kill_if_there, [child, child.process])
                too_late.daemon = True
                too_late.start()

    def _start_again(self, child: _Child) -> None:
        try:
            self._start(child)
        except (QueueToolError, OSError) as error:
            self._telemetry.emit(events.ChildDied(child=child.name, reason=str(error)))
            self._start_later(child, early=True)

    def _start_later(self, child: _Child, *, early: bool) -> None:
        """Start a child that died again, the later the more often it died early."""
        child.early_deaths = child.early_deaths + 1 if early else 0
        child.proved = child.proved or not early
        if child.early_deaths >= TOO_OFTEN and not child.proved:
            raise ChildKeepsDying(
                f"{child.name} ended {TOO_OFTEN} times as soon as it was started: see the lines above."
            )
        later = threading.Timer(min(5.0, 0.1 * 2**child.early_deaths), self._news.put, [child])
        later.daemon = True
        later.start()

    def _tell_when_ready(self) -> None:
        """Say where to go as soon as somebody answers there and somebody works."""
        settings = self._runtime.settings
        while not (self._is_served() and self._is_worked_on()):
            if self._stopping.wait(0.05):
                return
        host = "127.0.0.1" if settings.host in EVERYWHERE else settings.host
        address = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
        self._telemetry.emit(events.Ready(open=address, data=settings.data_dir.absolute(), stop="Ctrl-C"))

    def _is_served(self) -> bool:
        settings = self._runtime.settings
        try:
            socket.create_connection((settings.host, settings.port), 1).close()
        except OSError:
            return False
        return True

    def _is_worked_on(self) -> bool:
        try:
            registered = {worker.process.pid for worker in self._runtime.store.workers.all()}
        except StoreAway:
            return False
        return all(child.process is not None and child.process.pid in registered for child in self._workers)

    # -- the end -------------------------------------------------------------------------------------------

    def _on_signal(self, signum: int, _frame: object) -> None:
        self._hurry = self._hurry or (self._stopping.is_set() and signum == signal.SIGINT)
        self._stopping.set()
        self._news.put(_STOP)

    def _stop(self, sweeper: threading.Thread) -> None:
        """Stop web, workers, sweeper, Valkey, in this order."""
        self._stopping.set()
        self._telemetry.emit(events.Stopping(at_most=f"{self._runtime.settings.drain:g} s", at_once="Ctrl-C"))
        for group in (self._web, self._workers):
            self._stop_group(group)
        if sweeper.is_alive():
            sweeper.join()
        self._stop_group(self._valkey)
        self._lifeline.cut()
        self._telemetry.emit(events.Stopped())

    def _stop_group(self, group: list[_Child]) -> None:
        running = [(child, child.process) for child in group if child.process is not None]
        for child, process in running:
            if not child.replaced:
                _ask_to_end(child, process)
        for child, process in running:
            until = time.monotonic() + child.patience + KILL_AFTER
            while not child.gone.wait(0.05):
                if time.monotonic() > until or (self._hurry and child not in self._valkey):
                    break
            _kill_if_there(child, process)
            child.gone.wait()


def _ask_to_end(child: _Child, process: subprocess.Popen[bytes]) -> None:
    if not child.gone.is_set():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGTERM)  # Popen.terminate would wait for it, which another thread does


def _kill_if_there(child: _Child, process: subprocess.Popen[bytes]) -> None:
    if child.process is process and not child.gone.is_set():
        _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End everything that is left in a child's session; often nothing is."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
