"""RabbitMQ: connections, and AMQP messages that were refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from queue_tool.model.events.shared import Reason
from queue_tool.model.telemetry import Event, Level

Server = Annotated[str, "the address of RabbitMQ, and its virtual host if that is not `/`"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpConnected(Event):
    """`queue-tool consume` is connected to RabbitMQ and consumes."""

    title = "consuming from RabbitMQ"
    server: Server
    queues: Annotated[str, "the names of the queues, separated by commas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpLost(Event):
    """The connection to RabbitMQ was lost, or could not be opened. It is tried again until it succeeds.

    AMQP messages that were not acknowledged come again. While the cause stays the same, there is no further line.
    """

    title = "RabbitMQ lost"
    level = Level.WARNING
    server: Server
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpBlocked(Event):
    """RabbitMQ reads no more from connections that publish. Replies and refused messages wait."""

    title = "RabbitMQ blocks publishers"
    level = Level.WARNING
    reason: Annotated[str, "what RabbitMQ says, such as `low on memory` or `low on disk`"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpUnblocked(Event):
    """RabbitMQ reads again from connections that publish."""

    title = "RabbitMQ takes publications again"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpWorkWaits(Event):
    """AMQP messages wait, because the database is away or too many tasks are queued. Nothing new is taken."""

    title = "work from RabbitMQ waits"
    level = Level.WARNING
    messages: Annotated[int, "the number of AMQP messages that were tried"]
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpWorkContinues(Event):
    """The AMQP messages that had to wait were handled."""

    title = "work from RabbitMQ continues"


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpMessageRefused(Event):
    """An AMQP message was refused whole, and went to the exchange `queue_tool.dead`. Nothing of it was stored."""

    title = "AMQP message refused"
    level = Level.WARNING
    queue: Annotated[str, "the queue from which it came"]
    message_id: Annotated[str, "its `message_id`, if it has one"] | None
    code: Annotated[str, "the code of the error"]
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class AmqpNotPublished(Event):
    """RabbitMQ does not take a reply or a refused message.

    A reply is given up. A refused message is tried again, and until then the AMQP message stays in its queue.
    """

    title = "not published to RabbitMQ"
    level = Level.WARNING
    kind: Annotated[str, "`reply` or `refused message`"]
    to: Annotated[str, "the queue of the reply, or the exchange of refused messages"]
