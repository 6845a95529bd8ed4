"""Reading: waiting for the end of a batch, its results, and lists over all of their pages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from queue_tool.client.calls import Answer, Call, Fill, Flow, Give, Pause, Read
from queue_tool.client.endpoints import Endpoint, Listing
from queue_tool.client.exchange import Ask, Tries
from queue_tool.client.lines import Lines
from queue_tool.client.operations import Operations
from queue_tool.client.parts import Tokens
from queue_tool.client.queries import segment, target_of
from queue_tool.errors import BY_CODE, AnswerLost, NotFinished, QueueToolError
from queue_tool.model import json_text
from queue_tool.model.payloads.batches import Batch, BatchResult, BatchStatus
from queue_tool.model.payloads.page import Page
from queue_tool.model.payloads.queries import ResultsQuery
from queue_tool.model.payloads.tasks import CheckedToken
from queue_tool.model.typed import convert

P = ParamSpec("P")
Item = TypeVar("Item")

LONGEST_WAIT = 30.0
"""Seconds that one request waits for the end of a batch: proxies cut off what is silent for a minute."""

PAGE = 500
"""Items on a page, if the caller does not choose."""

SHORT, LONG = 0.25, 15.0
"""Seconds between two looks at the results of a batch: the longer, the longer a look takes."""

PATIENCE = 4
"""How many times as long as a look takes the pause after it is."""


def ended(ask: Ask, batch: str, timeout: float | None = None) -> Flow[Batch]:
    """Wait until a batch has ended, and return it.

    Raises:
        NotFinished: it has not ended after `timeout` seconds.
    """
    until = None if timeout is None else time.monotonic() + timeout
    while True:
        began = time.monotonic()
        left = LONGEST_WAIT if until is None else max(0.0, min(LONGEST_WAIT, until - began))
        found: Batch = yield from ask(Operations.get_batch.call(batch, wait=left if left >= 1 else None), until=until)
        if found.status is BatchStatus.FINISHED:
            return found
        if until is not None and time.monotonic() >= until:
            done = found.total - found.open
            raise NotFinished(f"The batch {batch} has not ended: {done} of its {found.total} elements have.")
        if time.monotonic() - began < min(1.0, left):  # the service waited for others, as many as it may
            yield Pause(min(1.0, max(0.05, left / 2)))


def _streamed(batch: str, query: ResultsQuery) -> Call[Answer]:
    return Call(
        method="GET",
        target=target_of(f"/batches/{segment(batch)}/results", query, ()),
        read=lambda answer: answer,
        headers={"Accept": "application/jsonl"},
    )


Choose = Callable[[Sequence[BatchResult]], Sequence[BatchResult]]
"""Returns those of some results that the caller gets."""


def stream_results(
    ask: Ask, batch: str, /, *, status: Iterable[str] = (), choose: Choose = lambda results: results
) -> Flow[None]:
    """Give the results of a batch in order. A stream that is cut off is continued behind the last result."""
    states = frozenset([status] if isinstance(status, str) else status)
    call = _streamed(batch, ResultsQuery(status=states))  # type: ignore[arg-type] # texts of its states
    tries, last = ask.tries(), -1
    while True:
        try:
            yield from ask.opened(call, tries)
            last = yield from _read_on(tries, last, choose)
        except _Cut as cut:
            last = cut.last
            yield Pause(tries.pause_after(cut.error, call))
        else:
            return


class _Cut(Exception):
    """A stream ended before its end."""

    def __init__(self, error: QueueToolError, last: int) -> None:
        super().__init__()
        self.error = error
        self.last = last  # the index of the last result that was given


def _read_on(tries: Tries, last: int, choose: Choose) -> Flow[int]:
    """Give the chosen results behind the last one, to the end of the stream; return the index of the last result."""
    lines = Lines()
    while True:
        try:
            piece: bytes = yield Read()
        except AnswerLost as error:
            raise _Cut(error, last) from error
        if not piece:
            return last
        values = [_result(line) for line in lines.of(piece)]
        problem = next((value for value in values if value.index is None), None)
        new = [value for value in values if value.index is not None and value.index > last]
        if new:
            tries.succeed()
            last = new[-1].index or 0
            yield Give(choose(new))
        if problem is not None:
            raise _Cut(_error_in(problem), last)


def _result(line: bytes) -> BatchResult:
    return convert(json_text.loads(line), BatchResult)


def _error_in(line: BatchResult) -> QueueToolError:
    """Return the error with which the service ended a stream."""
    code, message = ("", None) if line.error is None else (line.error.code, line.error.message)
    return BY_CODE.get(code, QueueToolError)(message if isinstance(message, str) else None)


def completed(ask: Ask, batch: str, timeout: float | None = None) -> Flow[None]:
    """Give the result of each element once, soon after it has ended. Refused elements come first.

    Raises:
        NotFinished: the batch has not ended after `timeout` seconds.
    """
    until = None if timeout is None else time.monotonic() + timeout
    unseen = _Unseen()
    while True:
        found: Batch = yield from ask(Operations.get_batch.call(batch), until=until)
        began = time.monotonic()
        if found.total - found.open > unseen.count or found.status is BatchStatus.FINISHED:
            yield from stream_results(ask, batch, status=_ENDED, choose=unseen)
        if found.status is BatchStatus.FINISHED:
            return
        now = time.monotonic()
        if until is not None and now >= until:
            raise NotFinished(f"The batch {batch} has not ended: {unseen.count} of its {found.total} elements have.")
        pause = min(LONG, max(SHORT, PATIENCE * (now - began)))
        yield Pause(pause if until is None else max(0.0, min(pause, until - now)))


_ENDED = ("canceled", "failed", "finished", "rejected")


class _Unseen:
    """Lets each result pass once."""

    def __init__(self) -> None:
        self.count = 0
        self._given = bytearray()  # one byte for each element

    def __call__(self, results: Sequence[BatchResult]) -> Sequence[BatchResult]:
        """Return the results that were not among those before."""
        new = [result for result in results if self._is_new(result.index or 0)]
        self.count += len(new)
        return new

    def _is_new(self, index: int) -> bool:
        if index >= len(self._given):
            self._given.extend(bytes(index + 1 - len(self._given)))
        is_new = not self._given[index]
        self._given[index] = 1
        return is_new


def checked(ask: Ask) -> Flow[None]:
    """Give the state of each token of the source, in their order."""
    while True:
        tokens = Tokens()
        yield Fill(tokens)
        if tokens.tokens:
            found = yield from ask(Operations.check_tasks.call(tokens=tokens.tokens))
            answers: list[CheckedToken] = found.results
            yield Give(answers)
        if tokens.is_last:
            return


def elements(ask: Ask, batch: str) -> Flow[None]:
    """Give what was answered for each element of a batch: its token, or why it was refused."""
    start: int | None = 0
    while start is not None:
        found = yield from ask(Operations.list_elements.call(batch, start=start))
        yield Give(found.items)
        start = found.next


def pages(endpoint: Endpoint[P, Any]) -> Callable[Concatenate[Ask, P], Flow[None]]:
    """Return the flow that gives the items of all pages of a list."""

    def flow(ask: Ask, /, *args: P.args, **kwargs: P.kwargs) -> Flow[None]:
        chosen: dict[str, Any] = {"limit": PAGE} | dict(kwargs)
        while True:
            found: Page[Any] = yield from ask(endpoint.call(*args, **chosen))
            yield Give(found.items)
            if found.next is None:
                return
            chosen["cursor"] = found.next

    return flow


def all_of(endpoint: Endpoint[P, Page[Item]]) -> Listing[P, Item]:
    """Return the method that iterates over all pages of a list."""
    return Listing(pages(endpoint), f"Iterate over all pages of {endpoint.__doc__}.")
