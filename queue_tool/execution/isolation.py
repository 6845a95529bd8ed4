"""Isolation: a run in its own process group. Its process reports over a pipe, and the group ends with the run."""

from __future__ import annotations

import math
import multiprocessing
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import msgspec

from queue_tool.errors import MalformedJson
from queue_tool.execution import lines, process_group
from queue_tool.execution.lines import Lines
from queue_tool.execution.outlet import LONGEST_POLL, Outlet
from queue_tool.execution.process_group import Child
from queue_tool.execution.sending import Asked, PipeSender, answer_to
from queue_tool.model import json_text
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned, timed_out
from queue_tool.model.states import Code
from queue_tool.model.typed import convert

SHOWN = 80
"""The most bytes of an unreadable message that an error shows."""


class Report(NamedTuple):
    """What a child reports at the end of a run."""

    ended: Ended
    again: bool = False  # whether the child can do another task
    times: tuple[float, float] | None = None  # when the function was called and has returned (monotonic), if reported
    has_written: bool = False  # whether the run has written to stdout or stderr; then the child waits for a receipt


class Hearing:
    """Hears one child: the messages that it writes to a pipe, and its death."""

    def __init__(self, child: Child, receiving: Connection, writing: Connection) -> None:
        """Watch a child.

        Args:
            child: the process, which has been started.
            receiving: the reading end of the pipe to which it writes; `close` closes it.
            writing: the writing end of the pipe from which it reads; `close` closes it.
        """
        self.child = child
        self.receiving = receiving
        self.arriving = Lines(receiving.fileno())
        self.dead = _descriptor_of_death(child)  # can be read when the child has ended
        self.outlet = Outlet(writing, self.dead)
        self._poll = select.poll()
        self._poll.register(self.dead, select.POLLIN)
        self._poll.register(receiving.fileno(), select.POLLIN)
        self._has_pipe = True
        self.has_heard = False  # whether `hear` has read a message

    def hear(self, context: Context, until: float) -> Report | None:
        """Read messages until one reports how the run ended. Return None if the child dies first, or at the deadline.

        Args:
            context: receives the child's progress and log lines.
            until: the deadline (monotonic).
        """
        while True:
            seconds = min(LONGEST_POLL, max(0.0, until - time.monotonic()))
            ready = self._poll.poll(math.ceil(seconds * 1000))
            arrived = self.arriving.read()
            for text in arrived or ():
                self.has_heard = True
                report = self.read_message(text, context)
                if report is not None:
                    return report
            if (arrived is None and any(descriptor == self.dead for descriptor, _ in ready)) or (
                time.monotonic() >= until
            ):
                return None
            if self.arriving.has_ended and self._has_pipe:  # but the child lives: it has closed its end
                self._poll.unregister(self.receiving.fileno())
                self._has_pipe = False

    def outcome(self, context: Context, until: float, timeout: float | None) -> Report:
        """Return how a run ended, whatever the child does.

        Args:
            context: receives the child's progress and log lines.
            until: the deadline (monotonic).
            timeout: the seconds from the call of the function to the deadline; None: there is none.
        """
        report = self.hear(context, until)
        if report is not None:
            return report
        if not process_group.has_ended(self.child, until):
            return Report(timed_out(timeout))
        sentence = f"The task's own process ended with code {self.child.exitcode}."
        return Report(Failed(code=Code.WORKER_LOST, error=sentence))

    def await_death(self) -> None:
        """Wait until the child has ended."""
        poll = select.poll()
        poll.register(self.dead, select.POLLIN)
        poll.poll()

    def close(self) -> None:
        """Close the pipes. The child must have ended."""
        self.outlet.close()
        os.close(self.dead)
        self.receiving.close()

    def read_message(self, text: bytes, context: Context) -> Report | None:
        """Return how the run ended; None if the message brings progress and log lines, or asks to send a task."""
        try:
            message = json_text.loads(text)
        except MalformedJson:
            sentence = f"The task's own process sent an unreadable message: {text[:SHOWN]!r}."
            return Report(Failed(code=Code.ERROR, error=sentence))
        match message:
            case {"returned": {"result": str(result)}, **rest}:
                return _report(Returned(result=result), rest)
            case {"notes": {"progress": progress, "note": str(note), "lines": list(lines)}}:
                if isinstance(progress, int | float):
                    context.progress(progress, note)
                for line in lines:
                    context.log(str(line))
                return None
            case {
                "failed": {"code": str(code), "error": str(error), "traceback": str(trace), "final": final, **fields},
                **rest,
            }:
                after: Any = fields.get("after")
                failed = Failed(code=Code(code), error=error, traceback=trace, final=bool(final), after=after)
                return _report(failed, rest)
            case {"send": dict(question)}:
                with suppress(msgspec.ValidationError):
                    self._answer(convert(question, Asked), context)
                    return None
        return Report(Failed(code=Code.ERROR, error=f"The task's own process sent an unknown message: {message!r}."))

    def _answer(self, question: Asked, context: Context) -> None:
        """Send a task for the child in a thread, since this one must see its death and its deadline."""
        threading.Thread(
            target=lambda: self.outlet.reply(answer_to(question, context)),
            name=f"sending for {context.token}",
            daemon=True,
        ).start()


