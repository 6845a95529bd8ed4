"""Endpoints: each operation of the HTTP API is declared once, and is a method of both clients.

The structs that the service reads queries and bodies with say which arguments a method takes; the structs that it
answers with are what a method returns.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

import msgspec
from msgspec import Struct

from queue_tool.client.calls import JSON, OK, Call, Flow
from queue_tool.client.driver import AsyncDriver, BlockingDriver
from queue_tool.client.exchange import Ask
from queue_tool.client.queries import segment, target_of
from queue_tool.client.values import json_of, read_as
from queue_tool.model.payloads.queries import Query

P = ParamSpec("P")
Value = TypeVar("Value")
Value_co = TypeVar("Value_co", covariant=True)
Item_co = TypeVar("Item_co", covariant=True)


class Nothing(Struct, frozen=True, kw_only=True):
    """A method takes no arguments but those of its path."""


class Waiting(Query, frozen=True, kw_only=True):
    """How long the service may wait for the end of the task or batch before it answers, in seconds."""

    wait: float | None = None


IN_HEADERS = frozenset({"wait", "idempotency_key"})
"""Arguments that are headers of the request, and no part of query or body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is known about an endpoint. A test compares it with the operation of the service."""

    method: str
    path: str  # as in the OpenAPI document: `/tasks/{token}`
    answer: Any
    takes: Any  # the struct of its arguments
    once: bool = False  # to send it twice would do something twice
    in_query: Collection[str] = field(default=())  # arguments that are query parameters, if the others are in the body
    member: str | None = None  # the content is the value of this key in the body
    kind: str = JSON  # the media type of the body
    also: Collection[int] = field(default=())  # more statuses whose answers are read

    @property
    def arguments(self) -> frozenset[str]:
        """Return the names of query parameters or keys of the body."""
        names: tuple[str, ...] = self.takes.__struct_encode_fields__
        return frozenset(names) - IN_HEADERS

    @property
    def has_query(self) -> bool:
        """Return whether the arguments are query parameters, and no keys of the body."""
        return issubclass(self.takes, Query)

    @property
    def parameters(self) -> frozenset[str]:
        """Return the names of those that are query parameters."""
        return self.arguments if self.has_query else frozenset(self.in_query)

    @property
    def waits(self) -> bool:
        """Return whether the service can wait before it answers."""
        return "wait" in self.takes.__struct_fields__

    @property
    def keyed(self) -> bool:
        """Return whether requests have an Idempotency-Key."""
        return "idempotency_key" in self.takes.__struct_fields__

    def call(self, given: Struct, name: str = "", content: bytes | None = None) -> Call[Any]:
        """Return the call with these arguments.

        Args:
            given: the arguments.
            name: the token, id or name in the path.
            content: the body, or the value of its one key.
        """
        path = self.path.partition("{")
        place = self.path if not path[1] else path[0] + segment(name) + path[2].partition("}")[2]
        body = self._body(given) if content is None else self._wrapped(content)
        return Call(
            method=self.method,
            target=target_of(place, given, IN_HEADERS | self.arguments - self.parameters),
            read=partial(read_as, self.answer),
            body=body,
            headers=self._headers(given, body),
            accepted=OK | frozenset(self.also),
            repeatable=not self.once,
            wait=getattr(given, "wait", None) or 0.0,
        )

    def _body(self, given: Struct) -> bytes | None:
        """Return the arguments as a JSON object, if the request has a body."""
        if self.method in ("GET", "DELETE"):
            return None
        if self.has_query:
            return b"{}" if self.member is None else None
        fields: dict[str, object] = msgspec.to_builtins(given)
        return json_of({name: value for name, value in fields.items() if name not in IN_HEADERS | self.parameters})

    def _wrapped(self, content: bytes) -> bytes:
        return content if self.member is None else b"{%b:%b}" % (json_of(self.member), content)

    def _headers(self, given: Struct, body: bytes | None) -> Mapping[str, str]:
        headers = {} if body is None else {"Content-Type": self.kind}
        wait = getattr(given, "wait", None)
        if wait:
            headers["Prefer"] = f"wait={max(1, int(wait))}"
        if self.keyed:
            headers["Idempotency-Key"] = getattr(given, "idempotency_key", None) or secrets.token_hex(16)
        return headers


class Endpoint(Generic[P, Value_co]):
    """A method that sends one request."""

    def __init__(self, call: Callable[P, Call[Value_co]], declared: Declared) -> None:
        """Remember how its calls are made."""
        self.call = call
        self.declared = declared
        self.__doc__ = f"`{declared.method} {declared.path}`"

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: BlockingDriver, owner: type) -> Callable[P, Value_co]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, Awaitable[Value_co]]: ...
    def __get__(self, client: BlockingDriver | AsyncDriver | None, owner: type) -> Any:
        """Return the method of a client."""
        return self if client is None else partial(self._sent, client)

    def _sent(self, client: BlockingDriver | AsyncDriver, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.run(client.ask(self.call(*args, **kwargs)))


class Listing(Generic[P, Item_co]):
    """A method whose values come one after the other."""

    def __init__(self, flow: Callable[Concatenate[Ask, P], Flow[None]], doc: str) -> None:
        """Remember what gives its values."""
        self.flow = flow
        self.__doc__ = doc

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: BlockingDriver, owner: type) -> Callable[P, Iterator[Item_co]]: ...
    @overload
    def __get__(self, client: AsyncDriver, owner: type) -> Callable[P, AsyncIterator[Item_co]]: ...
    def __get__(self, client: BlockingDriver | AsyncDriver | None, owner: type) -> Any:
        """Return the method of a client."""
        return self if client is None else partial(self._iterated, client)

    def _iterated(self, client: BlockingDriver | AsyncDriver, *args: P.args, **kwargs: P.kwargs) -> Any:
        return client.iterate(self.flow(client.ask, *args, **kwargs))


def endpoint(
    method: str, path: str, answer: type[Value], takes: Callable[P, Struct], **more: Any
) -> Endpoint[P, Value]:
    """Return an endpoint whose arguments are those of a struct."""
    declared = Declared(method=method, path=path, answer=answer, takes=takes, **more)

    def call(*args: P.args, **kwargs: P.kwargs) -> Call[Value]:
        return declared.call(takes(*args, **kwargs))

    return Endpoint(call, declared)


def named(
    method: str, path: str, answer: type[Value], takes: Callable[P, Struct], **more: Any
) -> Endpoint[Concatenate[str, P], Value]:
    """Return an endpoint whose first argument is the token, id or name in its path."""
    declared = Declared(method=method, path=path, answer=answer, takes=takes, **more)

    def call(name: str, /, *args: P.args, **kwargs: P.kwargs) -> Call[Value]:
        return declared.call(takes(*args, **kwargs), name)

    return Endpoint(call, declared)


def sends(
    method: str, path: str, answer: type[Value], takes: Callable[P, Struct], **more: Any
) -> Endpoint[Concatenate[object, P], Value]:
    """Return an endpoint whose first argument is the JSON value that it sends."""
    declared = Declared(method=method, path=path, answer=answer, takes=takes, **more)

    def call(value: object, /, *args: P.args, **kwargs: P.kwargs) -> Call[Value]:
        return declared.call(takes(*args, **kwargs), content=json_of(value))

    return Endpoint(call, declared)


def sends_to(
    method: str, path: str, answer: type[Value], takes: Callable[P, Struct], **more: Any
) -> Endpoint[Concatenate[str, object, P], Value]:
    """Return an endpoint whose first arguments are the id in its path, and the JSON value that it sends."""
    declared = Declared(method=method, path=path, answer=answer, takes=takes, **more)

    def call(name: str, value: object, /, *args: P.args, **kwargs: P.kwargs) -> Call[Value]:
        return declared.call(takes(*args, **kwargs), name, json_of(value))

    return Endpoint(call, declared)
