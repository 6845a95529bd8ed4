"""The service itself in answers: its health, and the errors of requests."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.batches import FieldProblem
from queue_tool.model.payloads.fields import Payload


class Alive(Payload, frozen=True, kw_only=True):
    """The process responds."""

    status: Literal["ok"] = "ok"


class Checks(Payload, frozen=True, kw_only=True):
    """The parts that the service needs: `ok`, or a sentence that says what is wrong."""

    database: str
    broker: str
    workers: str


class Readiness(Payload, frozen=True, kw_only=True):
    """Whether the system can do its work."""

    status: Literal["ok", "unavailable"]
    checks: Checks
    lag: Annotated[
        float | None, Meta(description="Seconds for which the oldest task has waited; null without a database.")
    ]


class Problem(Payload, frozen=True, kw_only=True):
    """An error: problem details (RFC 9457)."""

    type: Annotated[str, Meta(description="The entry of this error in the documentation.")]
    title: str
    status: Annotated[int, Meta(description="The HTTP status.")]
    detail: Annotated[str, Meta(description="A sentence about this very error.")]
    code: Annotated[str, Meta(description="The error; stable, for programs.")]
    message: Annotated[str, Meta(description="The same as `detail`.")]
    request_id: Annotated[str, Meta(description="The id of the request, which the log has too.")]
    errors: Annotated[
        list[FieldProblem] | UnsetType, Meta(description="Why a single task was refused; only with `bad_task`.")
    ] = UNSET
