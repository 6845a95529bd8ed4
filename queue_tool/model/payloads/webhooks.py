"""The JSON of webhooks: what admins register, and what became of messages."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, field

from queue_tool.model.payloads.fields import Body, Count, Payload, Time
from queue_tool.model.payloads.page import Page
from queue_tool.model.webhook import ALL, Event, TryResult

_HEX = {"pattern": "^[0-9a-f]{32}$"}

WebhookId = Annotated[str, Meta(description="The id of the webhook.", extra_json_schema=_HEX)]
MessageId = Annotated[
    str,
    Meta(
        description="The id of the message, which its header `webhook-id` has. It is the same in each try.",
        extra_json_schema=_HEX,
    ),
]
_EVENTS = f"{', '.join(f'`{event}`' for event in Event)}, or `{ALL}`"
Description = Annotated[str | None, Meta(description="A description for people.")]
OfType = Annotated[str | None, Meta(description="Only ends of tasks of this task type. Batches have none.")]
OfTag = Annotated[str | None, Meta(description="Only ends of tasks with this tag. Batches have none.")]
OfBatch = Annotated[str | None, Meta(description="Only ends of the batch with this id, and of its tasks.")]
Secret = Annotated[
    str,
    Meta(description="Signs the messages: give it to the receiver. It begins with `whsec_`. It is shown only once."),
]


class WebhookBody(Body, frozen=True, kw_only=True):
    """A webhook to register."""

    url: Annotated[str, Meta(description="The URL to which messages are sent, with `http` or `https`.")]
    events: Annotated[
        list[str],
        Meta(description=f"What the webhook is told of: {_EVENTS}."),
    ]
    headers: Annotated[
        dict[str, str],
        Meta(description="Headers of each request, for example `Authorization`. No answer shows their values."),
    ] = field(default_factory=dict)
    description: Description = None
    task_type: OfType = None
    tag: OfTag = None
    batch: OfBatch = None


class Webhook(Payload, frozen=True, kw_only=True):
    """A webhook."""

    id: WebhookId
    url: Annotated[str, Meta(description="The URL to which messages are sent.")]
    events: Annotated[list[Event], Meta(description="What the webhook is told of.")]
    own: Annotated[
        bool,
        Meta(description="True if nobody registered it: it is the `webhook` of tasks or batches, and has no `events`."),
    ]
    headers: Annotated[list[str], Meta(description="The names of the headers that each request has.")]
    description: Description
    task_type: OfType
    tag: OfTag
    batch: OfBatch
    created_at: Annotated[Time, Meta(description="When the webhook was registered, in UTC (RFC 3339).")]
    created: Annotated[
        Time,
        Meta(
            description="The same as `created_at`, under the name that an earlier system gave it.",
            extra_json_schema={"deprecated": True},
        ),
    ] = field(name="createdAt")
    waiting: Annotated[Count, Meta(description="How many ends the webhook has not been told of yet.")]
    tries: Annotated[Count, Meta(description="How many tries of its next message have failed.")]
    disabled_at: Annotated[
        Time | None, Meta(description="When the webhook was disabled, in UTC (RFC 3339); null if it gets messages.")
    ]
    disabled_why: Annotated[str | None, Meta(description="Why the webhook was disabled.")]


class NewWebhook(Webhook, frozen=True, kw_only=True):
    """A webhook that was registered, with its secret."""

    secret: Secret


class WebhookPage(Page[Webhook], frozen=True, kw_only=True):
    """One page of webhooks."""


class RemovedWebhook(Payload, frozen=True, kw_only=True):
    """The answer to a deletion."""

    id: WebhookId
    status: Annotated[str, Meta(description="`Webhook unregistered`, in the words of an earlier system.")]


class NewSecret(Payload, frozen=True, kw_only=True):
    """A new secret of a webhook."""

    id: WebhookId
    secret: Secret
    previous_until: Annotated[
        Time, Meta(description="Until when messages are signed with the previous secret too, in UTC (RFC 3339).")
    ]


class OwnSecret(Payload, frozen=True, kw_only=True):
    """The secret of the service."""

    secret: Annotated[
        str,
        Meta(description="Signs the messages to the `webhook` of tasks and batches. It begins with `whsec_`."),
    ]


class Delivery(Payload, frozen=True, kw_only=True):
    """One try to deliver a message."""

    message: MessageId
    type: Annotated[
        str,
        Meta(description="The type of the message: an event, `ends` if it lists more than one end, or `webhook.test`."),
    ]
    ends: Annotated[Count, Meta(description="How many ends the message lists.")]
    at: Annotated[Time, Meta(description="When the message was sent, in UTC (RFC 3339).")]
    tries: Annotated[int, Meta(description="The number of this try of the message; the first one is 1.", ge=1)]
    outcome: Annotated[
        TryResult,
        Meta(
            description="What followed: `delivered`; `retried`, so it is sent again; `parked`, so it was given up; "
            "`disabled`, because the receiver answered 410; or `tested`."
        ),
    ]
    seconds: Annotated[float, Meta(description="How long the request took, in seconds.")]
    status: Annotated[int | None, Meta(description="The HTTP status of the answer; null if there was none.")]
    answer: Annotated[str, Meta(description="The first 1,000 characters of the answer.")]
    problem: Annotated[str | None, Meta(description="Why there is no complete answer; null if there is one.")]


class DeliveryPage(Page[Delivery], frozen=True, kw_only=True):
    """One page of the tries to deliver messages to a webhook."""


class RedeliverBody(Body, frozen=True, kw_only=True):
    """What to deliver again: either `message` or `since`."""

    message: Annotated[str | UnsetType, Meta(description="The id of a message.")] = UNSET
    since: Annotated[
        str | UnsetType,
        Meta(
            description="A time (RFC 3339): everything that ended at this time or later.",
            extra_json_schema={"format": "date-time"},
        ),
    ] = UNSET


class Redelivered(Payload, frozen=True, kw_only=True):
    """What is delivered again."""

    ends: Annotated[Count, Meta(description="How many ends wait for the webhook again.")]
