"""Queues, lanes and lists."""

from __future__ import annotations

import pytest

from queue_tool.model.queues import LISTS, Lane, Priority


def test_the_lists_are_ordered_from_the_most_to_the_least_urgent() -> None:
    assert LISTS == (
        "high",
        "high.threads",
        "high.isolated",
        "default",
        "default.threads",
        "default.isolated",
        "low",
        "low.threads",
        "low.isolated",
    )


@pytest.mark.parametrize(
    ("priority", "queue"), [(Priority.HIGH, "high"), (Priority.NORMAL, "default"), (Priority.LOW, "low")]
)
def test_each_priority_has_its_rq_queue(priority: Priority, queue: str) -> None:
    assert priority.queue == queue
    assert Lane.LOOP.list_of(priority.queue) == queue
