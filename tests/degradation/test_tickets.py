"""Tickets that are damaged in Redis: their tasks still run, because the database has them, and nothing is blocked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rq.job import Job

from queue_tool.model.states import State
from tests.worker.faults.site import Site

Damage = Callable[[Site, str], None]


def hash_deleted(site: Site, token: str) -> None:
    site.redis.delete(Job.key_for(token))


def hash_of_another_kind(site: Site, token: str) -> None:
    site.redis.delete(Job.key_for(token))
    site.redis.set(Job.key_for(token), "no hash at all")


def fields_of_garbage(site: Site, token: str) -> None:
    site.redis.hset(Job.key_for(token), mapping={"status": "odd", "data": b"\xff\x00", "created_at": "x"})


def twice_in_its_list(site: Site, token: str) -> None:
    site.redis.rpush("rq:queue:default", token)


DAMAGES: list[Damage] = [hash_deleted, hash_of_another_kind, fields_of_garbage, twice_in_its_list]


def test_the_task_of_a_damaged_ticket_runs_and_nothing_is_left_in_redis(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    sent = site.send("hard.until", [str(gate)] * (len(DAMAGES) + 1))
    for damage, token in zip(DAMAGES, sent, strict=False):
        damage(site, token)
    worker = site.start()
    site.await_(lambda: site.redis.hget(Job.key_for(sent[-1]), "status") == b"started")  # so the others are started too
    gate.touch()
    site.await_end()
    site.stop(worker)
    assert site.tokens(State.FINISHED) == set(sent)
    assert site.rows("SELECT DISTINCT run, losses FROM tasks") == [(1, 0)]
    assert "Redis" not in site.log
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.parametrize("damage", [hash_deleted, hash_of_another_kind, fields_of_garbage])
@pytest.mark.parametrize("position", [0, 1])
def test_a_ticket_that_is_pushed_again_replaces_its_damaged_hash(site: Site, damage: Damage, position: int) -> None:
    sent = site.sleepers(2)
    damage(site, sent[position])
    site.redis.delete("rq:queue:default")
    site.sweep()
    assert site.waiting() == sent
    assert site.redis.hget(Job.key_for(sent[position]), "status") == b"queued"


def test_the_ticket_of_a_deleted_task_is_dropped(site: Site) -> None:
    purged, kept = site.sleepers(2)
    with site.database() as connection:
        connection.execute("DELETE FROM tasks WHERE token = ?", [purged])
    worker = site.start(LOG_LEVEL="debug")
    site.await_(lambda: site.task(kept).state is State.FINISHED)
    site.await_(lambda: not site.jobs())
    site.stop(worker)
    assert f"ticket dropped token={purged}" in site.log
    site.require_clean_redis()
