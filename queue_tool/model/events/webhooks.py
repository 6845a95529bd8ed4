"""Webhooks: messages that were delivered, or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.telemetry import Event, Level

Message = Annotated[str, "the id of the message"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(Event):
    """A message was delivered to a webhook."""

    title = "webhook delivered"
    level = Level.DEBUG
    message: Message
    ends: Annotated[int, "the number of ends that the message lists"]
    status: Annotated[int, "the HTTP status of the answer"]
    seconds: Annotated[float, "how long the request took, in seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDelivered(Event):
    """A message was not delivered to a webhook. Its outcome says what follows."""

    title = "webhook not delivered"
    level = Level.WARNING
    message: Message
    tries: Annotated[int, "how many times it was sent"]
    outcome: Annotated[
        str,
        "`retried`: it is sent again; `parked`: it is given up; `disabled`: the receiver answered 410 and gets no more",
    ]
    status: Annotated[int, "the HTTP status of the answer; missing if there was none"] | None
    reason: Annotated[str, "why it was not delivered"]
    pause: Annotated[float, "seconds until the next try; missing if there is none"] | None
