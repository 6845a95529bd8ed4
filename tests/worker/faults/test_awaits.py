"""What functions return and raise, in our worker and in RQ's own: awaitables, exception groups, and left variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from queue_tool.model.queues import LISTS
from queue_tool.model.states import Code, State
from tests.worker.faults.site import TASKS, Site
from tests.worker.tools.place import OURS, RQ

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


@pytest.mark.parametrize("kind", [OURS, "rq.worker.SimpleWorker"])
def test_awaitables_groups_and_left_variables(site: Site, tmp_path: Path, kind: str) -> None:
    awaited = [token for name in ("plain", "alone", "loop") for token in site.send(f"awaits.{name}", ["ü"])]
    (late,) = site.send("awaits.too-long", [str(tmp_path / "canceled")])
    aborted, retried = site.send("awaits.group", ["abort", "retry"])
    left = [
        token
        for name in ("leaves", "leaves-on-the-loop", "leaves-alone")
        for token in site.send(f"awaits.{name}", ["a", "b"])
    ]
    numbers = site.send("awaits.random", [None] * 3)
    options = ("-u", site.redis_url, "-w", kind, "-S", "json", "--burst")
    worker = site.start(RQ, "worker", *options, *LISTS, TASKS=TASKS, THREADS="2", ISOLATED="1")
    assert worker.wait(60) == 0, site.log

    assert {json.loads(site.task(token).result or "")[0] for token in awaited} == {"ü"}
    assert (site.task(late).code, (tmp_path / "canceled").exists()) == (Code.TIMEOUT, True)
    assert (site.task(aborted).code, site.task(aborted).attempt) == (Code.ABORTED, 1)
    assert "no use" in (site.task(aborted).error or "")
    assert site.task(retried).state is State.SCHEDULED
    assert {site.task(token).result for token in left} == {'["nothing",28]'}
    drawn = [json.loads(site.task(token).result or "") for token in numbers]
    of_the_module, of_the_import, reseeded = (len(set(column)) for column in zip(*drawn, strict=True))
    warm = kind == OURS  # its one process has done all three
    assert (of_the_module, of_the_import, reseeded) == (len(numbers), len(numbers) if warm else 1, len(numbers))
