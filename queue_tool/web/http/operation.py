"""Operations: each route of the API is declared once, beside its function.

From a declaration come the route, the access check, the reading of query and body, and the entry in `/openapi.json`.
The types of the function say what it takes and returns: `query: Filters`, `body: CancelBody`, `-> TaskDetails`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Generic, TypedDict, TypeVar, Unpack, get_args, get_origin, get_type_hints

from flask import Flask, Response, current_app
from msgspec import Struct
from werkzeug.wrappers import Response as AnyResponse

from queue_tool import errors
from queue_tool.errors import BadRequest, QueueToolError
from queue_tool.model.access import Role
from queue_tool.model.json_text import LINES
from queue_tool.model.payloads.queries import Paging, Query
from queue_tool.model.payloads.requests import NoBody
from queue_tool.web.http.answers import answer
from queue_tool.web.http.bodies import JsonBody, json_body
from queue_tool.web.http.query import read_query
from queue_tool.web.http.reading import read_object

JSON = ("application/json",)

JSON_OR_LINES = (*JSON, *LINES)
"""Media types: one JSON value, or an array as one element on each line."""

EVENT_STREAM = ("text/event-stream",)
"""Media types: server-sent events."""

ANY = (*JSON, "*/*")
"""Media types: the body is read if it is JSON. Any other body is not read, and no error."""

GROUPS = "queue_tool.groups"
"""In the extensions of the application: the declared operations, by group."""

Value = TypeVar("Value", bound=Struct)
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply(Generic[Value]):
    """An answer with a status or headers of its own. Without them, a function returns the body alone."""

    body: Value
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer of an operation, as the documentation shows it."""

    body: Any  # a type of the payloads, or a union of them; None: a page or a file
    meaning: str
    types: Sequence[str] = JSON  # media types
    headers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str  # as Flask writes it: `/tasks/<token>`
    function: Callable[..., Any]
    tag: str
    role: Role
    query: type[Query] | None  # None: there are no parameters
    body: Any  # a type of the payloads, or `JsonBody`; None: it takes no body
    answers: Mapping[int, Answer]
    errors: frozenset[type[QueueToolError]]
    takes: Sequence[str] = JSON  # media types of the body
    takes_any_query: bool = False  # unknown parameters are ignored
    body_schema: str = ""  # the name of the schema of a body that is any JSON
    refusal: type[BadRequest] = BadRequest  # the error if the body is not of its type
    waits: bool = False  # `Prefer: wait` is honored
    keyed: bool = False  # `Idempotency-Key` is honored
    continues: bool = False  # `On-Finished` is honored
    in_document: bool = True  # pages are not

    @property
    def name(self) -> str:
        """Return the name of the operation, which is unique: `listTasks` for the function `list_tasks`."""
        return _camel_case(self.function.__name__)

    @property
    def summary(self) -> str:
        """Return what the operation does, in a few words: the first line of the docstring, without its full stop."""
        return self._docstring.partition("\n")[0].removesuffix(".")

    @property
    def description(self) -> str:
        """Return what a caller must know in addition, in Markdown: the rest of the docstring."""
        return self._docstring.partition("\n")[2].strip()

    @property
    def _docstring(self) -> str:
        return inspect.getdoc(self.function) or ""

    @property
    def _lines(self) -> Sequence[str]:
        """Return the media types of bodies with one element on each line, if it takes such bodies."""
        return [kind for kind in self.takes if kind in LINES]

    @property
    def has_etag(self) -> bool:
        """Return whether its usual answer has an ETag: it can be read again and again, and is no stream."""
        return self.method == "GET" and JSON[0] in self.answers[min(self.answers)].types

    def __call__(self, **path: str) -> AnyResponse:
        """Handle the current request."""
        with ExitStack() as stack:
            given: dict[str, object] = dict(path)
            if not self.takes_any_query:
                query = read_query(self.query or Query)
                given |= {"query": query} if self.query else {}
            if self.body is JsonBody:
                given["body"] = stack.enter_context(json_body(is_optional=self.takes is ANY, lines=self._lines))
            elif self.body is not None:
                body = read_object(self.body, self.refusal)
                given |= {} if self.body is NoBody else {"body": body}
            return response_of(self.function(**given))


def response_of(value: Struct | Reply[Any] | AnyResponse) -> AnyResponse:
    """Return the response with what a function returned."""
    if isinstance(value, AnyResponse):
        return value
    reply = value if isinstance(value, Reply) else Reply(body=value)
    response: Response = answer(reply.body, reply.status)
    response.headers.update(reply.headers)
    return response


class Options(TypedDict, total=False):
    """What a declaration may say beside method, path and role.

    Keys:
        errors: the errors that the function raises, besides those that come from what it takes.
        status: the status of its usual answer, whose body is what the function returns; by default 200.
        headers: the headers of this answer, besides those that come from what the operation takes.
        answers: more answers, or the usual one if its body is no JSON object.

    The other keys are fields of `Operation`.
    """

    errors: Sequence[type[QueueToolError]]
    status: int
    headers: Sequence[str]
    answers: Mapping[int, Answer]
    takes: Sequence[str]
    takes_any_query: bool
    body_schema: str
    refusal: type[BadRequest]
    waits: bool
    keyed: bool
    continues: bool
    in_document: bool


