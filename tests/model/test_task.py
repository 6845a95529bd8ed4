"""The status of a task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from queue_tool.model.states import State
from queue_tool.model.task import Status

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def status(started_at: datetime | None, finished_at: datetime | None = None, run: int = 1) -> Status:
    return Status(
        token="0" * 32,
        batch=None,
        task_type="sleep",
        data="{}",
        state=State.QUEUED,
        run=run,
        attempt=1,
        created_at=NOON,
        started_at=started_at,
        finished_at=finished_at,
        result=None,
        code=None,
        error=None,
    )


@pytest.mark.parametrize(
    ("started_at", "finished_at", "duration"),
    [
        (None, None, None),
        (NOON, None, None),
        (None, NOON, None),
        (NOON, NOON, 0.0),
        (NOON, NOON + timedelta(milliseconds=1500), 1.5),
    ],
)
def test_a_task_has_a_duration_once_its_run_has_ended(
    started_at: datetime | None, finished_at: datetime | None, duration: float | None
) -> None:
    assert status(started_at, finished_at).duration == duration


@pytest.mark.parametrize(
    ("started_at", "run", "shown"),
    [(None, 1, None), (NOON, 1, 1), (None, 2, 1)],
    ids=["waits for its first start", "runs", "was put back"],
)
def test_the_attempt_is_unknown_before_the_first_start(
    started_at: datetime | None, run: int, shown: int | None
) -> None:
    assert status(started_at, run=run).begun_attempt == shown
