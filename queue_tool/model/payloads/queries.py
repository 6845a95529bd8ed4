"""The query parameters of operations."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from queue_tool.model.payloads.batches import ElementStatus
from queue_tool.model.payloads.fields import Payload
from queue_tool.model.queues import Priority

MOST_ON_A_PAGE = 1000
MOST_ELEMENTS_ON_A_PAGE = 10_000
MOST_ELEMENTS = 999_999_999
"""The highest index of an element of an open batch."""

LONGEST_LABEL = 255
MOST_LABELS = 20
MOST_SECONDS = 9_999_999_999

LONGEST_STREAM = 3600
"""Seconds."""

_LABEL = {"minLength": 1, "maxLength": LONGEST_LABEL}


class Query(Payload, frozen=True, kw_only=True):
    """The query parameters of an operation. Unknown ones are refused."""


class Paging(Query, frozen=True, kw_only=True):
    """Which page of a list."""

    limit: Annotated[int, Meta(description="The maximum number of items on the page.", ge=1, le=MOST_ON_A_PAGE)] = 50
    cursor: Annotated[
        str | None,
        Meta(
            description="The value of `next` on the page before. Without it, the first page is returned.",
            extra_json_schema={"minLength": 1},
        ),
    ] = None


class JobQuery(Query, frozen=True, kw_only=True):
    """Which task, under the name of an earlier system."""

    job_id: Annotated[str, Meta(description="The token of the task.")]


_METADATA = "Each label is a parameter of its own, whose name begins with `metadata.`, such as `metadata.customer=42`."

BatchName = Annotated[
    str | None,
    Meta(
        description="The name of the new batch, for people and for `GET /batches`.",
        extra_json_schema=_LABEL,
    ),
]
Metadata = Annotated[dict[str, str], Meta(description=f"The labels of the new batch, for `GET /batches`. {_METADATA}")]


BatchWebhook = Annotated[
    str | None,
    Meta(
        description="The URL that the service calls when the new batch finishes, with `http` or `https`.",
        extra_json_schema={"pattern": "^https?://[!-~]+$", "maxLength": 2048},
    ),
]


class LabelQuery(Query, frozen=True, kw_only=True):
    """The label of a batch, what follows it, and whom to tell when it finishes."""

    name: BatchName = None
    metadata: Metadata = field(default_factory=dict)
    on_finished: Annotated[
        str | None,
        Meta(
            description="What follows when all tasks of the request have ended: JSON, as in the key `on_finished` of "
            "`POST /batches`. The header `On-Finished` does the same.",
            extra_json_schema={"minLength": 1},
        ),
    ] = None
    webhook: BatchWebhook = None


class SubmitQuery(LabelQuery, frozen=True, kw_only=True):
    """The task type of all elements, and the label of the batch."""

    task_type: Annotated[
        str | None,
        Meta(
            description="The task type of all tasks. The body, or each element of its array, is then the data itself."
        ),
    ] = None


class CancelQuery(Query, frozen=True, kw_only=True):
    """What follows a canceled batch."""

    continues: Annotated[
        Literal["true", "false"], Meta(description="`false`: nothing that `on_finished` names follows this cancel.")
    ] = field(default="true", name="continue")


class FromQuery(Query, frozen=True, kw_only=True):
    """Where elements of an open batch begin."""

    start: Annotated[
        int, Meta(description="The index of the first element: the `total` of the batch.", ge=0, le=MOST_ELEMENTS)
    ] = field(name="from")


class KeptQuery(Query, frozen=True, kw_only=True):
    """Which elements of a batch."""

    start: Annotated[int, Meta(description="The index of the first element of the page.", ge=0, le=MOST_ELEMENTS)] = (
        field(default=0, name="from")
    )
    limit: Annotated[
        int, Meta(description="The maximum number of elements on the page.", ge=1, le=MOST_ELEMENTS_ON_A_PAGE)
    ] = 1000


class BatchQuery(Paging, frozen=True, kw_only=True):
    """Which batches, and which page."""

    name: Annotated[str | None, Meta(description="Only batches with exactly this name.", extra_json_schema=_LABEL)] = (
        None
    )
    metadata: Annotated[dict[str, str], Meta(description=f"Only batches with all these labels. {_METADATA}")] = field(
        default_factory=dict
    )


class OverviewQuery(Query, frozen=True, kw_only=True):
    """What the charts of the overview show."""

    span: Annotated[Literal["hour", "day"], Meta(description="The time that the charts show.")] = "hour"


class QueueQuery(Paging, frozen=True, kw_only=True):
    """Which queue, and which page."""

    queue: Annotated[
        str | None,
        Meta(
            description="Only tasks of this queue: `high`, `default` or `low`.",
            extra_json_schema={"enum": [priority.queue for priority in Priority]},
        ),
    ] = None


class ResultsQuery(Query, frozen=True, kw_only=True):
    """Which elements of a batch."""

    status: Annotated[
        frozenset[ElementStatus],
        Meta(description="Only elements in one of these states; `rejected` for refused elements."),
    ] = frozenset()


class PurgeQuery(Query, frozen=True, kw_only=True):
    """Which dead letters to delete."""

    older_than: Annotated[
        float,
        Meta(
            description="Seconds, in digits, with at most six decimals. Tasks that failed less than this time ago are "
            "kept; 0 deletes all failed tasks.",
            ge=0,
            le=MOST_SECONDS,
        ),
    ]
    dry_run: Annotated[
        Literal["true", "false"], Meta(description="`true` only counts the tasks, as `matched`, and deletes none.")
    ] = "false"


class DownloadQuery(Query, frozen=True, kw_only=True):
    """The format of results."""

    format: Annotated[str, Meta(description="`csv` or `jsonl`.")] = "csv"


class LoginQuery(Query, frozen=True, kw_only=True):
    """Where a login leads."""

    next: Annotated[str, Meta(description="The path of the page after the login.")] = ""


class EventsQuery(Query, frozen=True, kw_only=True):
    """Which events, and for how long."""

    batch: Annotated[
        str | None,
        Meta(
            description="Only events of the batch with this id, whose progress is sent at once.",
            extra_json_schema={"pattern": "^[0-9a-f]{32}$"},
        ),
    ] = None
    seconds: Annotated[int, Meta(description="The stream ends after so many seconds.", ge=0, le=LONGEST_STREAM)] = (
        LONGEST_STREAM
    )
