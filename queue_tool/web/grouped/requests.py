"""Requests that may be handled together, and what each kind of them does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from queue_tool.model import json_text
from queue_tool.services.together import Failed
from queue_tool.web.http import request_ids
from queue_tool.web.http.operation import Reply

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Order = TypeVar("Order")

JSON = "application/json"

LARGEST = 16 * 1024
"""Bytes. A request with a larger body is handled alone, so that the others do not wait for it."""

LEFT_TO_THE_ROUTE = frozenset(
    {"HTTP_PREFER", "HTTP_IDEMPOTENCY_KEY", "HTTP_ON_FINISHED", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING"}
)
"""The headers that change what a request does, as WSGI writes them."""


@dataclass(slots=True)
class Request:
    """A request whose body has been read."""

    environ: WSGIEnvironment
    began: float = field(default_factory=time.perf_counter)

    @property
    def path(self) -> str:
        """Return the path."""
        path: str = self.environ["PATH_INFO"]
        return path

    @property
    def query(self) -> str:
        """Return the query, as it was sent."""
        query: str = self.environ["QUERY_STRING"]
        return query

    @property
    def id(self) -> str:
        """Return the id of the request."""
        return request_ids.of(self.environ)

    @property
    def size(self) -> int:
        """Return the bytes of the body."""
        return int(self.environ.get("CONTENT_LENGTH") or 0)

    @property
    def is_usual(self) -> bool:
        """Return whether nothing but its path, query and body decides what the request does."""
        return (
            self.environ["REQUEST_METHOD"] == "POST"
            and self.size <= LARGEST
            and self.environ.keys().isdisjoint(LEFT_TO_THE_ROUTE)
            and (not self.size or self.environ.get("CONTENT_TYPE") == JSON)
        )

    def json(self) -> object:
        """Return the value of the body.

        Raises:
            MalformedJson: the body is not JSON.
        """
        return json_text.loads(self.environ["wsgi.input"].getvalue())


@dataclass(frozen=True, slots=True)
class Ordered(Generic[Order]):
    """A request, and what it orders."""

    request: Request
    order: Order


class Kind(Protocol[Order]):
    """A kind of request, of one or more paths."""

    @property
    def paths(self) -> Sequence[str]:
        """Return the paths of these requests."""

    def order_of(self, request: Request) -> Order | None:
        """Return what a request orders, and change nothing; None if its route must handle it.

        Raises:
            QueueToolError: its route must handle it.
        """

    def replies(self, ordered: Sequence[Ordered[Order]]) -> Sequence[Reply[Any] | Failed]:
        """Carry out what several requests order; return the reply to each. It raises no error."""
