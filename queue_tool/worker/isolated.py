"""The isolated lane: each run has its own process, forked from a small server process without threads.

A fork of this process would copy its locks, and some of them may be held by other threads. So the standard library's
fork server makes the forks. It has the user's task types loaded already, and it ends with this process.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import threading
from contextlib import suppress
from dataclasses import replace
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from queue_tool.environment import children_search_safely, load_settings
from queue_tool.execution import process_group
from queue_tool.execution.call import execute_here
from queue_tool.execution.current_task import CurrentTask
from queue_tool.execution.guard import Guard
from queue_tool.execution.isolation import answer_parent, hear_child
from queue_tool.host import logs, output
from queue_tool.host.working_directory import WorkingDirectory
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.model.states import Code
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskTypes
from queue_tool.runtime import load_types
from queue_tool.worker.child_output import ChildOutput
from queue_tool.worker.executors import ThreadExecutor
from queue_tool.worker.inbox import Inbox


class IsolatedExecutor(ThreadExecutor):
    """Calls functions in processes. Each slot has a thread, which waits for one process."""

    def __init__(self, slots: int, name: str, inbox: Inbox, directory: WorkingDirectory, *, start_server: bool) -> None:
        """Prepare to run at most `slots` processes at the same time.

        Args:
            slots: how many runs may be active at the same time.
            name: the prefix of the thread names.
            inbox: receives the ends of the runs.
            directory: the directory in which the processes start.
            start_server: start the fork server now, not at the first run.
        """
        super().__init__(slots, name, inbox)
        self._directory = directory
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["queue_tool.worker.preload"])
        self._children: dict[str, BaseProcess] = {}
        self._guard = Guard(self._forks)
        atexit.register(self._guard.close)
        self._starting = threading.Lock()
        self._started = False
        if start_server:
            self._ensure_server()

    def stop(self, ticket: str) -> None:
        """End the process group of a run, or prevent its start."""
        super().stop(ticket)
        child = self._children.get(ticket)
        if child is not None:
            _end_soon(child)

    def work(self, ticket: str, run: Run, context: Context) -> Ended:
        """Run the function in a new process and wait until that process ends."""
        self._ensure_server()
        self._guard.start()
        receiving, sending = self._forks.Pipe(duplex=False)
        path = self._directory.path
        printed = ChildOutput(self._forks, CurrentTask(run.task.token, run.task.task_type))
        child = self._forks.Process(
            target=run_in_child,
            args=(path, run.task, run.timeout, sending, printed.senders),
            name=ticket,
            daemon=True,
        )
        self._directory.leave_removed()  # the standard library reads the working directory
        child.start()
        self._children[ticket] = child
        sending.close()
        assert child.pid is not None  # noqa: S101 - it was started
        if context.canceled.is_set():  # the run was stopped while the process was starting
            child.kill()
        died = Code.WORKER_LOST if run.task.losses else Code.ERROR
        try:
            with self._guard.watching(child.pid):
                printed.start(child.pid)
                return hear_child(child, receiving, context, run.timeout, died)
        finally:
            child.kill()  # it has ended, unless its output cannot be read
            printed.drain()
            del self._children[ticket]

    def _ensure_server(self) -> None:
        """Start the fork server if this has not been done. If it dies, the standard library starts another one."""
        with self._starting:
            if not self._started:
                self._directory.leave_removed()
                with children_search_safely():
                    forkserver.ensure_running()
                self._started = True


def _end_soon(child: BaseProcess) -> None:
    """End the process group that a child leads, without waiting for it. The thread that hears the child reaps it."""
    assert child.pid is not None  # noqa: S101 - it was started
    threading.Thread(target=process_group.end, args=(child.pid,), name=f"end of {child.name}", daemon=True).start()


def run_in_child(
    directory: Path | None,
    task: Claimed,
    timeout: float | None,
    sending: Connection,
    printed: tuple[Connection, Connection],
) -> None:
    """Run one task in this child process and in this directory, and send its output and how it ended to the worker."""
    stdout, stderr = printed
    output.send_to(stdout.fileno(), stderr.fileno())
    stdout.close()
    stderr.close()
    if directory is not None:
        with suppress(OSError):  # it has been removed
            os.chdir(directory)
    task_type, data = known_types()[task.task_type], json_text.loads(task.data)
    context = Run(task=task, timeout=timeout).context()
    answer_parent(sending, lambda heard: execute_here(task_type, data, replace(context, on_news=heard)))


@cache
def known_types() -> TaskTypes:
    """Return the task types of the environment. The fork server loads them once, and each fork inherits them."""
    settings = load_settings()
    logs.configure(logs.ISOLATED, settings.log_level, settings.log_format)
    output.capture()
    return load_types(settings)
