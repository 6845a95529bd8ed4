"""`AsyncClient`: the client for `async` programs. It is the same as `Client`, with another driver."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any, Self, TypeVar, Unpack

import anyio
import anyio.lowlevel
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

Source = Iterable[Any] | AsyncIterable[Any]


def _process_and_loop() -> object:
    return os.getpid(), anyio.lowlevel.current_token()


class AsyncClient(Methods):
    """A client of the service for `async` programs, on asyncio or trio.

    It has the methods of `Client`; those that return a value are awaited, and the others are iterated over with
    `async for`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT,
        retry_for: float = RETRY_FOR,
    ) -> None:
        """Remember where the service is. The arguments are those of `Client`.

        Raises:
            BadSetting: the URL or the key cannot be used.
        """
        self.wire = Wire(address_of(os.environ, url, key), timeout)
        self.ask = Ask(retry_for=retry_for)
        pool = partial(httpcore2.AsyncConnectionPool, max_connections=CONNECTIONS, keepalive_expiry=IDLE)
        self._pool = Owned(pool, _process_and_loop)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool().aclose()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    # -- tasks and batches

    async def submit(self, elements: Source, **options: Unpack[Options]) -> AsyncBatch:
        """Send elements of any number as one batch, and return it when all of them are stored.

        The arguments are those of `Client.submit`. The elements may also come from an asynchronous iterable.
        """
        order = order_of(options)
        return self.batch(await self.run(sending.submit(self.ask, order), require_many(elements, "elements")))

    def batch(self, batch: str) -> AsyncBatch:
        """Return the batch with this id. No request is sent yet."""
        return AsyncBatch(self, batch)

    def check(self, tokens: Source) -> AsyncIterator[CheckedToken]:
        """Iterate over the states of tasks, in the order of the tokens, of which there may be any number."""
        return self.iterate(reading.checked(self.ask), require_many(tokens, "tokens"))

    # -- what the methods are made of

    async def run(self, flow: Flow[Returned], source: Source = ()) -> Returned:
        """Do the steps of a flow, and return its value."""
        work = _Work(self.wire, self._pool(), source)
        value: list[Returned] = []
        try:
            async for _ in work.steps(flow, value.append):
                pass
        finally:
            await work.close()
        return value[0]

    async def iterate(self, flow: Flow[None], source: Source = ()) -> AsyncIterator[Any]:
        """Do the steps of a flow, and iterate over the values that it gives."""
        work = _Work(self.wire, self._pool(), source)
        try:
            async with aclosing(work.steps(flow)) as steps:
                async for step in steps:
                    for value in step.values:
                        yield value
        finally:
            flow.close()
            await work.close()


class AsyncBatch:
    """A batch of the service."""

    def __init__(self, client: AsyncClient, batch: str) -> None:
        """Remember its id."""
        self._client = client
        self.id = batch

    def __repr__(self) -> str:
        """Return its id."""
        return f"<AsyncBatch {self.id}>"

    async def progress(self) -> BatchState:
        """Return how many elements are in each state."""
        return await self._client.get_batch(self.id)

    async def wait(self, timeout: float | None = None) -> Self:
        """Wait until all tasks have ended, as `Batch.wait` does."""
        await self._client.run(reading.ended(self._client.ask, self.id, timeout))
        return self

    def results(self, *, status: Iterable[str] = ()) -> AsyncIterator[BatchResult]:
        """Iterate over the results in order, as `Batch.results` does."""
        return self._client.iterate(reading.stream_results(self._client.ask, self.id, status=status))

    def as_completed(self, timeout: float | None = None) -> AsyncIterator[BatchResult]:
        """Iterate over the results, each soon after its task has ended, until all have."""
        return self._client.iterate(reading.completed(self._client.ask, self.id, timeout))

    def elements(self) -> AsyncIterator[ReceivedElement]:
        """Iterate over what was answered for the elements: the token of each task, or why an element was refused."""
        return self._client.iterate(reading.elements(self._client.ask, self.id))

    async def cancel(self, *, by: str | None = None, reason: str | None = None) -> Changed:
        """Cancel all tasks that have not ended."""
        return await self._client.cancel_batch(self.id, by=by, reason=reason)

    async def retry(self) -> Changed:
        """Retry all tasks that failed or were canceled."""
        return await self._client.retry_batch(self.id)


class _Work:
    """Does the steps of one flow."""

    def __init__(self, wire: Wire, pool: httpcore2.AsyncConnectionPool, source: Source) -> None:
        self._wire = wire
        self._pool = pool
        self._source = aiter(source) if isinstance(source, AsyncIterable) else _asynchronous(iter(source))
        self._stream: httpcore2.Response | None = None
        self._pieces: AsyncIterator[bytes] | None = None

    async def steps(self, flow: Flow[Returned], on_end: Callable[[Returned], None] | None = None) -> Any:
        """Do the steps of a flow; yield those that give values, and pass its value on."""
        try:
            step = next(flow)
            while True:
                if isinstance(step, Give):
                    yield step
                    step = flow.send(None)
                    continue
                try:
                    found = await self._do(step)
                except BaseException as error:  # noqa: BLE001 - the flow raises it again, unless it knows better
                    step = flow.throw(error)
                else:
                    step = flow.send(found)
        except StopIteration as end:
            if on_end is not None:
                on_end(end.value)

    async def close(self) -> None:
        """Close the stream."""
        if self._stream is not None:
            await self._stream.aclose()
            self._stream = None

    async def _do(self, step: Step) -> Any:
        """Do a step and return what came of it."""
        match step:
            case Send():
                return await self._send(step.call)
            case Open():
                return await self._open(step.call)
            case Read():
                with failures(self._wire.address):
                    return b"" if self._pieces is None else await anext(self._pieces, b"")
            case Pause():
                await anyio.sleep(step.seconds)
            case Fill():
                await self._fill(step.into)
        return None

    async def _send(self, call: Call[Any]) -> Answer:
        with failures(self._wire.address):
            response = await self._pool.handle_async_request(self._wire.request(call))
            try:
                return self._wire.answer(response, await response.aread())
            finally:
                await response.aclose()

    async def _open(self, call: Call[Any]) -> Answer:
        await self.close()
        with failures(self._wire.address):
            self._stream = await self._pool.handle_async_request(self._wire.request(call))
            if self._stream.status in call.accepted:
                self._pieces = self._stream.aiter_stream()
                return self._wire.answer(self._stream, b"")
            return self._wire.answer(self._stream, await self._stream.aread())

    async def _fill(self, into: Fillable) -> None:
        async for element in self._source:
            if not into.add(element):
                return
        into.is_last = True


async def _asynchronous(source: Any) -> AsyncIterator[Any]:
    for element in source:
        yield element
