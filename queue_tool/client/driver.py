"""What each client adds to the logic: a driver that does the steps of a flow."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any, Protocol, TypeVar

from queue_tool.client.calls import Flow
from queue_tool.client.exchange import Ask

Returned = TypeVar("Returned")


class BlockingDriver(Protocol):
    """Does the steps while its caller waits."""

    ask: Ask

    def run(self, flow: Flow[Returned]) -> Returned:
        """Do the steps of a flow, and return its value."""

    def iterate(self, flow: Flow[None]) -> Iterator[Any]:
        """Do the steps of a flow, and iterate over the values that it gives."""


class AsyncDriver(Protocol):
    """Does the steps while the event loop goes on."""

    ask: Ask

    def run(self, flow: Flow[Returned]) -> Awaitable[Returned]:
        """Do the steps of a flow, and return its value."""

    def iterate(self, flow: Flow[None]) -> AsyncIterator[Any]:
        """Do the steps of a flow, and iterate over the values that it gives."""
