"""Sending from a function: in its own thread, off the event loop, or through the pipe to the parent of its process."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Protocol

import msgspec

from queue_tool.errors import BY_CODE, BadTask, MalformedJson, NotSent, QueueToolError
from queue_tool.model import json_text
from queue_tool.model.bounded_text import described
from queue_tool.model.context import Context
from queue_tool.model.parent_results import ResultPage, WantedPage
from queue_tool.model.sending import Sending, Sent
from queue_tool.model.typed import convert

FORKED = "Only the process in which the task's function runs can send tasks: return the data to it, and send there."


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the process of a task asks its parent to do: to send, or to read results."""

    number: int  # of the question; the answer repeats it
    sending: Sending | None = None
    wanted: WantedPage | None = None


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    code: str
    sentence: str
    retry_after: int | None = None
    errors: Sequence[Mapping[str, str]] = ()


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    number: int
    token: str | None = None
    sent: Sent | None = None
    page: ResultPage | None = None
    error: _Error | None = None


class Asks(Protocol):
    """Sends a question to the parent of this process."""

    def ask(self, question: Asked) -> None:
        """Send it."""


class Answers(Protocol):
    """The answers of the parent."""

    def readline(self) -> bytes:
        """Wait for the next line, and return it with its end. Empty: the parent has ended."""


def carry_out(work: Callable[[], Any], pool: Executor | None = None) -> Any:
    """Do the work in this thread. If an event loop runs here, return a coroutine that does it in another thread.

    So an `async def` awaits it, wherever it runs, and a plain function gets the value.

    Args:
        work: what to do.
        pool: the threads for coroutines; None: those of the loop.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return work()

    async def in_a_thread() -> Any:
        return await loop.run_in_executor(pool, work)

    in_a_thread.__qualname__ = "context.submit"  # Python's warning names it if it is not awaited
    return in_a_thread()


class PipeSender:
    """Sends in the process of a task: asks the parent, one question after the other, and waits for the answer."""

    def __init__(self, asks: Asks, answers: Answers) -> None:
        """Use these ends of two pipes."""
        self._asks = asks
        self._answers = answers
        self._lock = threading.Lock()
        self._number = 0
        self._answered = 0
        self._pid = os.getpid()

    @property
    def is_idle(self) -> bool:
        """Return whether every question was answered. An exception of a signal handler may interrupt one."""
        return self._number == self._answered

    def __call__(self, context: Context, request: Sending | WantedPage) -> Any:  # noqa: ARG002 - as every sender
        """Send; return the token, or what became of each element. Or return a page of results.

        Raises:
            QueueToolError: what the parent raised.
        """
        return carry_out(lambda: self._exchange(request))

    def _exchange(self, request: Sending | WantedPage) -> Any:
        if os.getpid() != self._pid:
            raise NotSent(FORKED)
        with self._lock:
            self._number += 1
            if isinstance(request, Sending):
                self._asks.ask(Asked(number=self._number, sending=request))
            else:
                self._asks.ask(Asked(number=self._number, wanted=request))
            answer = self._read()
            self._answered = self._number
        if answer.error is not None:
            raise _raised(answer.error)
        return next((found for found in (answer.sent, answer.page) if found is not None), answer.token)

    def _read(self) -> _Answer:
        while True:
            line = self._answers.readline()
            if not line:
                raise NotSent("The worker of this task has ended.")
            try:
                answer = convert(json_text.loads(line), _Answer)
            except (MalformedJson, msgspec.ValidationError):  # the rest of an answer whose reading was interrupted
                continue
            if answer.number == self._number:
                return answer


def answer_to(asked: Asked, context: Context) -> bytes:
    """Do what a child asks for; return the answer as a line for it. Every error is an answer."""
    request = asked.sending or asked.wanted
    assert request is not None  # a question has one of them
    try:
        found = context.send(context, request)
    except QueueToolError as error:
        told = _Error(
            code=error.code,
            sentence=error.sentence,
            retry_after=error.retry_after,
            errors=error.errors if isinstance(error, BadTask) else (),
        )
        answer = _Answer(number=asked.number, error=told)
    except BaseException as error:  # noqa: BLE001 - the child waits for an answer
        what = "The task could not be sent" if asked.sending else "The results could not be read"
        told = _Error(code=QueueToolError.code, sentence=f"{what}: {described(error)}.")
        answer = _Answer(number=asked.number, error=told)
    else:
        answer = _answer(asked.number, found)
    return msgspec.json.encode(answer) + b"\n"


def _answer(number: int, found: str | Sent | ResultPage) -> _Answer:
    if isinstance(found, str):
        return _Answer(number=number, token=found)
    return _Answer(number=number, page=found) if isinstance(found, ResultPage) else _Answer(number=number, sent=found)


def _raised(error: _Error) -> QueueToolError:
    raised = BY_CODE.get(error.code, QueueToolError)(error.sentence, retry_after=error.retry_after)
    if isinstance(raised, BadTask):
        raised.errors = error.errors
    return raised
