"""The supervisor: `queue-tool up`, a whole system under one process.

It starts Valkey (in embedded mode), the workers and the web process, and it sweeps. It restarts children that die, and
stops all of them in an order that loses no task. Each child runs in its own session, so Ctrl-C reaches only the
supervisor. When the supervisor is killed, its children notice it through the lifeline.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from functools import partial

from queue_tool.environment import inherited_descriptor
from queue_tool.errors import ChildKeepsDying, QueueToolError, StoreAway
from queue_tool.host import doorbell, lifeline, processes, readiness, signals, valkey
from queue_tool.host.lifeline import Lifeline
from queue_tool.host.readiness import Readiness
from queue_tool.host.signals import OF_SUPERVISOR, TO_SUPERVISOR
from queue_tool.model import events
from queue_tool.model.settings import INLINE, Settings
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import Runtime
from queue_tool.supervisor.child import MAX_FAILED_STARTS, Child, Process, kill_group, kill_if_running, terminate
from queue_tool.supervisor.greeting import greet
from queue_tool.supervisor.prepared import PreparedProcesses
from queue_tool.supervisor.scale import ScaleReader
from queue_tool.supervisor.sweeping import sweep_until
from queue_tool.supervisor.workers import KILL_AFTER, Size, Workers

WRITE_TIME = 10.0
"""Seconds that a worker may take after its drain to write its last outcomes, or to find that it cannot."""

_STOP = "stop"
_NEW_CODE = "new code"
_WAKE = "a signal has come, and its handler runs before anything else"


def commands(settings: Settings) -> list[str]:
    """Return the command of each worker and of the web process, if there is one."""
    return ["worker"] * (0 if settings.redis_url == INLINE else settings.workers) + ["web"] * bool(settings.web)


class Supervisor:
    """Runs all parts of `queue-tool up`."""

    def __init__(self, runtime: Runtime, environment: Mapping[str, str], prepared: PreparedProcesses) -> None:
        """Plan the children. Nothing is started yet.

        Args:
            runtime: the runtime of this process.
            environment: the environment of the children.
            prepared: forks that become the first processes of workers and web, with the same environment.
        """
        self._runtime = runtime
        self._prepared = prepared
        self._telemetry: Telemetry = runtime.telemetry
        self._environment = dict(environment)
        self._lifeline = Lifeline()
        self._messages: queue.SimpleQueue[Child | str | Size] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._kill_now = False
        settings = runtime.settings
        self._valkey = [
            Child("valkey", self._start_valkey, KILL_AFTER * 2, OF_SUPERVISOR)
        ] if settings.embedded else []  # fmt: skip
        self._workers = Workers(self._worker, self._restart, self._telemetry)
        is_inline = settings.redis_url == INLINE
        self._scale = None if is_inline else ScaleReader(runtime, self._workers, self._messages.put)
        self._web = [Child("web", partial(self._command, "web"), settings.drain)] if settings.web else []
        self._consumers = [
            Child("consume", partial(self._command, "consume"), settings.drain, OF_SUPERVISOR)
        ] if settings.amqp_url else []  # fmt: skip

    def run(self) -> None:
        """Start everything and run until a signal or the lifeline stops it.

        Raises:
            ChildKeepsDying: a part ends right after each start.
            QueueToolError: a part cannot be started.
        """
        self._hear_signals()
        self._hear_owner()
        after_pass = [self._scale.read] if self._scale else []
        sweeper = threading.Thread(
            target=sweep_until, args=[self._stopping, self._runtime, *after_pass], name="sweeper", daemon=True
        )
        try:
            self._start_children()
            sweeper.start()
            if self._web:
                of_this = [self._runtime, self._workers, self._stopping]
                threading.Thread(target=greet, args=of_this, name="greeter", daemon=True).start()
            self._handle_messages()
        except valkey.StartCanceled:
            pass  # a signal came while Valkey was reading a large file
        finally:
            self._stop(sweeper)

    def _hear_signals(self) -> None:
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(name) is not signal.SIG_IGN:  # as by `nohup`, or by a shell for its background
                signal.signal(name, self._on_signal)
        signals.wake(self._on_wake)
        signal.signal(TO_SUPERVISOR, lambda *_: None)

    def _hear_owner(self) -> None:
        """End with the process that started this one, and renew the workers when it rings."""
        owner, bell = inherited_descriptor(lifeline.VARIABLE), inherited_descriptor(doorbell.VARIABLE)
        if owner is not None:
            lifeline.watch(owner, lambda: os.kill(os.getpid(), signal.SIGTERM))
        if bell is not None:
            doorbell.hear(bell, lambda: self._messages.put(_NEW_CODE))

    def _start_children(self) -> None:
        for child in self._valkey:
            self._start(child)
            self._runtime.broker.take_over()  # the owner of the data directory also owns its Valkey
        first = [self._workers.add() for _ in range(self._scale.enter() if self._scale else 0)]
        for child in (*first, *self._web, *self._consumers):
            self._start(child)
        self._prepared.discard()  # more were prepared than are wanted

    # -- while it runs -------------------------------------------------------------------------------------

    def _start_valkey(self, ready: Readiness) -> subprocess.Popen[bytes]:
        process = valkey.start(self._runtime.settings.data_dir, self._stopping)  # returns when Valkey answers
        readiness.report(ready.writing)
        return process

    def _worker(self, name: str) -> Child:
        patience = self._runtime.settings.drain + WRITE_TIME
        return Child(name, partial(self._command, "worker"), patience, OF_SUPERVISOR)

    def _command(self, name: str, ready: Readiness) -> Process:
        ends = {lifeline.VARIABLE: self._lifeline.reading, readiness.VARIABLE: ready.writing}
        return self._prepared.start(name, ends) or subprocess.Popen(
            processes.python("queue_tool", name),
            env=self._environment | {variable: str(descriptor) for variable, descriptor in ends.items()},
            pass_fds=list(ends.values()),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _start(self, child: Child) -> None:
        child.gone = threading.Event()
        child.readiness, child.born = Readiness(), time.monotonic()
        child.process = child.start(child.readiness)
        self._telemetry.emit(events.ChildStarted(child=child.name, pid=child.process.pid))
        threading.Thread(target=self._await_end, args=[child, child.process], daemon=True).start()

    def _await_end(self, child: Child, process: Process) -> None:
        try:
            if hasattr(os, "waitid"):  # no other process gets its pid, and thus its group id, before it is reaped
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                kill_group(process)
            process.wait()
        finally:
            child.gone.set()
            self._messages.put(child)

    def _handle_messages(self) -> None:
        while True:
            message = self._messages.get()
            if isinstance(message, Size):
                self._workers.resize(message)
            elif message == _NEW_CODE:
                self._workers.renew()
            elif message == _WAKE:
                continue
            elif isinstance(message, str):
                return
            elif message.process is not None:
                self._handle_end(message, message.process)
            elif not message.dismissed:
                self._restart(message)

    def _handle_end(self, child: Child, process: Process) -> None:
        """Handle the end of a child. Its pid may belong to another process from now on."""
        child.process = None
        lived, was_ready = time.monotonic() - child.born, child.was_ready()
        if child.dismissed:
            self._workers.leaving.remove(child)
            return
        self._telemetry.emit(events.ChildDied(child=child.name, code=process.returncode, lived=lived))
        self._restart_later(child, was_ready=was_ready, lived=lived)

    def _restart(self, child: Child) -> None:
        try:
            self._start(child)
        except (QueueToolError, OSError) as error:
            self._telemetry.emit(events.ChildDied(child=child.name, reason=str(error)))
            self._restart_later(child, was_ready=child.was_ready(), lived=0.0)

    def _restart_later(self, child: Child, *, was_ready: bool, lived: float) -> None:
        matters = not (was_ready or child.proved or self._stopping.is_set())
        child.note_end(was_ready=was_ready, lived=lived, is_excused=matters and self._is_database_away())
        if child.keeps_dying:
            raise ChildKeepsDying(
                f"{child.name} ended {MAX_FAILED_STARTS} times right after its start: see the lines above."
            )
        later = threading.Timer(child.delay(was_ready=was_ready), self._messages.put, [child])
        later.daemon = True
        later.start()

    def _is_database_away(self) -> bool:
        try:
            self._runtime.ready.try_database()
        except QueueToolError as error:
            return isinstance(error, StoreAway)
        return False

    # -- stop ----------------------------------------------------------------------------------------------

    def _on_wake(self, number: int) -> None:
        """Handle a signal in the thread that hears of each one."""
        self._messages.put(_WAKE)
        if number == TO_SUPERVISOR and self._scale is not None:
            self._scale.read_soon()

    def _on_signal(self, signum: int, _frame: object) -> None:
        self._kill_now = self._kill_now or (self._stopping.is_set() and signum == signal.SIGINT)
        self._stopping.set()
        self._messages.put(_STOP)

    def _stop(self, sweeper: threading.Thread) -> None:
        """Stop web and consumer, workers, sweeper and Valkey, in this order."""
        self._stopping.set()
        self._telemetry.emit(events.Stopping(at_most=f"{self._runtime.settings.drain:g} s", at_once="Ctrl-C"))
        for group in (self._web + self._consumers, self._workers.present + self._workers.leaving):
            self._stop_group(group)
        if sweeper.is_alive():
            sweeper.join()
        if self._scale is not None:
            self._scale.leave()
        self._stop_group(self._valkey)
        self._lifeline.cut()
        self._telemetry.emit(events.Stopped())

    def _stop_group(self, group: list[Child]) -> None:
        running = [(child, child.process) for child in group if child.process is not None]
        for child, process in running:
            if not child.dismissed:
                terminate(child, process)
        for child, process in running:
            until = time.monotonic() + child.patience + KILL_AFTER
            while not child.gone.wait(0.05):
                if time.monotonic() > until or (self._kill_now and child not in self._valkey):
                    break
            kill_if_running(child, process)
            child.gone.wait()
