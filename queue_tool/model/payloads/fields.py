"""Types of fields that many bodies have, and the base class of all bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from queue_tool.model.states import FINISHED, IN_PROGRESS


class Payload(Struct, frozen=True, kw_only=True):
    """A JSON object in a request or an answer."""

    RULES: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema: what the object must satisfy besides the types of its keys."""


class Body(Payload, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON object that a request sends. Unknown keys are refused."""


_HEX = {"pattern": "^[0-9a-f]{32}$"}
_ALIAS = {"deprecated": True}

Token = Annotated[str, Meta(description="The token of the task: its only id.", extra_json_schema=_HEX)]
_NAMED_EARLIER = "The same as `token`, under the name that an earlier system gave it."
TaskId = Annotated[str, Meta(description=_NAMED_EARLIER, extra_json_schema=_ALIAS)]
"""An alias of the token: `task_id`, `id` or `job_id`."""
BatchId = Annotated[str, Meta(description="The id of the batch.", extra_json_schema=_HEX)]
BatchOrNone = Annotated[str | None, Meta(description="The id of the task's batch; null if the task has no batch.")]
Message = Annotated[
    str,
    Meta(description=f"The state in Portuguese: `{IN_PROGRESS}` until the task has ended, then `{FINISHED}`."),
]
TypeName = Annotated[str, Meta(description="The name of the task type.")]
Item = Annotated[Any, Meta(description="The value of the key `item` in the data; null if the data has no such key.")]

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""A time in UTC (RFC 3339). Each field has a description of its own."""

Created = Annotated[Time, Meta(description="When the task was created, in UTC (RFC 3339).")]
Started = Annotated[
    Time | None,
    Meta(description="When the current or last run started, in UTC (RFC 3339); null while the task waits for a run."),
]
Ended = Annotated[Time | None, Meta(description="When the task ended, in UTC (RFC 3339); null until then.")]
Count = Annotated[int, Meta(ge=0)]

REFERENCE = "#/components/schemas/"
"""Where the schemas are in the document. Generators of clients name an object without a name after its place."""

Labels = Annotated[
    dict[str, str],
    Meta(
        description="The labels of the batch: each parameter `metadata.<key>` of the request.",
        extra_json_schema={"$ref": f"{REFERENCE}Labels"},
    ),
]
Parameters = Annotated[
    Any,
    Meta(
        description="The additional input of the function, as in the request; null if the request has none.",
        extra_json_schema={"anyOf": [{"$ref": f"{REFERENCE}Parameters"}, {"type": "null"}]},
    ),
]
JsonSchema = Annotated[
    Any,
    Meta(
        description="The JSON Schema (2020-12) of the data; true if all JSON is valid.",
        extra_json_schema={"anyOf": [{"$ref": f"{REFERENCE}JsonSchema"}, {"type": "boolean"}]},
    ),
]
