"""A warm process of the isolated lane, seen from inside: it does one task after the other."""

from __future__ import annotations

import fcntl
import os
import termios
import time
from contextlib import suppress
from datetime import timedelta
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from queue_tool.environment import load_settings
from queue_tool.execution.call import execute_here
from queue_tool.execution.isolation import Reporter, become_ordinary
from queue_tool.execution.process_tree import end_with_parent
from queue_tool.execution.sending import Asked, PipeSender
from queue_tool.host import logs, output
from queue_tool.host.begun import Entries
from queue_tool.host.clock import CLOCK
from queue_tool.known_types import load_types
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.continuation import batch_in, task_in
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.ticket import ticket_id
from queue_tool.worker.board import Board
from queue_tool.worker.permits import Request, Requests
from queue_tool.worker.surroundings import Surroundings


class Ends(NamedTuple):
    """The ends of the pipes that a warm process has."""

    permits: Connection  # brings the numbers of the runs that may begin
    requests: Connection  # brings requests, and answers to questions
    reports: Connection  # takes progress, log lines, questions, and how each run ended
    bell: Connection  # takes a byte if the worker should read the reports now
    stdout: Connection
    stderr: Connection


def request_of(run: Run, number: int = 0, entry: int = 0) -> bytes:
    """Return what a process needs to know of a run, as it reads it."""
    task = run.task
    request = Request(
        number=number,
        entry=entry,
        token=task.token,
        attempt=task.attempt,
        run=task.run,
        task_type=task.task_type,
        data=task.data,
        parameters=task.parameters,
        timeout=run.timeout,
        parent=task.parent,
    )
    return json_text.dumps(tuple(request)) + b"\n"


def serve(directory: Path | None, ends: Ends, memory: int, board: Board, begun: Entries) -> None:
    """Do what the worker requests, one task after the other, until it closes the pipe or the process is unusable.

    Args:
        directory: the working directory of the tasks; None: it has been removed.
        ends: the ends of the pipes to and from the worker.
        memory: the bytes that this process may occupy before another one takes its place.
        board: shows the worker which run has begun.
        begun: where this process notes what it has begun. The worker clears it.
    """
    become_ordinary()
    end_with_parent()
    output.send_to(ends.stdout.fileno(), ends.stderr.fileno())
    ends.stdout.close()
    ends.stderr.close()
    if directory is not None:
        with suppress(OSError):  # it has been removed
            os.chdir(directory)
    types, reporter, surroundings = known_types(), _Ringing(ends), Surroundings(memory)
    with open(ends.requests.fileno(), "rb", closefd=False) as lines:
        requests = Requests(ends.permits, lines, reporter.ring)
        sender = PipeSender(reporter, requests)
        while (request := requests.next()) is not None:
            reads, called_at = board.reads(), time.monotonic()
            board.note_call(request.number, called_at)
            begun.note(request.entry, ticket_id(request.token, request.run))
            ended = execute_here(
                types[request.task_type], json_text.loads(request.data), context_of(request, reporter, sender)
            )
            times = called_at, time.monotonic()
            again = surroundings.restore() and sender.is_idle  # else an answer may still come
            has_written = _has_unread(1) or _has_unread(2) or board.reads() != reads
            reporter.ended(ended, again=again, times=times, has_written=has_written)
            if not again:
                break
            if has_written:  # the worker must not take it for output of the next run
                requests.await_receipt()


def context_of(request: Request, reporter: Reporter, sender: PipeSender) -> Context:
    """Return the context for the function of a request, which is called now."""
    return Context(
        token=request.token,
        attempt=request.attempt,
        run=request.run,
        deadline=CLOCK.now() + timedelta(seconds=request.timeout) if request.timeout else None,
        parameters=json_text.loads(request.parameters) if request.parameters else {},  # type: ignore[arg-type] # an object
        on_news=reporter.notes,
        parent_batch=batch_in(request.parent),
        parent=task_in(request.parent),
        send=sender,
    )


class _Ringing(Reporter):
    """Rings for the worker, which reads the reports of short runs only now and then."""

    def __init__(self, ends: Ends) -> None:
        super().__init__(ends.reports.fileno())
        self._bell = ends.bell.fileno()
        os.set_blocking(self._bell, False)

    def notes(self, context: Context) -> None:
        super().notes(context)
        self.ring()

    def ask(self, question: Asked) -> None:
        super().ask(question)
        self.ring()

    def ended(
        self, ended: Ended, *, again: bool = False, times: tuple[float, float] | None = None, has_written: bool = False
    ) -> None:
        super().ended(ended, again=again, times=times, has_written=has_written)
        if has_written or not again:
            self.ring()

    def ring(self) -> None:
        with suppress(BlockingIOError):  # it rings already
            os.write(self._bell, b"!")


def _has_unread(descriptor: int) -> bool:
    """Return whether a pipe has bytes that the worker has not read. True if this system cannot say it."""
    try:
        return fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)) != bytes(4)
    except OSError:
        return True


@cache
def known_types() -> TaskTypes:
    """Return the task types of the environment. The fork server loads them once, and each fork inherits them."""
    settings = load_settings()
    logs.configure(logs.ISOLATED, settings.log_level, settings.log_format)
    output.capture()
    return load_types(settings)
