"""The bodies of requests about tasks that exist. `task_request.py` has those that send tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, UnsetType, field

from queue_tool.model.payloads.fields import REFERENCE, Body, Payload

MOST_TOKENS = 100_000

By = Annotated[
    str | None,
    Meta(description="Who cancels: any text, cut after 1,000 characters. The default is the name of the API key."),
]
CancelledBy = Annotated[
    str | None,
    Meta(
        description="The same as `by`, which comes first, under the name that an earlier system gave it.",
        extra_json_schema={"deprecated": True},
    ),
]
Why = Annotated[str | None, Meta(description="Why: any text, cut after 1,000 characters.")]
_FEW = {"maxItems": MOST_TOKENS}
Tokens = Annotated[
    list[str],
    Meta(
        description=f"The tokens of the tasks, at most {MOST_TOKENS:,}. Unknown tokens change nothing.",
        extra_json_schema=_FEW,
    ),
]
WantedTokens = Annotated[
    list[str], Meta(description=f"The tokens of the tasks, at most {MOST_TOKENS:,}.", extra_json_schema=_FEW)
]
All = Annotated[bool, Meta(description="Must be true with an empty filter, because such a filter selects all tasks.")]
DryRun = Annotated[bool, Meta(description="True only counts the tasks and changes none.")]
_FILTER = "Which tasks: an object with the names and values of the filters of `GET /tasks`. All of them must match."
_FAILED_FILTER = (
    "Which failed tasks: an object with the names and values of the filters of `GET /deadletter`. "
    "All of them must match."
)
BodyFilter = Annotated[dict[str, Any], Meta(description=_FILTER, extra_json_schema={"$ref": f"{REFERENCE}TaskFilter"})]
FailedBodyFilter = Annotated[
    dict[str, Any], Meta(description=_FAILED_FILTER, extra_json_schema={"$ref": f"{REFERENCE}FailedTaskFilter"})
]

_EMPTY_FILTER: Mapping[str, Any] = {
    "if": {"required": ["filter"], "properties": {"filter": {"maxProperties": 0}}},
    "then": {"required": ["all"], "properties": {"all": {"const": True}}},
}
"""JSON Schema: an empty filter needs `"all": true`."""


class OpenBatchBody(Body, frozen=True, kw_only=True):
    """The label of an open batch, and what its elements are."""

    name: Annotated[
        str | None,
        Meta(description="The name of the batch, of 1 to 255 characters, for people and for `GET /batches`."),
    ] = None
    metadata: Annotated[
        dict[str, str],
        Meta(
            description="The labels of the batch, for `GET /batches`: at most 20 keys with values, each of 1 to 255 "
            "characters.",
            extra_json_schema={"$ref": f"{REFERENCE}Labels"},
        ),
    ] = field(default_factory=dict)
    task_type: Annotated[
        str | None,
        Meta(
            description="The task type of all elements, which are then the data itself. "
            "Without it, each element is a task object as in `POST /tasks`."
        ),
    ] = None
    on_finished: Annotated[
        Any | UnsetType,
        Meta(
            description="What follows when the batch has ended: a task as in `POST /tasks`, with the additional key "
            "`when` (`always`, `all_finished` or `any_failed`; by default `always`), or an array of such tasks.",
        ),
    ] = UNSET
    webhook: Annotated[
        str | None,
        Meta(
            description="The URL that the service calls when the batch finishes, with `http` or `https`.",
            extra_json_schema={"pattern": "^https?://[!-~]+$", "maxLength": 2048},
        ),
    ] = None


class CheckBody(Payload, frozen=True, kw_only=True):
    """The tokens of the tasks to read. Other keys are ignored."""

    tokens: WantedTokens


class CancelBody(Body, frozen=True, kw_only=True):
    """Who cancels, and why."""

    by: By = None
    reason: Why = None
    cancelled_by: CancelledBy = field(default=None, name="cancelledBy")


class RetryBody(Body, frozen=True, kw_only=True):
    """Which tasks to retry: either `tokens`, or, for admins, `filter`."""

    RULES: ClassVar[Mapping[str, Any]] = {
        "minProperties": 1,
        "allOf": [{"oneOf": [{"required": ["tokens"]}, {"required": ["filter"]}]}, _EMPTY_FILTER],
    }

    tokens: Tokens | UnsetType = UNSET
    filter: BodyFilter | UnsetType = UNSET
    all: All = False
    dry_run: DryRun = False


class BulkCancelBody(RetryBody, frozen=True, kw_only=True):
    """Which tasks to cancel: either `tokens`, or, for admins, `filter`."""

    by: By = None
    reason: Why = None


class RetryFailedBody(Body, frozen=True, kw_only=True):
    """Which failed tasks to retry; without `filter` all of them."""

    RULES: ClassVar[Mapping[str, Any]] = {"allOf": [_EMPTY_FILTER]}

    filter: FailedBodyFilter | UnsetType = UNSET
    all: All = False
    dry_run: DryRun = False


class NoBody(Body, frozen=True, kw_only=True):
    """An empty object, or no body at all."""
