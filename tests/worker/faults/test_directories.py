"""Functions that change the working directory: the next tasks start in the directory where the worker started."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.worker.faults import directories
from tests.worker.faults.site import Site
from tests.worker.tools.place import RQ

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

MODULE = directories.__name__

LANES = ("loop", "thread", "alone")

CHANGED = "working directory changed token="


def require_home(site: Site) -> None:
    """Require that a task of each lane starts in the site's directory."""
    tokens = [token for lane in LANES for token in site.send(f"where.{lane}", [None])]
    site.await_end()
    ended = [site.task(token) for token in tokens]
    assert [json.loads(task.result or "null") for task in ended] == [str(site.directory)] * len(LANES), ended


def test_a_worker_returns_to_its_directory_and_names_the_task_that_left_it(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    relative = {"DATABASE_URL": "sqlite:///data/queue_tool.db"} if site.runtime.store.database.is_file else {}
    worker = site.start(TASKS=MODULE, DATA_DIR="data", **relative)
    left = {}
    for lane in LANES:
        (left[lane],) = site.send(f"leave.{lane}", ["/"])
        require_home(site)
    (removed,) = site.send("leave.thread", [str(gate)])
    site.await_(lambda: removed in site.started())
    (beside,) = site.send("where.alone", [None])
    site.await_(lambda: site.task(beside).state.ended)
    assert json.loads(site.task(beside).result or "null") == str(site.directory), site.task(beside)
    gate.touch()
    site.await_(lambda: site.task(removed).state.ended)  # until then, all threads of the worker are where it is
    require_home(site)
    site.stop(worker)
    assert [CHANGED + left[lane] in site.whole_log for lane in LANES] == [True, True, False]
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_rqs_simple_worker_returns_to_its_directory_too(site: Site) -> None:
    (left,) = site.send("leave.thread", ["/"])
    tokens = site.send("where.thread", [None])
    rq = (RQ, "worker", "-u", site.redis_url, "-S", "json", "-w", "rq.worker.SimpleWorker", "--burst")
    assert site.start(*rq, "default.threads", TASKS=MODULE).wait(60) == 0
    assert [json.loads(site.task(token).result or "null") for token in tokens] == [str(site.directory)]
    assert CHANGED + left in site.whole_log
