"""Functions that start processes of their own: they work in every lane, and their worker does not notice it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from tests.worker.faults import children
from tests.worker.faults.children import BESIDE, WORK
from tests.worker.faults.site import Site
from tests.worker.tools.place import RQ

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

LANES = ("loop", "thread", "alone")

MODULE = children.__name__

THEIRS = [name for name in WORK if name != BESIDE]


def send(site: Site, names: Sequence[str]) -> dict[str, str]:
    """Send a task for each of these works in each lane; return what each is by its token."""
    tokens = {lane: site.send(f"children.{lane}", names) for lane in LANES}
    return {token: f"{lane}: {name}" for lane in LANES for token, name in zip(tokens[lane], names, strict=True)}


def require_results(site: Site, sent: dict[str, str]) -> None:
    """Require that each of these tasks returned what its function returns in an ordinary program, in its first run."""
    site.await_end()
    ended = {name: site.task(token) for token, name in sent.items()}
    found = {name: json.loads(task.result) if task.result else task.error for name, task in ended.items()}
    assert found == {name: WORK[name.partition(": ")[2]][2] for name in found}, site.log
    assert site.rows("SELECT DISTINCT run, attempt, losses FROM tasks") == [(1, 1, 0)]


def test_a_function_may_start_and_end_processes_and_its_worker_continues(site: Site) -> None:
    worker = site.start(TASKS=MODULE)
    require_results(site, send(site, list(WORK)))
    assert worker.poll() is None
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("rq.worker.SimpleWorker", THEIRS),
        ("rq.worker.Worker", [name for name in THEIRS if "SIGINT" not in name]),  # RQ's work horse ignores it
    ],
)
def test_under_rqs_own_workers_it_may_do_so_too(site: Site, kind: str, names: list[str]) -> None:
    sent = send(site, names)
    queues = ["default", "default.threads", "default.isolated"]
    worker = site.start(RQ, "worker", "-u", site.redis_url, "-S", "json", "-w", kind, "--burst", *queues, TASKS=MODULE)
    assert worker.wait(60) == 0, site.log
    require_results(site, sent)