def _report(ended: Ended, rest: Mapping[object, Any]) -> Report:
    times = rest.get("times")
    return Report(
        ended,
        rest.get("again") is True,
        (float(times[0]), float(times[1])) if isinstance(times, list) else None,
        rest.get("has_written") is True,
    )


def hear_child(
    child: BaseProcess,
    pipes: tuple[Connection, Connection],
    context: Context,
    timeout: float | None,
) -> Ended:
    """Read a child's messages until it reports how the run ended, dies, or reaches the deadline. Then end its group.

    Args:
        child: the process that runs `answer_parent`; it has ended when this returns.
        pipes: the reading end of the pipe to which the child writes, and the writing end of that from which it reads.
        context: receives the child's progress and log lines.
        timeout: seconds until the deadline; None waits forever.
    """
    hearing = Hearing(child, *pipes)
    try:
        return hearing.outcome(context, deadline_after(timeout), timeout).ended
    finally:
        process_group.end_with(child)
        hearing.close()


def deadline_after(timeout: float | None) -> float:
    """Return when a function that is called now reaches its deadline (monotonic). None: never."""
    return math.inf if timeout is None else time.monotonic() + timeout


class Reporter:
    """Sends the parent of this process what a run reports."""

    def __init__(self, descriptor: int) -> None:
        """Write to this pipe. Any thread may report."""
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def notes(self, context: Context) -> None:
        """Send the progress and the log lines of a run that continues."""
        with self._lock:
            lines.write(self._descriptor, json_text.dumps({"notes": asdict(context.take_notes())}))

    def ask(self, question: Asked) -> None:
        """Ask the parent to send a task."""
        with self._lock:
            lines.write(self._descriptor, msgspec.json.encode({"send": question}))

    def ended(
        self, ended: Ended, *, again: bool = False, times: tuple[float, float] | None = None, has_written: bool = False
    ) -> None:
        """Send how a run ended.

        Args:
            ended: how it ended.
            again: whether this process can do another task.
            times: when the function was called and has returned (monotonic).
            has_written: whether the run has written to stdout or stderr.
        """
        with self._lock:
            kind, fields = (
                ("failed", asdict(ended)) if isinstance(ended, Failed) else ("returned", {"result": ended.result})
            )
            message = {kind: fields, "again": again, "times": times, "has_written": has_written}
            lines.write(self._descriptor, json_text.dumps(message))


def answer_parent(pipes: tuple[Connection, Connection], context: Context, work: Callable[[Context], Ended]) -> None:
    """Do the work in this process, and send the parent how it ended.

    Args:
        pipes: the reading end of the pipe from the parent, and the writing end of the pipe to it.
        context: the context of the run.
        work: runs the task with a context that reports and sends through these pipes.
    """
    become_ordinary()
    exit_with_parent()
    answers, sending = pipes
    reporter = Reporter(sending.fileno())
    with open(answers.fileno(), "rb", closefd=False) as arriving:
        reporter.ended(work(replace(context, on_news=reporter.notes, send=PipeSender(reporter, arriving))))


def _descriptor_of_death(child: Child) -> int:
    """Return a new file descriptor that can be read when the child has ended, even if its own children have not.

    Linux has descriptors for processes. Elsewhere the sentinel of `multiprocessing` must do.
    """
    assert child.pid is not None  # it was started
    try:
        return os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        return os.dup(child.sentinel)


def become_ordinary() -> None:
    """Give this process what an ordinary program has: default signals, a session, and the right to have children."""
    process_group.lead()
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    multiprocessing.current_process().daemon = False
    multiprocessing.set_start_method(None, force=True)  # the default of this system


def exit_with_parent() -> None:
    """Make this process and its group end when its parent ends: then no process waits for the result."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def exit_after_parent() -> None:
        parent.join()
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=exit_after_parent, daemon=True).start()