class Group:
    """The operations of one module."""

    def __init__(self, tag: str, meaning: str) -> None:
        """Start without operations.

        Args:
            tag: the name of the group in the documentation.
            meaning: what it is about.
        """
        self.tag = tag
        self.meaning = meaning
        self.operations: list[Operation] = []

    def get(self, path: str, role: Role, **options: Unpack[Options]) -> Callable[[Function], Function]:
        """Return a decorator that declares a GET operation."""
        return self._declare("GET", path, role, options)

    def post(self, path: str, role: Role, **options: Unpack[Options]) -> Callable[[Function], Function]:
        """Return a decorator that declares a POST operation."""
        return self._declare("POST", path, role, options)

    def put(self, path: str, role: Role, **options: Unpack[Options]) -> Callable[[Function], Function]:
        """Return a decorator that declares a PUT operation."""
        return self._declare("PUT", path, role, options)

    def delete(self, path: str, role: Role, **options: Unpack[Options]) -> Callable[[Function], Function]:
        """Return a decorator that declares a DELETE operation."""
        return self._declare("DELETE", path, role, options)

    def _declare(self, method: str, path: str, role: Role, options: Options) -> Callable[[Function], Function]:
        """Return a decorator that declares an operation.

        Args:
            method: the HTTP method.
            path: as Flask writes it.
            role: the role that a request needs.
            options: what else the declaration says.
        """

        def declare(function: Function) -> Function:
            self.operations.append(_operation(function, options, method=method, path=path, role=role, tag=self.tag))
            return function

        return declare

    def register(self, app: Flask) -> None:
        """Add the routes to an application."""
        for operation in self.operations:
            name = f"{self.tag}.{operation.function.__name__}"
            app.add_url_rule(operation.path, name, operation, methods=[operation.method])


@cache
def _camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def operation_name(endpoint: str | None) -> str:
    """Return the name of the operation of an endpoint, for metrics: `static` for a file, `unknown` for no route."""
    view = current_app.view_functions.get(endpoint or "")
    return view.name if isinstance(view, Operation) else "unknown" if view is None else "static"


def operations_of(app: Flask) -> Iterator[Operation]:
    """Return every operation of an application."""
    return (view for view in app.view_functions.values() if isinstance(view, Operation))


def _operation(function: Callable[..., Any], options: Options, **named: Any) -> Operation:
    """Return the operation that a function with these types, and these options, declares.

    Args:
        function: the function.
        options: what the declaration says beside method, path and role.
        named: these, and the tag.
    """
    hints = get_type_hints(function)
    query, body = hints.get("query"), hints.get("body")
    if body is None and named["method"] != "GET" and "takes" not in options:
        body = NoBody
    headers = (*options.get("headers", ()), *["Link"] * (query is not None and issubclass(query, Paging)))
    usual = {options.get("status", 200): Answer(body=_body_of(hints["return"]), meaning="", headers=headers)}
    raised = {*options.get("errors", ()), *_usual_errors(named["method"], named["role"], query, body, options)}
    worked_out = ("errors", "status", "headers", "answers")
    return Operation(
        function=function,
        query=query,
        body=body,
        answers=usual | dict(options.get("answers", {})),
        errors=frozenset(raised),
        **named,
        **{key: value for key, value in options.items() if key not in worked_out},  # type: ignore[arg-type] # fields
    )


def _body_of(returned: Any) -> type[Struct] | None:
    """Return the type of the body that a function with this annotation returns."""
    found = get_args(returned)[0] if get_origin(returned) is Reply else returned
    return found if isinstance(found, type) and issubclass(found, Struct) else None


def _usual_errors(
    method: str, role: Role, query: type[Query] | None, body: Any, options: Options
) -> Iterator[type[QueueToolError]]:
    """Return the errors that come from what an operation takes, and not from what it does."""
    if role is not Role.OPEN:
        yield from (errors.Unauthorized, errors.Forbidden, errors.StoreAway)
    if not options.get("takes_any_query"):
        yield errors.BadParameter
    if query is not None and issubclass(query, Paging):
        yield errors.BadCursor
    if body is not None:
        yield from (errors.BadRequest, errors.MalformedJson, errors.IncompleteBody, errors.BodyTooSlow)
        yield from (errors.BodyTooLarge, errors.TooManyUploads)
    if method != "GET":
        yield errors.CommitUnknown
        if options.get("takes") is not ANY:
            yield errors.UnsupportedMediaType
    if options.get("keyed"):
        yield from (errors.BadIdempotencyKey, errors.IdempotencyKeyReused)
    if options.get("continues"):
        yield errors.BadContinuation
