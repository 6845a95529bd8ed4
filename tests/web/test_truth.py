"""What an answer says about keeping is true, also if the database goes away between the commit and the answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from queue_tool.model import events
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.runtime import Runtime
from queue_tool.services.bulk import PART
from tests.conftest import application
from tests.past_the_store import opened
from tests.web.site import Site, problem

Losing = Callable[[type[Event]], Site]
TABLES = ("tasks", "batches")

BREAKS_AT_COMMIT = """
CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER break_off AFTER INSERT ON tasks DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION break_off();
"""
"""Lets PostgreSQL break the connection off while it commits new tasks."""


@pytest.fixture
def losing(site: Site, runtime: Runtime) -> Iterator[Losing]:
    """Makes the service lose its database at the first event of a kind, each of which follows a commit."""

    lost: list[str] = []

    def make(kind: type[Event]) -> Site:
        def lose(event: Event) -> None:
            if isinstance(event, kind):
                runtime.store.close()
                for name in TABLES:
                    execute(runtime, f"ALTER TABLE {name} RENAME TO {name}_away")
                    lost.append(name)

        telemetry = Telemetry(lose)
        site.runtime = replace(
            runtime,
            submit=replace(runtime.submit, telemetry=telemetry),
            cancel=replace(runtime.cancel, telemetry=telemetry),
            reopen=replace(runtime.reopen, telemetry=telemetry),
            pause=replace(runtime.pause, telemetry=telemetry),
        )
        application(site.runtime)
        return site

    yield make
    for name in lost:
        execute(runtime, f"ALTER TABLE {name}_away RENAME TO {name}")


def execute(runtime: Runtime, statement: str) -> None:
    with closing(sqlite3.connect(runtime.store.database.path)) as database:
        database.execute(statement)


def kept(site: Site, table: str = "tasks") -> int:
    with closing(sqlite3.connect(site.runtime.store.database.path)) as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}_away").fetchone()[0]
        return count


@pytest.mark.sqlite
def test_a_task_that_was_kept_is_answered_with_its_token(losing: Losing) -> None:
    site = losing(events.TaskAccepted)
    answer = site.post("/tasks", {"task_type": "mirror", "custom_id": "c", "delay": 60})
    assert (answer.status_code, answer.json["status"], answer.json["custom_id"]) == (202, "scheduled", "c")
    assert site.get(answer.headers["Location"]).status_code == 503
    assert kept(site) == 1


@pytest.mark.sqlite
@pytest.mark.parametrize("path", ["/api", "/tasks?task_type=sleep", "/"])
def test_a_batch_that_was_kept_is_answered_with_its_tokens(losing: Losing, path: str) -> None:
    site = losing(events.BatchAccepted)
    if path == "/":
        answer = site.client.post("/", data={"items": '[{"item": "a", "valor": 0}]'})
        assert (answer.status_code, answer.headers["Location"][:19]) == (303, "/dashboard/batches/")
    else:
        answer = site.post(path, [{"item": "a", "valor": 0}])
        assert (answer.status_code // 100, len(answer.json["processing_items"])) == (2, 1)
    assert kept(site, "batches") == 1


@pytest.mark.sqlite
def test_a_change_that_was_kept_is_answered_with_the_new_state(losing: Losing, site: Site) -> None:
    first, second = site.send(), site.send(task_type="fails")
    site.work(second)
    canceled = losing(events.TaskCanceled).post(f"/tasks/{first}/cancel")
    assert (canceled.status_code, canceled.json["status"]) == (200, "canceled")


@pytest.mark.sqlite
def test_a_retry_and_a_pause_are_answered_with_the_new_state(losing: Losing, site: Site) -> None:
    token = site.send(task_type="fails")
    site.work(token)
    retried = losing(events.TaskReopened).post(f"/tasks/{token}/retry")
    assert (retried.status_code, retried.json["status"]) == (200, "queued")


@pytest.mark.sqlite
def test_a_pause_is_answered_with_the_new_state(losing: Losing) -> None:
    paused = losing(events.QueuePaused).post("/queue/low/pause")
    assert (paused.status_code, paused.json["paused"]) == (200, True)


@pytest.mark.sqlite
def test_a_change_of_many_that_was_partly_kept_says_so(losing: Losing, site: Site) -> None:
    _, first = site.batch(*([{}] * PART))
    _, second = site.batch({})
    losing(events.BatchFinished)
    answer = site.post("/tasks/cancel", {"tokens": [*first, *second]})
    assert problem(answer) == (503, "partly_changed")
    assert f"after {PART} tasks were changed" in answer.json["message"]
    assert int(answer.headers["Retry-After"]) >= 1


@pytest.mark.parametrize("storage", ["postgres"])
@pytest.mark.parametrize("path", ["/api", "/tasks?task_type=sleep"])
def test_of_a_commit_that_broke_the_answer_says_what_became_of_it(site: Site, path: str) -> None:
    with opened(site.runtime.store.database.url) as database:
        database.execute(BREAKS_AT_COMMIT)
    for body in ([{"item": "a", "valor": 0}], {"item": "a", "valor": 0}):
        if path == "/api" and isinstance(body, dict):
            continue
        answer = site.post(path, body)
        assert problem(answer) == (503, "store_away")
        assert site.get_json("/tasks")["total"] == 0
        assert int(answer.headers["Retry-After"]) >= 1
