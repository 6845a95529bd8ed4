"""RQ's tools show our worker and its tickets, and using these tools does no harm."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rq import SimpleWorker
from rq.job import Job
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from queue_tool.broker import RqBroker
from queue_tool.model.queues import LISTS, Lane
from queue_tool.model.states import State
from queue_tool.model.ticket import Ticket
from queue_tool.worker import Worker
from tests.worker.tools.place import LANES, OURS, Place, members

HELD = {"loop": 50, "threads": 10, "isolated": 1}
"""How many tasks run at the same time, by lane."""


@pytest.mark.parametrize("lane", [LANES[0], *(pytest.param(lane, marks=pytest.mark.sqlite) for lane in LANES[1:])])
def test_progress_and_log_lines_of_a_run_reach_the_store(running: Place, gate: Path, lane: str) -> None:
    token = running.waiter(lane, gate)
    lines = f"SELECT run, text FROM events WHERE token = '{token}' ORDER BY id"
    running.await_(lambda: running.rows(lines) == [(1, "the first line"), (1, "the second line")])
    status = running.task(token)
    assert (status.state, status.progress, status.note) == (State.RUNNING, 0.5, "half")
    gate.touch()
    running.await_state([token], State.FINISHED)
    assert running.task(token).result == '"waited"'


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_progress_of_a_run_is_stored_before_the_next_heartbeat(running: Place, tmp_path: Path) -> None:
    (token,) = running.send("talks", [str(tmp_path / "word")])
    running.await_shown(token)
    key = running.only_worker().key

    def is_prompt(number: int) -> bool:
        beat = running.redis.hget(key, "last_heartbeat")
        (tmp_path / f"word {number}").touch()
        running.await_(lambda: running.task(token).progress == number / 4)
        return running.redis.hget(key, "last_heartbeat") == beat

    assert is_prompt(1) or is_prompt(2) or is_prompt(3)  # a heartbeat may come in between by chance
    for number in range(1, 5):
        (tmp_path / f"word {number}").touch()
    running.await_state([token], State.FINISHED)


@pytest.mark.sqlite
def test_rq_info_lists_the_worker_and_its_clean_up_fails_no_ticket(running: Place, gate: Path) -> None:
    tokens = [token for lane in LANES for token in running.send(f"waits.{lane}", [str(gate)] * HELD[lane])]
    running.await_shown(*tokens)
    worker = running.only_worker()
    shown = running.rq("info", "--raw")
    (line,) = [line for line in shown.splitlines() if line.startswith("worker ")]
    assert line.startswith(f"worker {worker.name} (")
    assert f"{worker.pid}) busy {', '.join(LISTS)}. jobs: " in line
    assert running.rq("info", "--by-queue", "--raw", "-w", OURS).count(f"{worker.name} (busy)") == len(HELD)
    for lane, held in HELD.items():
        assert f"queue {Lane(lane).list_of('default')} 0, {held} executing, 0 finished, 0 failed" in shown
    for lane, held in HELD.items():
        registry = running.started_jobs(Lane(lane).list_of("default"))
        registry.cleanup()
        assert len(registry) == held
    stock = SimpleWorker(LISTS, connection=running.redis, serializer=JSONSerializer)
    stock.clean_registries()
    stock.run_maintenance_tasks()
    gate.touch()
    running.await_state(tokens, State.FINISHED)
    assert all(len(FailedJobRegistry(name, connection=running.redis)) == 0 for name in LISTS)
    running.await_forgotten(*tokens)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
@pytest.mark.parametrize("lane", LANES)
def test_a_ticket_that_runs_longer_is_a_started_job_of_its_worker(running: Place, gate: Path, lane: str) -> None:
    token = running.waiter(lane, gate)
    running.await_shown(token)
    worker, job, began = running.only_worker(), running.job(token), running.task(token).started_at
    assert job.get_status().value == "started"
    assert job.worker_name == worker.name
    assert running.started_jobs(job.origin).get_job_ids(cleanup=False) == [token]
    for kind in (BaseWorker, Worker):
        found = kind.find_by_key(worker.key, connection=running.redis, serializer=JSONSerializer)
        assert found is not None
        assert [each.key for each in running.rqs_workers(kind)] == [worker.key]
        assert (found.get_state(), found.queue_names()) == ("busy", list(LISTS))
        assert [execution.job_id for execution in found.get_current_executions()] == [token]
        assert found.get_current_job_id() == token
    (execution,) = job.get_executions()
    assert job.started_at == execution.created_at == began
    gate.touch()
    running.await_forgotten(token)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_ticket_that_ends_before_it_is_shown_is_removed_from_redis_too(running: Place) -> None:
    tokens = running.sleepers(3)
    running.await_state(tokens, State.FINISHED)
    running.await_forgotten(*tokens)


@pytest.mark.sqlite
def test_ended_tasks_are_counted_as_rq_counts_them(running: Place) -> None:
    before = running.only_worker().successful_job_count
    running.await_state(running.sleepers(7), State.FINISHED)
    running.await_(lambda: running.only_worker().successful_job_count == before + 7)


# -- compared with what RQ itself writes -------------------------------------------------------------------


@pytest.fixture
def other(running: Place) -> Iterator[Redis]:
    """Another database of the same server, in which RQ itself writes the same things."""
    with Redis.from_url(f"{running.redis_url}?db=1") as client:
        client.flushdb()
        yield client
        client.flushdb()


@pytest.mark.sqlite
@pytest.mark.parametrize("lane", LANES)
def test_a_started_ticket_looks_in_redis_as_rq_itself_would_have_written_it(
    running: Place, other: Redis, gate: Path, lane: str
) -> None:
    token = running.waiter(lane, gate)
    running.await_shown(token)
    ours = running.job(token)
    with closing(RqBroker(f"{running.redis_url}?db=1", running.runtime.store.identity())) as broker:
        broker.push([Ticket(token=token, run=1, list=ours.origin, task_type=f"waits.{lane}")])
    theirs, stock = prepared_by_rq(other, ours.origin)
    execution_of_ours, execution_of_theirs = ours.get_executions()[0], theirs.get_executions()[0]
    held = written(running.redis, token, ours.worker_name or "", execution_of_ours.id)
    assert held == written(other, token, stock.name, execution_of_theirs.id)
    assert set(held) == {
        "rq:job:<token>",
        "rq:execution:<token>:<execution>",
        "rq:executions:<token>",
        f"rq:wip:{ours.origin}",
        "rq:worker:<worker>:executions",
    }
    gate.touch()
    running.await_forgotten(token)


def prepared_by_rq(redis: Redis, name: str) -> tuple[Job, SimpleWorker]:
    """Let a worker of RQ take the next job of a list and prepare it, without calling its function."""
    stock = SimpleWorker([name], connection=redis, serializer=JSONSerializer)
    stock.register_birth()
    taken = stock.dequeue_job_and_maintain_ttl(timeout=None)
    assert taken is not None
    job, _ = taken
    stock.prepare_execution(job)
    stock.prepare_job_execution(job, remove_from_intermediate_queue=True)
    return job, stock


def written(redis: Redis, token: str, worker: str, execution: str) -> dict[str, Any]:
    """Return what Redis holds of a job: keys, types, members, fields, and the text or kind of text of each field."""

    def general(text: str) -> str:
        named = text.replace(f":worker:{worker}", ":worker:<worker>").replace(token, "<token>")
        return named.replace(execution, "<execution>")

    client: Any = redis
    found: dict[str, Any] = {}
    for key in sorted(key.decode() for key in client.scan_iter()):
        kind = client.type(key).decode()
        if kind == "hash" and token in key:
            fields = {name.decode(): value.decode("latin-1") for name, value in client.hgetall(key).items()}
            # Our execution's id is the same text, so `general` must not replace it.
            assert fields["worker_name"] == worker
            fields["worker_name"] = "<worker>"
            found[general(key)] = {name: kind_of_text(general(text)) for name, text in fields.items() if text}
        elif kind != "hash" and not key.startswith(("rq:queues", "rq:workers")):
            named = [general(member) for member in members(redis, key) if token in member or execution in member]
            if named or token in key:
                found[general(key)] = (kind, named)
    return found


def kind_of_text(text: str) -> str:
    """Return a text, or its kind if it is a time."""
    if text.endswith("Z") and text[:2] == "20":
        return f"a time of {len(text)} characters"
    if text.startswith("1") and "." in text:
        return f"a time in seconds of {text.find('.')} digits"
    return text
