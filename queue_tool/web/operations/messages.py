"""`/api/queue`: message queues. Clients push messages, and other clients pop them; no worker runs them."""

from __future__ import annotations

from flask import g
from msgspec import UNSET

from queue_tool.errors import (
    BadCursor,
    BadParameter,
    EmptyMessage,
    MessageTooLarge,
    PartlyChanged,
    ReceiptNotFound,
    TooManyMessages,
)
from queue_tool.model import json_text
from queue_tool.model.access import Role
from queue_tool.model.message import LONGEST_NAME, NOTHING, Popped
from queue_tool.model.payloads.messages import (
    EndedLease,
    MessageCount,
    MessageQueue,
    MessageQueueQuery,
    MessageQueues,
    PeekQuery,
    PoppedMessage,
    PopQuery,
    PurgedMessages,
    PushBody,
    PushedMessage,
    ReceiptBody,
    WaitingMessages,
)
from queue_tool.model.times import rfc3339
from queue_tool.web.http import transport
from queue_tool.web.http.answers import rfc3339_or_none, runtime
from queue_tool.web.http.operation import Group, Reply
from queue_tool.web.http.prefer import preferred_wait

PUSH, POP = "/api/queue/push", "/api/queue/pop"

VARIES = {"Vary": "Prefer"}

routes = Group("message queues", "Push messages, and pop them in their order. Your own programs process them.")


@routes.post(PUSH, Role.SUBMIT, errors=(EmptyMessage, MessageTooLarge, TooManyMessages))
def push_message(query: MessageQueueQuery, body: PushBody) -> PushedMessage:
    """Push a message.

    The message is the last of its queue. When you have the answer, it is on disk. `0`, `false`, arrays and objects are
    messages too.
    """
    runtime().messages.push(name_of(query), None if body.message is UNSET else body.message)
    return PushedMessage(message=body.message)


@routes.post(POP, Role.SUBMIT, waits=True)
def pop_message(query: PopQuery) -> Reply[PoppedMessage]:
    """Pop the oldest message.

    Two clients never get the same message. An empty queue is no error: the answer is 200 with `"success": false`. With
    `Prefer: wait=30` the server answers when a message comes, or after 30 seconds.

    Without `lease`, the message is removed at once: if your program dies, it is lost. With `lease=30` you get a
    `receipt`, and the message is removed when you send it to `POST /api/queue/ack`. If you do not do so within 30
    seconds, the message is given to the next client, before all later messages.
    """
    seconds = preferred_wait()
    messages, name = runtime().messages, name_of(query)
    if seconds is None:
        return Reply(body=shown(messages.pop(name, query.lease)), headers=VARIES)
    popped = messages.pop_in_time(name, query.lease, seconds, transport.on_leave())
    applied = {"Preference-Applied": f"wait={seconds}"} if popped.has_waited else {}
    return Reply(body=shown(popped.message), headers=VARIES | applied)


@routes.post("/api/queue/ack", Role.SUBMIT, errors=(ReceiptNotFound,))
def acknowledge_message(body: ReceiptBody) -> EndedLease:
    """Acknowledge a leased message.

    The message was processed and is removed. This works also after the end of the lease, if no other client has popped
    the message since.
    """
    runtime().messages.acknowledge(body.receipt)
    return EndedLease(message="acknowledged")


@routes.post("/api/queue/nack", Role.SUBMIT, errors=(ReceiptNotFound,))
def return_message(body: ReceiptBody) -> EndedLease:
    """Give a leased message back.

    The message waits again at its old place, so that the next client gets it at once. `deliveries` in the answers to
    pops shows how often this has happened.
    """
    runtime().messages.give_back(body.receipt)
    return EndedLease(message="returned")


@routes.get("/api/queue/count", Role.READ)
def count_messages(query: MessageQueueQuery) -> MessageCount:
    """Count the messages of a message queue.

    A message queue without messages has the count 0, which is a success.
    """
    counts = runtime().messages.count(name_of(query))
    return MessageCount(
        message=str(counts.waiting), count=counts.waiting, leased=counts.leased, oldest=rfc3339_or_none(counts.oldest)
    )


@routes.get("/api/queue/all", Role.READ, errors=(BadCursor,))
def list_messages(query: PeekQuery) -> WaitingMessages:
    """Read the waiting messages.

    They stay in their queue. The answer has at most 1,000 messages, and fewer if they are long: `next` leads to the
    messages that follow.
    """
    peek = runtime().messages.peek(name_of(query), query.limit, query.cursor)
    return WaitingMessages(messages=[json_text.raw(body) for body in peek.bodies], next=peek.next)


@routes.delete("/api/queue/all", Role.ADMIN, errors=(PartlyChanged,))
def purge_messages(query: MessageQueueQuery) -> PurgedMessages:
    """Delete all messages of a message queue.

    Leased messages are deleted too. This cannot be undone.
    """
    removed = runtime().messages.purge(name_of(query), g.key_name)
    return PurgedMessages(message=str(removed), removed=removed)


@routes.get("/api/queue", Role.READ)
def list_message_queues() -> MessageQueues:
    """List the message queues.

    The list has every message queue that has messages. An empty message queue does not exist.
    """
    found = [
        MessageQueue(
            name=counts.queue, count=counts.waiting, leased=counts.leased, oldest=rfc3339_or_none(counts.oldest)
        )
        for counts in runtime().messages.count_all()
    ]
    return MessageQueues(items=found, next=None, total=len(found))


def name_of(query: MessageQueueQuery) -> str:
    """Return the name of the message queue.

    Raises:
        BadParameter: the name is empty or too long.
    """
    if not 1 <= len(query.queue) <= LONGEST_NAME:
        raise BadParameter(f"queue must have 1 to {LONGEST_NAME} characters.")
    return query.queue


def shown(popped: Popped | None) -> PoppedMessage:
    """Return what the answer to a pop shows."""
    if popped is None:
        return PoppedMessage(message=NOTHING, success=False)
    body = json_text.raw(popped.body)
    if popped.receipt is None or popped.leased_until is None:
        return PoppedMessage(message=body, success=True, deliveries=popped.deliveries)
    return PoppedMessage(
        message=body,
        success=True,
        deliveries=popped.deliveries,
        receipt=popped.receipt,
        leased_until=rfc3339(popped.leased_until),
    )
