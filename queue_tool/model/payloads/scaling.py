"""The bodies, queries and answers of the routes that change how many workers a supervisor runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, UnsetType, field

from queue_tool.model.payloads.fields import Body, Count, Payload
from queue_tool.model.payloads.queries import Query
from queue_tool.model.scale import MOST_WORKERS

_ALIAS = {"deprecated": True}

Number = Annotated[int, Meta(ge=0, le=MOST_WORKERS)]

Host = Annotated[
    str | None,
    Meta(description="The name of the host of the supervisor. It may be missing if only one supervisor runs."),
]


class HostQuery(Query, frozen=True, kw_only=True):
    """Which supervisor."""

    host: Host = None


class CountQuery(HostQuery, frozen=True, kw_only=True):
    """Which supervisor, and how many workers."""

    count: Annotated[
        int, Meta(description="How many workers. The key `count` of the body comes first.", ge=1, le=MOST_WORKERS)
    ] = 1


class CountBody(Body, frozen=True, kw_only=True):
    """How many workers."""

    count: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_WORKERS)] | UnsetType,
        Meta(description="How many workers. The default is that of the query, or 1."),
    ] = UNSET


class ScaleBody(Body, frozen=True, kw_only=True):
    """What changes. Keys that are missing stay as they are. New bounds also move a `wanted` that is outside of them."""

    RULES: ClassVar[Mapping[str, Any]] = {"minProperties": 1}

    minimum: Annotated[Number | UnsetType, Meta(description="The lowest number of workers.")] = UNSET
    maximum: Annotated[Number | UnsetType, Meta(description="The highest number of workers.")] = UNSET
    wanted: Annotated[Number | UnsetType, Meta(description="The number of workers, from `minimum` to `maximum`.")] = (
        UNSET
    )
    automatic: Annotated[
        bool | UnsetType,
        Meta(description="Whether the automatic rule adds workers while tasks wait, and removes them later."),
    ] = UNSET
    min_workers: Annotated[
        Number | UnsetType,
        Meta(description="The same as `minimum`, which comes first.", extra_json_schema=_ALIAS),
    ] = field(default=UNSET, name="minWorkers")
    max_workers: Annotated[
        Number | UnsetType,
        Meta(description="The same as `maximum`, which comes first.", extra_json_schema=_ALIAS),
    ] = field(default=UNSET, name="maxWorkers")
    auto_scaling: Annotated[
        bool | UnsetType,
        Meta(description="The same as `automatic`, which comes first.", extra_json_schema=_ALIAS),
    ] = field(default=UNSET, name="autoScaling")

    @property
    def changes(self) -> dict[str, Any]:
        """Return the values that were given, by their first names."""
        given = {
            "minimum": (self.minimum, self.min_workers),
            "maximum": (self.maximum, self.max_workers),
            "wanted": (self.wanted,),
            "automatic": (self.automatic, self.auto_scaling),
        }
        known = {name: [value for value in values if value is not UNSET] for name, values in given.items()}
        return {name: values[0] for name, values in known.items() if values}


class SupervisorSummary(Payload, frozen=True, kw_only=True):
    """A supervisor (`queue-tool up` or `flask run`), and how many workers it runs."""

    host: Annotated[str, Meta(description="The name of its host, for the parameter `host`.")]
    minimum: Annotated[Count, Meta(description="The lowest number of workers that may be wanted.")]
    maximum: Annotated[Count, Meta(description="The highest number of workers that may be wanted.")]
    wanted: Annotated[Count, Meta(description="How many workers should run.")]
    running: Annotated[Count, Meta(description="How many of them run, at most ten seconds ago.")]
    draining: Annotated[
        Count, Meta(description="How many more still run: they were removed or replaced, and finish their tasks.")
    ]
    automatic: Annotated[bool, Meta(description="Whether the automatic rule changes `wanted`.")]


class ScaledSupervisor(SupervisorSummary, frozen=True, kw_only=True):
    """A supervisor after a change. `running` and `draining` are those of the moment before."""

    status: Annotated[
        str, Meta(description="What was done, in the words of an earlier system.", extra_json_schema=_ALIAS)
    ]
