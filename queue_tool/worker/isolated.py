"""The isolated lane: each run in a process of its own, forked from a small server without threads.

A fork of this process would take its locks with it in whatever state its threads have left them. The server is
the standard library's; it has the user's task types loaded already, and ends with this process.
"""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from queue_tool.environment import load_settings
from queue_tool.execution.call import execute_here
from queue_tool.execution.isolation import answer_parent, hear_child
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.model.states import Code
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskTypes
from queue_tool.runtime import load_types
from queue_tool.worker.executors import ThreadExecutor
from queue_tool.worker.inbox import Inbox


class IsolatedExecutor(ThreadExecutor):
    """Calls functions in processes; each of a few threads waits for one of them."""

    def __init__(self, slots: int, name: str, inbox: Inbox, *, soon: bool) -> None:
        """Run at most so many at once; `soon` starts the server now, and not with the first of them."""
        super().__init__(slots, name, inbox)
        self._forks = multiprocessing.get_context("forkserver")
        self._forks.set_forkserver_preload(["queue_tool.worker.preload"])
        if soon:
            forkserver.ensure_running()
        self._children: dict[str, BaseProcess] = {}

    def stop(self, ticket: str) -> None:
        """Kill the process, or do not let it begin."""
        super().stop(ticket)
        child = self._children.get(ticket)
        if child is not None:
            child.kill()

    def work(self, ticket: str, run: Run, context: Context) -> Ended:
        """Run it in a process and wait for that."""
        receiving, sending = self._forks.Pipe(duplex=False)
        child = self._forks.Process(target=run_alone, args=(run.task, run.timeout, sending), name=ticket, daemon=True)
        child.start()
        self._children[ticket] = child
        sending.close()
        if context.canceled.is_set():  # it came while the process was being made
            child.kill()
        died = Code.WORKER_LOST if run.task.losses else Code.ERROR
        try:
            return hear_child(child, receiving, context, run.timeout, died)
        finally:
            del self._children[ticket]


def run_alone(task: Claimed, timeout: float | None, sending: Connection) -> None:
    """Do the work of one run in this process, which is there for nothing else."""
    task_type, data = known_types()[task.task_type], json_text.loads(task.data)
    context = Run(task=task, timeout=timeout).context()
    answer_parent(sending, lambda heard: execute_here(task_type, data, replace(context, on_news=heard)))


@cache
def known_types() -> TaskTypes:
    """Return the task types of the environment, loaded once in the server and there in each of its forks."""
    return load_types(load_settings())
