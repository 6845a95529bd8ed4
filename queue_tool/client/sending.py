"""Sending elements: in one request if they fit into one, else as an open batch that survives lost answers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from msgspec import UNSET

from queue_tool.client.calls import LINES, Call, Fill, Flow, Pause
from queue_tool.client.endpoints import Declared
from queue_tool.client.exchange import Ask
from queue_tool.client.operations import REFUSED_WHOLE, KeyedOpenBatch, KeyedSubmit, Operations
from queue_tool.client.parts import MOST_ELEMENTS, Part
from queue_tool.client.values import json_of
from queue_tool.errors import BodyTooLarge, QueueToolError, TooManyItems, TooManyWaiting
from queue_tool.model import json_text
from queue_tool.model.payloads.batches import Batch
from queue_tool.model.payloads.fields import Payload
from queue_tool.model.payloads.queries import FromQuery

LONGEST_IN_A_QUERY = 2000
"""Bytes of JSON in the query of a request, at most: proxies refuse long URLs, and a byte may need three there."""

TOO_LARGE = (TooManyItems, BodyTooLarge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How much of a batch the service has stored."""

    batch: str  # its id
    total: int  # elements that are stored
    is_complete: bool  # all elements are, and the batch is sealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a caller of `submit` wants."""

    task_type: str | None = None
    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    on_finished: bytes | None = None  # what follows: JSON
    webhook: str | None = None
    key: str
    resume: str | None = None  # the id of an open batch that has the first elements
    on_sent: Callable[[Sent], None] | None = None

    @property
    def fits_into_a_query(self) -> bool:
        """Return whether one request can say all of it: what follows must not make its URL too long."""
        return self.on_finished is None or len(self.on_finished) <= LONGEST_IN_A_QUERY

    def tell(self, batch: str, total: int, *, is_complete: bool = False) -> None:
        """Tell the caller how much is stored."""
        if self.on_sent is not None:
            self.on_sent(Sent(batch=batch, total=total, is_complete=is_complete))


class Options(TypedDict, total=False):
    """How `submit` sends elements."""

    task_type: str | None
    name: str | None
    metadata: Mapping[str, str] | None
    on_finished: object
    webhook: str | None
    idempotency_key: str | None
    resume: str | None
    on_sent: Callable[[Sent], None] | None


def order_of(options: Options) -> Order:
    """Return what the arguments of `submit` mean. A key that is missing is made.

    Raises:
        TypeError: there is no argument of this name. Python itself checks no names after `**`.
    """
    if unknown := sorted(options.keys() - Options.__annotations__.keys()):
        raise TypeError(f"submit() got an unexpected keyword argument {unknown[0]!r}")
    return Order(
        task_type=options.get("task_type"),
        name=options.get("name"),
        metadata=options.get("metadata") or {},
        on_finished=None if options.get("on_finished") is None else json_of(options["on_finished"]),
        webhook=options.get("webhook"),
        key=options.get("idempotency_key") or secrets.token_hex(16),
        resume=options.get("resume"),
        on_sent=options.get("on_sent"),
    )


class _Stored(Payload, frozen=True, kw_only=True):
    """Of the answer about elements only what is needed: the answers about the single elements stay unread."""

    batch: str | None = None


_WHOLE = Declared(
    method="POST", path="/tasks", answer=_Stored, takes=KeyedSubmit, kind=LINES, also=frozenset({REFUSED_WHOLE})
)
_PART = Declared(method="POST", path="/batches/{batch}/elements", answer=_Stored, takes=FromQuery, kind=LINES)


