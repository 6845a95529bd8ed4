"""Isolation: what the process of a run may do to the pipe over which it reports."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

import pytest

from queue_tool.execution import process_group
from queue_tool.execution.isolation import hear_child
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Failed, Returned, timed_out
from queue_tool.model.states import Code

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""These tests fork while threads run; Python 3.12 and later warn of every such fork."""

TOO_LONG = 3600.0

MUCH = b"x" * 1_000_000
"""More than a pipe holds."""

UNFINISHED = b'{"returned": {"result": "' + MUCH

forks = multiprocessing.get_context("fork")


def heard(report: Callable[[Connection], None], timeout: float | None = TOO_LONG) -> Ended:
    """Return how the run of a child that reports so ended, and require that the child has been reaped."""
    receiving, sending = forks.Pipe(duplex=False)
    answers, answering = forks.Pipe(duplex=False)

    def child() -> None:
        process_group.lead()
        report(sending)

    process = forks.Process(target=child, daemon=True)
    process.start()
    sending.close()
    answers.close()
    context = Context(token="", attempt=1, deadline=None)
    ended = hear_child(process, (receiving, answering), context, timeout)
    assert multiprocessing.active_children() == []
    return ended


def send(sending: Connection, *texts: bytes) -> None:
    """Write texts, each at once."""
    for text in texts:
        left = memoryview(text)
        while left:
            left = left[os.write(sending.fileno(), left) :]


def kill(which: int = signal.SIGKILL) -> None:
    """Send a signal to this process, and wait."""
    os.kill(os.getpid(), which)
    threading.Event().wait(TOO_LONG)


def fork_and_die(sending: Connection) -> None:
    """Send a part of a result, and die while a child still has the pipe."""
    send(sending, UNFINISHED)
    if os.fork():
        kill()
    threading.Event().wait(TOO_LONG)


def send_a_part_and_die(sending: Connection) -> None:
    """Send a part of a result, and die."""
    send(sending, UNFINISHED)
    kill()


def send_a_part_and_stop(sending: Connection) -> None:
    """Send a part of a result, and stop as at a debugger."""
    send(sending, UNFINISHED)
    kill(signal.SIGSTOP)


def die(sending: Connection) -> None:
    """Die."""
    kill()


def send_in_parts(sending: Connection) -> None:
    """Send a result in two parts."""
    send(sending, b'{"returned": {"resu', b'lt": "1"}}\n')


def send_garbage(sending: Connection) -> None:
    """Send what is no message."""
    send(sending, b"no JSON\n")


def close_and_exit(sending: Connection) -> None:
    """Close the pipe, and exit."""
    os.closerange(3, 1000)
    os._exit(4)


def close_and_stay(sending: Connection) -> None:
    """Close the pipe, and stay."""
    os.closerange(3, 1000)
    threading.Event().wait(TOO_LONG)


def close_and_resist(sending: Connection) -> None:
    """Close the pipe and all other files, and ignore SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    close_and_stay(sending)


def send_notes(sending: Connection) -> None:
    """Send log lines without end."""
    while True:
        send(sending, b'{"notes": {"progress": 0.5, "note": "", "lines": ["x"]}}\n' * 1000)


def lost(code: int) -> Failed:
    """Return the end of a run whose process died."""
    return Failed(code=Code.WORKER_LOST, error=f"The task's own process ended with code {code}.")


GARBAGE = Failed(code=Code.ERROR, error="The task's own process sent an unreadable message: b'no JSON'.")


@pytest.mark.parametrize(
    ("report", "timeout", "ended"),
    [
        (send_a_part_and_die, TOO_LONG, lost(-9)),
        (die, None, lost(-9)),
        (fork_and_die, TOO_LONG, lost(-9)),
        (close_and_exit, None, lost(4)),
        (close_and_stay, 0.1, timed_out(0.1)),
        (close_and_resist, 0.5, timed_out(0.5)),
        (send_a_part_and_stop, 0.5, timed_out(0.5)),
        (send_notes, 0.5, timed_out(0.5)),
        (send_in_parts, TOO_LONG, Returned(result="1")),
        (send_garbage, TOO_LONG, GARBAGE),
    ],
)
def test_whatever_arrives_the_run_ends_in_time_with_its_own_outcome(
    report: Callable[[Connection], None], timeout: float | None, ended: Ended
) -> None:
    assert heard(report, timeout) == ended
