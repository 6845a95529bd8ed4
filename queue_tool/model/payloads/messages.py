"""Messages in requests and answers. Every answer about them has `success`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.message import LONGEST_LEASE, LONGEST_NAME, NOTHING, STANDARD_QUEUE
from queue_tool.model.payloads.fields import Body, Count, Payload, Time
from queue_tool.model.payloads.queries import MOST_ON_A_PAGE, Query

Success = Annotated[bool, Meta(description="Always true: an error has `false`.")]
QueueName = Annotated[
    str,
    Meta(
        description=f"The name of the message queue, of 1 to {LONGEST_NAME} characters. It needs no preparation.",
        extra_json_schema={"minLength": 1, "maxLength": LONGEST_NAME},
    ),
]
Receipt = Annotated[str, Meta(description="The `receipt` of the pop.")]
Waiting = Annotated[Count, Meta(description="How many messages wait.")]
Leased = Annotated[Count, Meta(description="How many messages are leased: popped, and not yet acknowledged.")]
Oldest = Annotated[
    Time | None,
    Meta(description="When the oldest waiting message was pushed, in UTC (RFC 3339); null if no message waits."),
]


class MessageQueueQuery(Query, frozen=True, kw_only=True):
    """Which message queue."""

    queue: QueueName = STANDARD_QUEUE


class PopQuery(MessageQueueQuery, frozen=True, kw_only=True):
    """Which message queue, and for how long the message is leased."""

    lease: Annotated[
        Annotated[int, Meta(ge=1, le=LONGEST_LEASE)] | None,
        Meta(
            description="Seconds in which you acknowledge the message. After that it is given to another client. "
            "Without a lease, the message is removed at once."
        ),
    ] = None


class PeekQuery(MessageQueueQuery, frozen=True, kw_only=True):
    """Which message queue, and which page."""

    limit: Annotated[
        int, Meta(description="The maximum number of messages in the answer.", ge=1, le=MOST_ON_A_PAGE)
    ] = MOST_ON_A_PAGE
    cursor: Annotated[
        str | None,
        Meta(description="The value of `next` in the answer before. Without it, the oldest messages are returned."),
    ] = None


class PushBody(Body, frozen=True, kw_only=True):
    """The message."""

    RULES: ClassVar[Mapping[str, Any]] = {"required": ["message"]}

    message: Annotated[
        Any | UnsetType,
        Meta(
            description="Any JSON but null and the empty string, of at most 1 MiB.",
            extra_json_schema={"allOf": [{"not": {"type": "null"}}, {"not": {"const": ""}}]},
        ),
    ] = UNSET


class ReceiptBody(Body, frozen=True, kw_only=True):
    """The receipt of a leased message."""

    receipt: Receipt


class PushedMessage(Payload, frozen=True, kw_only=True):
    """The message is on disk."""

    message: Annotated[Any, Meta(description="The message, as in the request.")]
    success: Success = True


class PoppedMessage(Payload, frozen=True, kw_only=True):
    """The oldest message; or, if the message queue is empty, that there is none."""

    message: Annotated[Any, Meta(description=f"The message; `{NOTHING}` if the message queue is empty.")]
    success: Annotated[bool, Meta(description="True if there is a message; false if the message queue is empty.")]
    deliveries: Annotated[
        Count | UnsetType,
        Meta(description="How many times the message was popped, this time included: more than 1 if a lease ended."),
    ] = UNSET
    receipt: Annotated[
        str | UnsetType, Meta(description="Names the lease, for `ack` and `nack`. Only with `lease`.")
    ] = UNSET
    leased_until: Annotated[
        Time | UnsetType, Meta(description="When the lease ends, in UTC (RFC 3339). Only with `lease`.")
    ] = UNSET


class EndedLease(Payload, frozen=True, kw_only=True):
    """The lease has ended."""

    message: Annotated[str, Meta(description="What happened to the message: `acknowledged` or `returned`.")]
    success: Success = True


class MessageCount(Payload, frozen=True, kw_only=True):
    """How many messages a message queue has."""

    message: Annotated[str, Meta(description="The same as `count`, as a string.")]
    count: Waiting
    leased: Leased
    oldest: Oldest
    success: Success = True


class WaitingMessages(Payload, frozen=True, kw_only=True):
    """The waiting messages of a message queue, oldest first."""

    messages: Annotated[
        Sequence[Any],
        Meta(
            description="The messages, oldest first. They stay in the message queue.",
            extra_json_schema={"items": {"description": "A message: any JSON."}},
        ),
    ]
    next: Annotated[
        str | None, Meta(description="The value of the parameter `cursor` for the messages that follow; null if none.")
    ]
    success: Success = True


class MessageQueue(Payload, frozen=True, kw_only=True):
    """A message queue."""

    name: Annotated[str, Meta(description="The name of the message queue.")]
    count: Waiting
    leased: Leased
    oldest: Oldest


class MessageQueues(Payload, frozen=True, kw_only=True):
    """All message queues that have messages, by name."""

    items: Annotated[Sequence[MessageQueue], Meta(description="The message queues.")]
    next: Annotated[None, Meta(description="Always null: the list has one page.")]
    total: Annotated[Count, Meta(description="How many message queues have messages.")]
    success: Success = True


class PurgedMessages(Payload, frozen=True, kw_only=True):
    """All messages of a message queue were deleted."""

    message: Annotated[str, Meta(description="The same as `removed`, as a string.")]
    removed: Annotated[Count, Meta(description="How many messages were deleted.")]
    success: Success = True
