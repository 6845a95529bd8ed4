"""The metrics in answers: a summary in a few figures."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from queue_tool.model.payloads.fields import Count, Payload

_Seconds = float | None


class RunDurations(Payload, frozen=True, kw_only=True):
    """How long runs took."""

    runs: Annotated[Count, Meta(description="How many runs these figures are about.")]
    average: Annotated[_Seconds, Meta(description="The mean in seconds; null if there are no runs.")]
    minimum: Annotated[_Seconds, Meta(description="The shortest one in seconds; null if there are no runs.")]
    median: Annotated[_Seconds, Meta(description="Half of the runs took at most so many seconds; null without runs.")]
    p95: Annotated[_Seconds, Meta(description="95 % of the runs took at most so many seconds; null without runs.")]
    maximum: Annotated[_Seconds, Meta(description="The longest one in seconds; null if there are no runs.")]


class MetricsSummary(Payload, frozen=True, kw_only=True):
    """The metrics of the whole service in a few figures."""

    submitted: Annotated[Count, Meta(description="How many tasks were stored since the beginning.")]
    finished: Annotated[Count, Meta(description="How many tasks have finished since the beginning.")]
    failed: Annotated[Count, Meta(description="How many tasks have failed since the beginning.")]
    canceled: Annotated[Count, Meta(description="How many tasks were canceled since the beginning.")]
    retried: Annotated[Count, Meta(description="How many runs have failed and were retried since the beginning.")]
    refused: Annotated[Count, Meta(description="How many elements of batches were refused since the beginning.")]
    success_rate: Annotated[
        float | None,
        Meta(description="`finished` / (`finished` + `failed`), from 0 to 1; null if no task has finished or failed."),
    ]
    queued: Annotated[Count, Meta(description="How many tasks wait for a worker now.")]
    running: Annotated[Count, Meta(description="How many tasks run now.")]
    durations: Annotated[
        RunDurations,
        Meta(description="The last runs of the newest tasks that have finished or failed, 1,000 at most."),
    ]
