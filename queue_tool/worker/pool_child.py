"""A warm process of the isolated lane, seen from inside: it does one task after the other."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from queue_tool.environment import load_settings
from queue_tool.execution.call import execute_here
from queue_tool.execution.isolation import Reporter, become_ordinary
from queue_tool.execution.process_tree import end_with_parent
from queue_tool.execution.sending import PipeSender
from queue_tool.host import logs, output
from queue_tool.host.clock import CLOCK
from queue_tool.known_types import load_types
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.run import Run
from queue_tool.model.task_types import TaskTypes
from queue_tool.worker.surroundings import Surroundings


class Request(NamedTuple):
    """What a warm process needs to know of a run. It is sent as a line of JSON."""

    token: str
    attempt: int
    run: int
    task_type: str
    data: str  # JSON text
    parameters: str | None  # JSON text of an object
    deadline: str | None  # ISO 8601


def request_of(run: Run) -> Request:
    """Return what a process needs to know of a run that begins now."""
    task, deadline = run.task, run.deadline(CLOCK.now())
    return Request(
        token=task.token,
        attempt=task.attempt,
        run=task.run,
        task_type=task.task_type,
        data=task.data,
        parameters=task.parameters,
        deadline=deadline.isoformat() if deadline else None,
    )


def written(request: Request) -> bytes:
    """Return a request as `serve` reads it."""
    return json_text.dumps(tuple(request)) + b"\n"


def serve(
    directory: Path | None,
    requests: Connection,
    reports: Connection,
    printed: tuple[Connection, Connection],
    memory: int,
) -> None:
    """Do what the worker requests, one task after the other, until it closes the pipe or the process is unusable.

    Args:
        directory: the working directory of the tasks; None: it has been removed.
        requests: the reading end of a pipe with requests.
        reports: the writing end of a pipe for progress, log lines, and how each run ended.
        printed: the writing ends of pipes for stdout and stderr.
        memory: the bytes that this process may occupy before another one takes its place.
    """
    become_ordinary()
    end_with_parent()
    stdout, stderr = printed
    output.send_to(stdout.fileno(), stderr.fileno())
    stdout.close()
    stderr.close()
    if directory is not None:
        with suppress(OSError):  # it has been removed
            os.chdir(directory)
    types, reporter, surroundings = known_types(), Reporter(reports.fileno()), Surroundings(memory)
    with open(requests.fileno(), "rb", closefd=False) as arriving:
        for line in arriving:
            sender = PipeSender(reporter, arriving)
            request = Request(*json_text.loads(line))  # type: ignore[misc] # our own worker has written it
            ended = execute_here(
                types[request.task_type], json_text.loads(request.data), context_of(request, reporter, sender)
            )
            again = surroundings.restore() and sender.is_idle  # else an answer may still come
            reporter.ended(ended, again=again)
            if not again:
                break


def context_of(request: Request, reporter: Reporter, sender: PipeSender) -> Context:
    """Return the context for the function of a request."""
    return Context(
        token=request.token,
        attempt=request.attempt,
        run=request.run,
        deadline=datetime.fromisoformat(request.deadline) if request.deadline else None,
        parameters=json_text.loads(request.parameters) if request.parameters else {},  # type: ignore[arg-type] # an object
        on_news=reporter.notes,
        send=sender,
    )


@cache
def known_types() -> TaskTypes:
    """Return the task types of the environment. The fork server loads them once, and each fork inherits them."""
    settings = load_settings()
    logs.configure(logs.ISOLATED, settings.log_level, settings.log_format)
    output.capture()
    return load_types(settings)
