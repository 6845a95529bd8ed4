"""`Client`: the client for programs that wait for each answer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import httpcore2

from queue_tool.client import reading, sending
from queue_tool.client.address import address_of
from queue_tool.client.calls import Answer, Call, Fill, Fillable, Flow, Give, Open, Pause, Read, Send, Step
from queue_tool.client.exchange import RETRY_FOR, Ask
from queue_tool.client.methods import Methods
from queue_tool.client.sending import Options, order_of
from queue_tool.client.wire import CONNECTIONS, IDLE, TIMEOUT, Owned, Wire, failures
from queue_tool.model.many import require_many
from queue_tool.model.payloads.batches import Batch as BatchState
from queue_tool.model.payloads.batches import BatchResult, ReceivedElement
from queue_tool.model.payloads.tasks import Changed, CheckedToken

Returned = TypeVar("Returned")


class Client(Methods):
    """A client of the service. Threads may share it.

    It has a method for each operation of the HTTP API, such as `get_task`, and methods for whole tasks, such as
    `submit`. Close it, or use it in a `with` statement.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retry_for: float = RETRY_FOR,
    ) -> None:
        """Remember where the service is. No request is sent yet.

        Args:
            url: where the service is; by default QUEUE_TOOL_URL, else where `queue-tool up` serves on this machine.
            key: the API key; by default QUEUE_TOOL_KEY, else the one that is kept for this machine, else none.
            timeout: seconds to wait for each part of an answer.
            retry_for: seconds to repeat a request for, while the service is away or too busy; 0 repeats nothing.

        Raises:
            BadSetting: the URL or the key cannot be used.
        """
        self.wire = Wire(address_of(os.environ, url, key), timeout)
        self.ask = Ask(retry_for=retry_for)
        self._pool = Owned(partial(httpcore2.ConnectionPool, max_connections=CONNECTIONS, keepalive_expiry=IDLE))

    def close(self) -> None:
        """Close all connections."""
        self._pool().close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close all connections."""
        self.close()

    # -- tasks and batches

    def submit(self, elements: Iterable[object], **options: Unpack[Options]) -> Batch:
        """Send elements of any number as one batch, and return it when all of them are stored.

        Args:
            elements: the data of the tasks; without `task_type`, task objects as in `POST /tasks`.
            options: any of these. `task_type`: the type of all tasks. `name` and `metadata`: the label of the batch.
                `on_finished`: the tasks that follow when the batch has ended, as in `POST /batches`. `webhook`: the URL
                that the service calls then.
                `idempotency_key`: the same key and elements make no second batch, also after a crash of this program.
                `resume`: the id of an open batch that has the first of these elements already; the rest is added to
                it. `on_sent`: is called with a `Sent` each time that the service has stored some of them.

        Raises:
            QueueToolError: the service refused the request, or was away for too long. The batch then stays open, and
                a note of the error says how to continue.
        """
        order = order_of(options)
        return self.batch(self.run(sending.submit(self.ask, order), require_many(elements, "elements")))

    def batch(self, batch: str) -> Batch:
        """Return the batch with this id. No request is sent yet."""
        return Batch(self, batch)

    def check(self, tokens: Iterable[str]) -> Iterator[CheckedToken]:
        """Iterate over the states of tasks, in the order of the tokens, of which there may be any number."""
        return self.iterate(reading.checked(self.ask), require_many(tokens, "tokens"))

    # -- what the methods are made of

    def run(self, flow: Flow[Returned], source: Iterable[Any] = ()) -> Returned:
        """Do the steps of a flow, and return its value."""
        work = _Work(self.wire, self._pool(), source)
        try:
            return _done(flow, work.do)
        finally:
            work.close()

    def iterate(self, flow: Flow[None], source: Iterable[Any] = ()) -> Iterator[Any]:
        """Do the steps of a flow, and iterate over the values that it gives."""
        work = _Work(self.wire, self._pool(), source)
        try:
            yield from _given(flow, work.do)
        finally:
            flow.close()
            work.close()


class Batch:
    """A batch of the service."""

    def __init__(self, client: Client, batch: str) -> None:
        """Remember its id."""
        self._client = client
        self.id = batch

    def __repr__(self) -> str:
        """Return its id."""
        return f"<Batch {self.id}>"

    def progress(self) -> BatchState:
        """Return how many elements are in each state."""
        return self._client.get_batch(self.id)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until all tasks have ended.

        Args:
            timeout: seconds; by default there is no limit.

        Raises:
            NotFinished: the time is over. It is a `TimeoutError`.
        """
        self._client.run(reading.ended(self._client.ask, self.id, timeout))
        return self

    def results(self, *, status: Iterable[str] = ()) -> Iterator[BatchResult]:
        """Iterate over the results in order. An element that has not ended has none yet.

        Args:
            status: only elements in these states, such as `["failed"]`.
        """
        return self._client.iterate(reading.stream_results(self._client.ask, self.id, status=status))

    def as_completed(self, timeout: float | None = None) -> Iterator[BatchResult]:
        """Iterate over the results, each soon after its task has ended, until all have.

        Args:
            timeout: seconds; by default there is no limit.

        Raises:
            NotFinished: the time is over.
        """
        return self._client.iterate(reading.completed(self._client.ask, self.id, timeout))

    def elements(self) -> Iterator[ReceivedElement]:
        """Iterate over what was answered for the elements: the token of each task, or why an element was refused."""
        return self._client.iterate(reading.elements(self._client.ask, self.id))

    def cancel(self, *, by: str | None = None, reason: str | None = None) -> Changed:
        """Cancel all tasks that have not ended."""
        return self._client.cancel_batch(self.id, by=by, reason=reason)

    def retry(self) -> Changed:
        """Retry all tasks that failed or were canceled."""
        return self._client.retry_batch(self.id)


