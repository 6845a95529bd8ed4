"""The process of an isolated task ends with all processes that it started, whatever ends it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rq.command import send_stop_job_command
from rq.serializers import JSONSerializer

from queue_tool.model.states import Code, State
from queue_tool.store.losses import LOST_TOO_OFTEN
from tests.warm import Program
from tests.worker.faults import groups
from tests.worker.faults.groups import ENDLESS, OVER
from tests.worker.faults.site import Site, is_alive
from tests.worker.tools.place import RQ

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

MODULE = groups.__name__

STOCK = (RQ, "worker", "-S", "json", "-w", "rq.worker.Worker", "default.isolated")
"""The command of RQ's own worker for isolated tasks."""


def cancel(site: Site, worker: Program, tokens: list[str]) -> None:
    """Cancel the tasks."""
    site.runtime.cancel(tokens, by="a test", reason="")


def stop(site: Site, worker: Program, tokens: list[str]) -> None:
    """Stop the worker, which puts the tasks back."""
    site.stop(worker)
    assert site.tokens(State.QUEUED) == set(tokens)


def kill(site: Site, worker: Program, tokens: list[str]) -> None:
    """Kill the worker."""
    worker.kill()
    worker.wait(20)


def await_deadline(site: Site, worker: Program, tokens: list[str]) -> None:
    """Wait until the tasks have been recorded as timed out."""
    site.await_(lambda: not site.open())
    assert {site.task(token).code for token in tokens} == {Code.TIMEOUT}


def require_ended(site: Site, files: list[Path]) -> None:
    """Require that the processes end whose pids are in these files."""
    site.await_(lambda: [path.name for path in files if is_alive(int(path.read_text()))] == [])


@pytest.mark.parametrize(
    ("task_type", "end"),
    [("group.hurried", await_deadline), ("group", cancel), ("group", stop), ("group", kill)],
)
def test_no_process_of_an_isolated_task_outlives_it(
    site: Site, tmp_path: Path, task_type: str, end: Callable[[Site, Program, list[str]], None]
) -> None:
    worker = site.start(TASKS=MODULE, ISOLATED=str(len(ENDLESS)), DRAIN="0")
    files = [tmp_path / name for name in ENDLESS]
    tokens = site.send(task_type, [[path.name, str(path)] for path in files])
    site.await_(lambda: all(path.exists() for path in files))
    end(site, worker, tokens)
    require_ended(site, files)
    assert (tmp_path / "polite.asked").exists() == (end is not kill)


@pytest.mark.parametrize("stock", [False, True])
def test_a_process_whose_children_live_on_is_over_when_it_ends(site: Site, tmp_path: Path, stock: bool) -> None:
    files = [tmp_path / name for name in OVER]
    returned, ended = site.send("group", [[path.name, str(path)] for path in files])
    site.start(*((*STOCK, "-u", site.redis_url) if stock else ()), TASKS=MODULE)
    site.await_end()
    assert site.task(returned).state is State.FINISHED
    assert site.task(ended).error == f"{LOST_TOO_OFTEN} The task's own process ended with code 3."
    require_ended(site, files)


def test_when_rq_kills_a_work_horse_the_processes_of_its_task_end_too(site: Site, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("busy", "stubborn")]
    tokens = site.send("group", [[path.name, str(path)] for path in files])
    for _ in files:
        site.start(*STOCK, "-u", site.redis_url, TASKS=MODULE)
    site.await_(lambda: all(path.exists() for path in files))
    for token in tokens:
        send_stop_job_command(site.redis, token, JSONSerializer)
    require_ended(site, files)
