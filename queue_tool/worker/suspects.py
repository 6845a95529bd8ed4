"""Suspects: tasks that have lost two processes. They run together in a fresh process, since most are innocent.

If this process dies, too, each task that it runs has a third loss, and runs alone from then on.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import Future
from multiprocessing.process import BaseProcess

from queue_tool.execution import process_group
from queue_tool.execution.isolation import Hearing, deadline_after
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model.context import Context
from queue_tool.model.outcome import NOT_BEGUN, Ended, Failed
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.states import ALONE_FROM, MOST_TOGETHER, TOGETHER_FROM, Code
from queue_tool.worker.fork_server import ForkServer
from queue_tool.worker.pool_child import request_of
from queue_tool.worker.suspects_child import serve_together

_log = logging.getLogger("queue_tool.worker")


def shares_process(run: Run) -> bool:
    """Return whether a run shares its process with others. An isolated function may count on a process of its own."""
    isolated = run.task_type is None or run.task_type.lane is Lane.ISOLATED
    return TOGETHER_FROM <= run.task.losses < ALONE_FROM and not isolated


class SharedProcess:
    """A process for at most `MOST_TOGETHER` tasks. Any thread may give it a task."""

    def __init__(self, server: ForkServer, directory: WorkingDirectory) -> None:
        """Start the process.

        Args:
            server: forks it. Its guard ends the process group if this process is killed.
            directory: the directory in which tasks start.

        Raises:
            OSError: it cannot be started.
            EOFError: the server has ended.
        """
        self._server, forks = server, server.forks
        self._killing, self._is_killed = threading.Lock(), False
        requests = [forks.Pipe(duplex=False) for _ in range(MOST_TOGETHER)]
        reports = [forks.Pipe(duplex=False) for _ in range(MOST_TOGETHER)]
        theirs = [(asked, told) for (asked, _), (_, told) in zip(requests, reports, strict=True)]
        directory.leave_removed()  # the standard library reads the working directory
        child: BaseProcess = forks.Process(
            target=serve_together, args=(directory.path, theirs), name="suspects", daemon=True
        )
        try:
            self._born = server.start_process(child)
        finally:
            for channel in theirs:
                for end in channel:
                    end.close()
        assert child.pid is not None  # it was started
        self.pid = child.pid
        self._child = child
        self._shared = shared = _Child(child)
        self._hearings = [
            Hearing(shared, heard, asking) for (_, asking), (heard, _) in zip(requests, reports, strict=True)
        ]

    @property
    def was_told_to_end(self) -> bool:
        """Return whether a signal that tells a process to end has ended it."""
        return self._shared.exitcode in process_group.ORDERS

    def do(self, number: int, run: Run, context: Context) -> Ended:
        """Let the process do the task of a run, and wait until it has ended. A task at its deadline runs on.

        Args:
            number: the channel, which no other run has used.
            run: the run.
            context: receives the progress and the log lines.
        """
        hearing, until = self._hearings[number], deadline_after(run.timeout)
        begins_by = time.monotonic() + self._server.patience.seconds
        try:
            hearing.outlet.write(request_of(run), min(until, begins_by))
        except BrokenPipeError:  # another task has ended it
            return NOT_BEGUN
        report = hearing.hear(context, min(until, begins_by))
        if report is None and not hearing.has_heard:
            if begins_by <= min(until, time.monotonic()) and not any(each.has_heard for each in self._hearings):
                self._kill()
            if self._is_killed:  # perhaps by another thread
                return NOT_BEGUN
        return (report or hearing.outcome(context, until, run.timeout)).ended

    def _kill(self) -> None:
        """Kill the process, which begins nothing. Several threads may find that out."""
        with self._killing:
            if not self._is_killed:
                self._is_killed = True
                self._server.patience.was_in_vain()
                _log.warning("process %d of suspects begins nothing: it is killed, and another one starts", self.pid)
                process_group.send(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """End the process and its group, and wait until they have ended. No task may be waited for any more."""
        self._server.end_process(self._child, self._born, self._hearings[0].await_death)
        for hearing in self._hearings:
            hearing.close()


class Company:
    """The suspects of one shared process. The thread of a slot leads them: it starts the process and ends it."""

    def __init__(self, slot: int) -> None:
        """Start without a process. `slot` is the slot of the leader."""
        self.slot = slot
        self.process: Future[SharedProcess] = Future()
        self._changed = threading.Condition()
        self._joined = 0
        self._active: set[str] = set()  # tickets
        self._abandoned: set[str] = set()  # those of them that nobody waits for
        self._is_open = True

    @property
    def places(self) -> int:
        """Return how many runs may still join."""
        return MOST_TOGETHER - self._joined if self._is_open else 0

    @property
    def companions(self) -> int:
        """Return how many active runs take no slot: all but one."""
        return max(0, len(self._active) - 1)

    def join(self, ticket: str) -> int | None:
        """Join with a run. Return the number of its channel; None if the process takes no other run."""
        with self._changed:
            if not self.places:
                return None
            self._active.add(ticket)
            self._joined += 1
            return self._joined - 1

    def leave(self, ticket: str) -> None:
        """Note that nobody waits for a run any more."""
        with self._changed:
            self._active.discard(ticket)
            self._end_abandoned()
            self._changed.notify_all()

    def close(self) -> None:
        """Let no other run join, because the process has died or a function is left in it."""
        with self._changed:
            self._is_open = False

    def stop(self, ticket: str) -> None:
        """Note that a run is canceled. Its function ends with the process, which waits for the other runs."""
        with self._changed:
            if ticket in self._active:
                self._is_open = False
                self._abandoned.add(ticket)
                self._end_abandoned()

    def wait(self) -> None:
        """Wait until all runs have ended. No other run may join then."""
        with self._changed:
            self._changed.wait_for(lambda: not self._active)
            self._is_open = False

    def _end_abandoned(self) -> None:
        """End the process if all its runs are canceled. This does not wait."""
        if self._active and self._active <= self._abandoned:
            threading.Thread(target=self._end, name="end of suspects", daemon=True).start()

    def _end(self) -> None:
        if self.process.exception() is None:  # this waits for its start
            process_group.end(self.process.result().pid)


def is_tainted(ended: Ended) -> bool:
    """Return whether a run has left a function in its process, or has lost the process."""
    return ended is NOT_BEGUN or (isinstance(ended, Failed) and ended.code in (Code.TIMEOUT, Code.WORKER_LOST))


class _Child:
    """What several threads need to know of one process. The standard library's object is for one thread at a time."""

    def __init__(self, child: BaseProcess) -> None:
        self._child = child
        self._lock = threading.Lock()
        self.pid = child.pid
        self.sentinel = child.sentinel

    @property
    def exitcode(self) -> int | None:
        with self._lock:
            return self._child.exitcode
