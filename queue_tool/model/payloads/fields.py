"""Types of fields that many bodies have, and the base class of all bodies."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct


class Payload(Struct, frozen=True, kw_only=True):
    """A JSON object in a request or an answer."""


class Body(Payload, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON object that a request sends. Unknown keys are refused."""


_HEX = {"pattern": "^[0-9a-f]{32}$"}
_ALIAS = {"deprecated": True}

Token = Annotated[str, Meta(description="The token of the task: its only id.", extra_json_schema=_HEX)]
TaskId = Annotated[
    str,
    Meta(description="The same as `token`, under the name that an earlier system gave it.", extra_json_schema=_ALIAS),
]
BatchId = Annotated[str, Meta(description="The id of a batch.", extra_json_schema=_HEX)]
BatchOrNone = Annotated[str | None, Meta(description="The id of the task's batch; null for a task without one.")]
Message = Annotated[str, Meta(description="In Portuguese: `Em processamento` until it has ended, then `Finalizado`.")]
TypeName = Annotated[str, Meta(description="The name of the task type.")]
Item = Annotated[Any, Meta(description="The key `item` of the data; null if there is none.")]

_Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Time = Annotated[_Time, Meta(description="A time in UTC (RFC 3339).")]
TimeOrNone = Annotated[_Time | None, Meta(description="A time in UTC (RFC 3339); null if it has not come.")]
Seconds = Annotated[float, Meta(description="Seconds.")]
Count = Annotated[int, Meta(ge=0)]