def submit(ask: Ask, order: Order) -> Flow[str]:
    """Send all elements of the source, and return the id of their batch.

    The same key with the same elements makes no second batch, whatever was killed before. If the source or the caller
    stops it in the middle, the error says how to continue.
    """
    part = Part(0)
    yield Fill(part)
    if order.resume is None and part.count and order.fits_into_a_query and (yield from _is_all(part)):
        stored = yield from _whole(ask, order, part)
        if stored is not None:
            order.tell(stored, part.count, is_complete=True)
            return stored
    opened = yield from _opened(ask, order)
    if opened.sealed:
        order.tell(opened.id, opened.total, is_complete=True)
        return opened.id
    try:
        yield from _parts(ask, order, opened, part)
    except BaseException as error:
        error.add_note(f"The batch {opened.id} is open. To continue it, send the same with resume={opened.id!r}.")
        raise
    return opened.id


def _is_all(part: Part) -> Flow[bool]:
    """Return whether the source has no further element."""
    if not part.is_last:
        yield Fill(part)
    return part.is_last


def _whole(ask: Ask, order: Order, part: Part) -> Flow[str | None]:
    """Send all elements in one request; return their batch, or None if they need an open batch.

    Without an accepted element, the service stores nothing of such a request. An open batch keeps the refusals.
    """
    given = KeyedSubmit(
        task_type=order.task_type,
        name=order.name,
        metadata=dict(order.metadata),
        on_finished=None if order.on_finished is None else order.on_finished.decode(),
        webhook=order.webhook,
        idempotency_key=order.key,
    )
    try:
        stored: _Stored = yield from ask(_WHOLE.call(given, content=part.body), never=TOO_LARGE)
    except TOO_LARGE:
        return None
    return stored.batch


def _opened(ask: Ask, order: Order) -> Flow[Batch]:
    """Return the open batch for the elements: a new one, the one of an earlier try, or the one to resume."""
    if order.resume is not None:
        return (yield from ask(Operations.get_batch.call(order.resume)))
    body = KeyedOpenBatch(
        name=order.name,
        metadata=dict(order.metadata),
        task_type=order.task_type,
        on_finished=UNSET if order.on_finished is None else json_text.loads(order.on_finished),
        webhook=order.webhook,
        idempotency_key=order.key,
    )
    made: Batch = yield from ask(Operations.open_batch.declared.call(body))
    return made


def _parts(ask: Ask, order: Order, opened: Batch, part: Part) -> Flow[None]:
    """Send all elements that the batch does not have, and seal it."""
    most = MOST_ELEMENTS
    while part.count:
        missing = part.beyond(opened.total)
        if missing.count:
            most = yield from _sent(ask, order, opened.id, missing, most)
        if part.is_last:
            break
        part = Part(part.end, most)
        yield Fill(part)
    sealed: Batch = yield from ask(Operations.seal_batch.call(opened.id))
    order.tell(sealed.id, sealed.total, is_complete=True)


def _sent(ask: Ask, order: Order, batch: str, part: Part, most: int) -> Flow[int]:
    """Send a part, in smaller pieces if the service takes no larger ones; return how many elements it takes at most."""
    waiting = [part]
    while waiting:
        piece = waiting.pop()
        try:
            yield from ask(_piece(batch, piece), never=(*TOO_LARGE, TooManyWaiting))
            order.tell(batch, piece.end)
        except (*TOO_LARGE, TooManyWaiting) as error:
            is_full = isinstance(error, TooManyWaiting)
            if piece.count == 1 and not is_full:
                raise _about(piece.start, error) from None
            waiting += reversed(piece.halves()) if piece.count > 1 else [piece]
            most = most if is_full else max(1, piece.count // 2)
            pause = error.retry_after or 1
        else:
            continue
        if is_full:
            yield Pause(pause)
    return most


def _about(index: int, error: QueueToolError) -> QueueToolError:
    """Return the error with the index of the one element that it is about."""
    named = type(error)(f"Element {index} does not fit into a request. {error.sentence}")
    named.request_id = error.request_id
    return named


def _piece(batch: str, part: Part) -> Call[_Stored]:
    return _PART.call(FromQuery(start=part.start), batch, part.body)