class _Work:
    """Does the steps of one flow."""

    def __init__(self, wire: Wire, pool: httpcore2.ConnectionPool, source: Iterable[Any]) -> None:
        self._wire = wire
        self._pool = pool
        self._source = iter(source)
        self._stream: httpcore2.Response | None = None
        self._pieces: Iterator[bytes] = iter(())

    def do(self, step: Step) -> Any:
        """Do a step and return what came of it."""
        match step:
            case Send():
                return self._send(step.call)
            case Open():
                return self._open(step.call)
            case Read():
                with failures(self._wire.address):
                    return next(self._pieces, b"")
            case Pause():
                time.sleep(step.seconds)
            case Fill():
                self._fill(step.into)
        return None

    def close(self) -> None:
        """Close the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _send(self, call: Call[Any]) -> Answer:
        with failures(self._wire.address):
            response = self._pool.handle_request(self._wire.request(call))
            try:
                return self._wire.answer(response, response.read())
            finally:
                response.close()

    def _open(self, call: Call[Any]) -> Answer:
        self.close()
        with failures(self._wire.address):
            self._stream = self._pool.handle_request(self._wire.request(call))
            if self._stream.status in call.accepted:
                self._pieces = self._stream.iter_stream()
                return self._wire.answer(self._stream, b"")
            return self._wire.answer(self._stream, self._stream.read())

    def _fill(self, into: Fillable) -> None:
        for element in self._source:
            if not into.add(element):
                return
        into.is_last = True


def _done(flow: Flow[Returned], do: Callable[[Step], Any]) -> Returned:
    steps = _steps(flow, do)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            value: Returned = end.value
            return value


def _given(flow: Flow[None], do: Callable[[Step], Any]) -> Iterator[Any]:
    for step in _steps(flow, do):
        yield from step.values


def _steps(flow: Flow[Returned], do: Callable[[Step], Any]) -> Generator[Give, None, Returned]:
    """Do the steps of a flow; yield those that give values, and return its value."""
    try:
        step = next(flow)
        while True:
            if isinstance(step, Give):
                yield step
                step = flow.send(None)
                continue
            try:
                found = do(step)
            except BaseException as error:  # noqa: BLE001 - the flow raises it again, unless it knows better
                step = flow.throw(error)
            else:
                step = flow.send(found)
    except StopIteration as end:
        value: Returned = end.value
        return value
