"""`queue-tool up` on PostgreSQL: the same guarantees, also when the PostgreSQL server is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import postgres_server
from tests.past_the_store import rows
from tests.postgres import MIGRATED, Cluster
from tests.support import Answer, System, eventually, http, items, tokens

pytestmark = pytest.mark.sqlite  # always on a PostgreSQL of its own, so once is enough


@pytest.fixture(scope="module")
def mortal(postgres_data: Path) -> Iterator[Cluster]:
    """A PostgreSQL server that a test may kill; the test starts it again."""
    with postgres_server(postgres_data) as server:
        yield server


@pytest.fixture
def system(new_system: System, mortal: Cluster) -> System:
    """A whole system on that server, with two workers."""
    new_system.settings |= {"DATABASE_URL": mortal.url(mortal.new_database(MIGRATED)), "WORKERS": "2"}
    new_system.start()
    return new_system


def all_finished(system: System, wanted: list[str]) -> bool:
    """Return whether all these tasks have finished; False while the service cannot answer."""
    answer = http("POST", system.url("/check"), {"tokens": wanted})
    return answer.status == 200 and all(result["status"] == "finished" for result in answer.json["results"])


def test_a_batch_is_finished_on_postgresql_and_no_sqlite_file_is_made(system: System) -> None:
    wanted = tokens(system.post(items(500, valor=0.01)))
    eventually(lambda: all_finished(system, wanted))
    waited = http("GET", system.url(f"/check/{wanted[0]}"), headers={"Prefer": "wait=5"})
    assert (waited.status, waited.json["message"]) == (200, "Finalizado")
    assert not (system.directory / "instance" / "queue_tool.db").exists()
    assert system.stop() == 0


def test_the_tasks_of_a_killed_worker_are_run_again(system: System) -> None:
    wanted = tokens(system.post(items(200, valor=1)))
    system.await_status(wanted[0], "running")
    os.kill(system.child("worker-1"), signal.SIGKILL)
    eventually(lambda: all_finished(system, wanted))


def test_a_server_that_is_killed_while_tasks_run_loses_nothing(system: System, mortal: Cluster) -> None:
    sent = system.post(items(3000, valor=0.5))
    wanted, batch = tokens(sent), system.url(sent.headers["location"])
    eventually(lambda: http("GET", batch).json["counts"]["running"])  # the first of them may have finished already
    os.kill(int((mortal.folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    eventually(lambda: http("GET", system.url(f"/check/{wanted[0]}")).status == 503)
    refused = system.post(items(1))
    assert (refused.status, refused.headers.get("retry-after")) == (503, "1")
    mortal.start()
    eventually(lambda: all_finished(system, wanted))
    counts = http("GET", batch).json["counts"]
    assert counts | {"finished": 3000, "queued": 0, "running": 0, "failed": 0} == counts
    assert system.stop() == 0


def test_while_the_server_answers_nobody_the_web_lives_and_afterwards_all_goes_on(
    system: System, mortal: Cluster
) -> None:
    wanted = tokens(system.post(items(100, valor=2)))
    system.await_status(wanted[-1], "running")
    answers: list[Answer] = []
    pollers = [
        threading.Thread(target=lambda token=token: answers.append(http("GET", system.url(f"/check/{token}"))))
        for token in wanted
    ]
    mortal.hang()
    try:
        for poller in pollers:
            poller.start()
        eventually(lambda: len(answers) >= len(wanted) - 24)  # the others hold one connection each
        assert {(answer.status, answer.headers.get("retry-after")) for answer in answers} == {(503, "1")}
        assert http("GET", system.url("/health/live")).status == 200
        assert sum(poller.is_alive() for poller in pollers) > 0  # some still wait, and yet the web answers
        for path in ("/health/ready", "/", f"/check/{wanted[0]}"):
            assert http("GET", system.url(path)).status == 503
        assert http("POST", system.url("/check"), {"tokens": wanted}).status == 503
    finally:
        mortal.go_on()
    for poller in pollers:
        poller.join()
    assert {answer.status for answer in answers} == {200, 503}
    eventually(lambda: all_finished(system, wanted))
    assert rows(system.settings["DATABASE_URL"], "SELECT count(*), max(run) FROM tasks") == [(100, 1)]
    assert "child died" not in system.log
    assert system.stop() == 0


NOTES = """
import asyncio
from queue_tool import task

@task("note")
async def note(number):
    await asyncio.sleep(0.2)
    with open("notes", "a") as notes:
        notes.write(f"{number}\\n")
"""


@pytest.mark.parametrize("fault", ["cut connections", "restart the server"])
def test_when_connections_are_lost_nothing_runs_twice_and_no_outcome_is_lost(
    new_system: System, mortal: Cluster, fault: str
) -> None:
    system = new_system
    (system.directory / "noting.py").write_text(NOTES)
    url = mortal.url(mortal.new_database())
    system.settings |= {"DATABASE_URL": url, "WORKERS": "2", "TASKS": "noting", "CONCURRENCY": "50"}
    system.start()
    notes = system.directory / "notes"
    sent = http("POST", system.url("/tasks"), [{"task_type": "note", "data": number} for number in range(1000)])
    assert sent.status == 202
    for reached in (100, 300, 500, 700):
        eventually(lambda: notes.exists() and len(notes.read_text().splitlines()) >= reached)
        mortal.cut_connections() if fault == "cut connections" else mortal.control("-m", "fast", "restart")
    wanted = tokens(sent)
    eventually(lambda: all_finished(system, wanted))
    assert sorted(map(int, notes.read_text().splitlines())) == list(range(1000))
    assert rows(url, "SELECT count(*), max(run) FROM tasks") == [(1000, 1)]
    assert rows(url, "SELECT count(*) FROM attempts") == [(0,)]
    assert "child died" not in system.log
    assert system.stop() == 0
