"""Pushes to message queues and pops from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from queue_tool.errors import TooManyMessages
from queue_tool.model.message import Order, Pop, Popped
from queue_tool.model.payloads.messages import (
    MessageQueueQuery,
    PoppedMessage,
    PopQuery,
    PushBody,
    PushedMessage,
)
from queue_tool.model.typed import convert
from queue_tool.runtime import Runtime
from queue_tool.services.messages import RETRY_AFTER, Answer, push_of
from queue_tool.services.together import Failed
from queue_tool.web.grouped.requests import Ordered, Request
from queue_tool.web.http.operation import Reply
from queue_tool.web.http.query import plain_query
from queue_tool.web.operations.messages import POP, PUSH, VARIES, name_of, shown

MessageReply = Reply[PoppedMessage] | Reply[PushedMessage]


@dataclass(frozen=True, slots=True)
class MessageOrder:
    """An order, and the value that a push sends."""

    order: Order
    value: object = None


class MessageRequests:
    """`POST /api/queue/push` and `POST /api/queue/pop`."""

    paths = (PUSH, POP)

    def __init__(self, system: Runtime) -> None:
        """Use the messages of this system."""
        self._messages = system.messages

    def order_of(self, request: Request) -> MessageOrder | None:
        """Return what a request orders; see `Kind`."""
        if request.path == POP:
            return self._pop(request)
        query = plain_query(MessageQueueQuery, request.query)
        if query is None:
            return None
        try:
            value = convert(request.json(), PushBody).message
        except msgspec.ValidationError:
            return None
        return None if value is msgspec.UNSET else MessageOrder(push_of(name_of(query), value), value)

    def replies(self, ordered: Sequence[Ordered[MessageOrder]]) -> Sequence[MessageReply | Failed]:
        """Carry out several orders; see `Kind`."""
        answers = self._messages.each([each.order.order for each in ordered])
        return [_reply(each.order, answer) for each, answer in zip(ordered, answers, strict=True)]

    def _pop(self, request: Request) -> MessageOrder | None:
        query = None if request.size else plain_query(PopQuery, request.query)
        return None if query is None else MessageOrder(self._messages.pop_of(name_of(query), query.lease))


def _reply(ordered: MessageOrder, answer: Answer | Failed) -> MessageReply | Failed:
    if isinstance(answer, Failed):
        return answer
    if isinstance(ordered.order, Pop):
        return Reply(body=shown(answer if isinstance(answer, Popped) else None), headers=VARIES)
    if not answer:
        return Failed(TooManyMessages(retry_after=RETRY_AFTER))
    return Reply(body=PushedMessage(message=ordered.value))
