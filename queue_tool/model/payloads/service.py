"""The service itself in answers: its health, and the errors of requests."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.batches import FieldProblem
from queue_tool.model.payloads.fields import Count, Payload


class Alive(Payload, frozen=True, kw_only=True):
    """The process responds."""

    status: Annotated[Literal["ok"], Meta(description="Always `ok`.")] = "ok"


class Checks(Payload, frozen=True, kw_only=True):
    """The state of each part that the service needs."""

    database: Annotated[str, Meta(description="SQLite or PostgreSQL: `ok`, or a sentence that says what is wrong.")]
    broker: Annotated[str, Meta(description="Redis or Valkey: `ok`, or a sentence that says what is wrong.")]
    workers: Annotated[str, Meta(description="The workers: `ok`, or a sentence that says what is wrong.")]
    rabbitmq: Annotated[
        str | UnsetType,
        Meta(
            description="Whether each queue of RabbitMQ has a consumer: `ok`, or a sentence that says what is wrong. "
            "It does not change `status`. Only with QUEUE_TOOL_AMQP_URL."
        ),
    ] = UNSET


class Readiness(Payload, frozen=True, kw_only=True):
    """Whether the system can do its work."""

    status: Annotated[
        Literal["ok", "unavailable"],
        Meta(description="`ok` if database, broker and workers can do their work, else `unavailable`."),
    ]
    checks: Annotated[Checks, Meta(description="The state of each part.")]
    lag: Annotated[
        float | None,
        Meta(
            description="Seconds since the oldest queued task was created; 0 if no task is queued; "
            "null if the database is not available."
        ),
    ]


class Problem(Payload, frozen=True, kw_only=True):
    """An error: problem details (RFC 9457)."""

    type: Annotated[
        str,
        Meta(description="The address of the documentation of `code`, relative to the service: its cause and remedy."),
    ]
    title: Annotated[str, Meta(description="The name of the HTTP status.")]
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[
        str,
        Meta(
            description="A sentence for people: what is wrong, then what to do. Later versions may word it differently."
        ),
    ]
    code: Annotated[str, Meta(description="The name of the error. It is stable, so programs decide by it.")]
    message: Annotated[str, Meta(description="The same as `detail`.")]
    request_id: Annotated[
        str, Meta(description="The id of the request. Each line that the server logs about the request has it.")
    ]
    success: Annotated[bool | UnsetType, Meta(description="Always false; only in answers of message queues.")] = UNSET
    errors: Annotated[
        list[FieldProblem] | UnsetType, Meta(description="Why the task was refused; only with the code `bad_task`.")
    ] = UNSET
    total: Annotated[
        Count | UnsetType,
        Meta(description="How many elements the open batch has; only with the code `wrong_start`."),
    ] = UNSET
