"""A request and its answer, repeated where that is safe and promises something."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import Any, TypeVar

from queue_tool.client.calls import Answer, Call, Flow, Open, Pause, Send
from queue_tool.client.problems import error_of
from queue_tool.errors import (
    AnswerLost,
    BodyTooSlow,
    CommitUnknown,
    IncompleteBody,
    QueueToolError,
    ServiceAway,
    StoreAway,
    UnexpectedAnswer,
)

Value = TypeVar("Value")

RETRY_FOR = 60.0
"""Seconds for which the client repeats a request, by default."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds: the pause before a repetition grows from the first to the second."""

OF_A_PROXY = frozenset({502, 503, 504})
"""Statuses with which a proxy says that the service behind it is away."""


@dataclass(slots=True, kw_only=True)
class Ask:
    """Sends calls, and repeats them until the service answers."""

    retry_for: float = RETRY_FOR
    has_answered: bool = field(default=False, init=False)  # a wrong URL is reported at once, and not after a minute

    def __call__(
        self, call: Call[Value], *, until: float | None = None, never: tuple[type[QueueToolError], ...] = ()
    ) -> Flow[Value]:
        """Send a call and return what its answer is read as.

        Args:
            call: the call.
            until: the monotonic time after which it is not repeated, if that is earlier than `retry_for` allows.
            never: errors after which it is not repeated, because the caller knows something better.

        Raises:
            QueueToolError: the service refused it, or did not answer for `retry_for` seconds.
        """
        tries = self.tries(until)
        while True:
            try:
                answer: Answer = yield Send(call)
                return self.read(call, answer)
            except never:
                raise
            except QueueToolError as error:
                pause = tries.pause_after(error, call)
            yield Pause(pause)

    def opened(self, call: Call[Value], tries: Tries) -> Flow[Value]:
        """Send a call whose answer is a stream; return when the stream has begun."""
        while True:
            try:
                answer: Answer = yield Open(call)
                return self.read(call, answer)
            except QueueToolError as error:
                pause = tries.pause_after(error, call)
            yield Pause(pause)

    def read(self, call: Call[Value], answer: Answer) -> Value:
        """Return the value of an answer, or raise the error that it reports."""
        self.has_answered = True
        if answer.status in call.accepted:
            return call.read(answer)
        raise error_of(answer)

    def tries(self, until: float | None = None) -> Tries:
        """Return the tries of a new call."""
        return Tries(ask=self, until=until)


@dataclass(slots=True, kw_only=True)
class Tries:
    """The tries of one call since its last success."""

    ask: Ask
    until: float | None
    count: int = 0
    began: float | None = None  # monotonic time of the first failure

    def pause_after(self, error: QueueToolError, call: Call[Any]) -> float:
        """Return the seconds until the next try; raise the error if there is none."""
        now = time.monotonic()
        self.began = now if self.began is None else self.began
        self.count += 1
        ceiling = min(LONGEST_PAUSE, FIRST_PAUSE * 2**self.count)
        pause = max(error.retry_after or 0.0, random.uniform(ceiling / 2, ceiling))  # noqa: S311 - no secret
        end = self.began + self.ask.retry_for
        end = end if self.until is None else min(end, self.until)
        if now + pause > end or not may_repeat(error, call) or not self.ask.has_answered:
            raise error
        return pause

    def succeed(self) -> None:
        """Begin anew: the next failure is the first one."""
        self.count, self.began = 0, None


def may_repeat(error: QueueToolError, call: Call[Any]) -> bool:
    """Return whether a call may be sent again after this error, and the repetition may succeed."""
    match error:
        case CommitUnknown() | AnswerLost():
            return call.repeatable
        case UnexpectedAnswer():
            return call.repeatable and error.status in OF_A_PROXY
        case ServiceAway() | StoreAway() | IncompleteBody() | BodyTooSlow():
            return True
        case _:
            return error.retry_after is not None
