"""The system for users' tests. docs/testing.md and the project of `queue-tool init` show it in pytest."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from queue_tool.errors import BadTask, NaiveTime, NotSent, TaskNotFound
from queue_tool.model.batch import Label
from queue_tool.model.payloads.schedules import ScheduleBody
from queue_tool.testing import InlineSystem

pytestmark = pytest.mark.sqlite

FAILS = {"min": 0, "max": 0, "failure": 1}
MINUTE = timedelta(minutes=1)


@pytest.fixture
def system(tmp_path: Path, migrated_database: Path) -> Iterator[InlineSystem]:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o700)
    shutil.copyfile(migrated_database, directory / migrated_database.name)
    with InlineSystem(directory, {"QUEUE_TOOL_MAX_ATTEMPTS": "3"}) as made:
        yield made


def test_a_task_runs_when_it_is_sent(system: InlineSystem) -> None:
    sent = system.submit({"a": [1, None]}, task_type="echo", tags=["mine"])
    assert (sent.status, sent.result, sent.data, sent.attempt) == ("finished", {"a": [1, None]}, {"a": [1, None]}, 1)
    assert (sent.error, sent.code, sent.due_at, sent.details.tags) == (None, None, None, ("mine",))
    assert repr(sent) == f"<echo {sent.token} finished>"


def test_the_time_stands_still_until_it_is_moved(system: InlineSystem) -> None:
    began = system.now
    sent = system.submit(None, task_type="echo")
    assert system.now == began == sent.details.created_at == sent.details.finished_at
    system.advance(hours=1, minutes=1)
    system.advance(timedelta(seconds=1))
    assert system.now == began + timedelta(hours=1, minutes=1, seconds=1)


def test_a_delayed_task_runs_at_its_time(system: InlineSystem) -> None:
    began = system.now
    sent = system.submit(1, task_type="echo", delay=60)
    later = system.submit(2, task_type="echo", run_at=began + timedelta(days=1))
    assert [sent.status, later.status, sent.due_at] == ["scheduled", "scheduled", began + MINUTE]
    system.advance(seconds=59.9)
    assert (sent.status, sent.result) == ("scheduled", None)
    system.advance(hours=1)
    assert (sent.status, sent.details.started_at) == ("finished", began + MINUTE)
    assert later.status == "scheduled"


def test_a_task_that_fails_is_retried_until_it_has_no_attempt_left(system: InlineSystem) -> None:
    sent = system.submit(FAILS, task_type="simulate")
    assert (sent.status, sent.attempt, sent.code) == ("scheduled", 2, "error")
    assert sent.error is not None
    assert sent.error in repr(sent)
    due = sent.due_at
    assert due is not None
    assert due - system.now <= timedelta(seconds=5)  # the first delay of the standard backoff is up to five seconds
    system.advance(days=1)
    assert (sent.status, sent.code, sent.attempt) == ("failed", "error", 3)
    assert [attempt.attempt for attempt in sent.attempts] == [1, 2, 3]
    assert sent.attempts[1].ended_at == due


def test_a_task_expires_at_its_time(system: InlineSystem) -> None:
    sent = system.submit(1, task_type="echo", delay=120, expires_at=system.now + MINUTE)
    expires = system.now + MINUTE
    system.advance(hours=1)
    assert (sent.status, sent.code, sent.details.finished_at) == ("failed", "expired", expires)


def test_a_schedule_sends_at_each_of_its_times(system: InlineSystem) -> None:
    body = ScheduleBody(task_type="echo", data="tick", cron="0 */6 * * *")
    schedule = system.runtime.schedules.make(body)
    system.advance(days=3)
    assert len(system.tasks("echo")) == 12
    assert {task.details.created_at.hour for task in system.tasks()} == {0, 6, 12, 18}
    assert system.runtime.schedules.get(schedule.id).next_at is not None


def test_the_rest_of_a_sweep_is_done_between_many_ticks(system: InlineSystem) -> None:
    system.runtime.schedules.make(ScheduleBody(task_type="reverse_text", data="tick", every=3600))
    opened = system.now
    follows = [{"task_type": "echo", "data": "sealed"}]
    system.runtime.open_batches.open(Label(), "echo", on_finished=follows)
    system.advance(hours=48)
    assert len(system.tasks("reverse_text")) == 48
    [sealed] = system.tasks("echo")
    assert timedelta(hours=24) <= sealed.details.created_at - opened <= timedelta(hours=37)


def test_a_batch_with_a_refusal_and_what_follows_it(system: InlineSystem) -> None:
    follows = {"task_type": "uppercase", "data": "done"}
    batch = system.submit_many([1, "no", 2, FAILS], task_type="sum_numbers", on_finished=follows)
    assert batch.counts == {"rejected": 4}
    batch = system.submit_many(["abc", 42, "def"], task_type="uppercase", on_finished=follows)
    assert (batch.counts, batch.is_finished) == ({"finished": 2, "rejected": 1}, True)
    assert batch.results == ["ABC", None, "DEF"]
    assert [task.result for task in batch.tasks] == ["ABC", "DEF"]
    assert [*batch.refused] == [1]
    assert "42" in batch.refused[1][0].message
    assert [task.result for task in system.tasks("uppercase")] == ["DONE", "ABC", "DEF", "DONE"]
    with pytest.raises(ValueError, match="at least one element"):
        system.submit_many([], task_type="echo")


def test_a_list_has_all_tasks_however_many_there_are(system: InlineSystem) -> None:
    batch = system.submit_many(range(1001), task_type="echo", delay=1)
    assert batch.counts == {"scheduled": 1001}
    assert [task.token for task in system.tasks()] == [task.token for task in batch.tasks]


def test_a_refused_task_raises_an_error(system: InlineSystem) -> None:
    with pytest.raises(BadTask, match=r"'uppercase' was refused.*/data: 1 is not of type 'string'"):
        system.submit(1, task_type="uppercase")
    with pytest.raises(BadTask, match="task_type"):
        system.submit(1, task_type="unknown")


def test_a_unique_key_returns_the_task_that_has_it(system: InlineSystem) -> None:
    first = system.submit(1, task_type="echo", delay=60, unique_key="k")
    assert {system.submit(2, task_type="echo", unique_key="k")} == {first}


def test_a_single_text_is_no_batch_of_its_characters(system: InlineSystem) -> None:
    with pytest.raises(NotSent, match="This is a single str"):
        system.submit_many("abc", task_type="echo")


def test_the_time_moves_only_forward(system: InlineSystem) -> None:
    system.submit(1, task_type="echo", delay=60)
    with pytest.raises(NaiveTime):
        system.advance_to(datetime(2099, 1, 1))
    system.advance_to(datetime(2100, 1, 1, tzinfo=UTC))
    with pytest.raises(ValueError, match="the time moves only forward"):
        system.advance(seconds=-1)
    with pytest.raises(NaiveTime):
        system.advance_to(datetime(2101, 1, 1))
    with pytest.raises(TaskNotFound):
        _ = system.task("0" * 32).status


def test_it_makes_its_database_and_ignores_the_settings_for_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_TOOL_REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("QUEUE_TOOL_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("QUEUE_TOOL_MAX_ATTEMPTS", "1")
    with InlineSystem(tmp_path / "made") as system:
        sent = system.submit(FAILS, task_type="simulate")
        assert (sent.status, system.runtime.settings.data_dir) == ("failed", tmp_path / "made")
