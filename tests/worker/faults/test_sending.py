"""Functions that send tasks while they run, in each lane, under our worker and RQ's own, and inline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from queue_tool import Context
from queue_tool.errors import NotSent
from queue_tool.model.queues import LISTS
from queue_tool.model.states import State
from queue_tool.runtime import Runtime
from tests.conftest import RuntimeFactory
from tests.support import LIMIT
from tests.worker.faults import sends
from tests.worker.faults.sends import ANSWERED, CHILD, LANES, REFUSED
from tests.worker.faults.site import Site
from tests.worker.tools.place import OURS, RQ

MODULE = sends.__name__


def result(runtime: Runtime, token: str) -> Any:
    """Return the result of a task that has finished."""
    task = runtime.ask.task(token)
    assert task.state is State.FINISHED, task
    return json.loads(task.result or "null")


def children(site: Site, by: str) -> int:
    """Return how many tasks were sent that say so."""
    return len(site.rows(f'SELECT token FROM tasks WHERE data LIKE \'%"by":"{by}"%\''))


def require_sent(runtime: Runtime, answers: dict[str, Any]) -> None:
    """Require that a parent got the right answer to each call, and that its children exist."""
    assert {name: answers[name] for name in REFUSED} == {name: text for name, (_, text) in REFUSED.items()}
    assert answers.keys() == ANSWERED.keys() | REFUSED.keys()
    one, later, many, none = (answers[name] for name in ("one", "later", "many", "none"))
    assert result(runtime, one) == [{"n": 1, "pair": [1, 2]}, {"a": 1}]
    assert runtime.ask.task(later).state is State.SCHEDULED
    assert [result(runtime, token)[0]["n"] for token in many["tokens"]] == [3, 4]
    assert many["refused"] == [[1, ["/data/n"]]]
    assert runtime.ask.batch(many["batch"]).accepted == 2
    assert none == {"batch": None, "tokens": [], "refused": [[0, ["/data/n"]]]}
    assert answers["unique"] == answers["unique again"]
    assert answers["key"] == answers["key again"]
    assert answers["keys"] == answers["keys again"]
    assert len(answers["keys"]["tokens"]) == 2


@pytest.mark.parametrize("kind", [OURS, pytest.param("rq.worker.SimpleWorker", marks=pytest.mark.sqlite)])
def test_functions_of_each_lane_send_tasks_and_with_a_key_once_for_all_their_runs(site: Site, kind: str) -> None:
    parents = [token for lane in LANES for token in site.send(f"sends.{lane}", [None])]
    twice = [token for lane in LANES for token in site.send(f"twice.{lane}", [None])]
    (fork,) = site.send("sends.by-a-fork", [None])
    (cut,) = site.send("sends.interrupted", [None])
    options = ("-u", site.redis_url, "-w", kind, "-S", "json")
    site.start(RQ, "worker", *options, *LISTS, TASKS=MODULE, ISOLATED="1")
    site.await_end_of([*parents, *twice, fork, cut])
    site.await_(lambda: not site.rows("SELECT token FROM tasks WHERE state IN ('queued', 'running')"))
    answers = [result(site.runtime, token) for token in parents]
    for each in answers:
        require_sent(site.runtime, each)
    assert len({each["key"] for each in answers}) == len(LANES)  # the key of one parent is not that of another
    assert result(site.runtime, fork).startswith("NotSent: Only the process in which the task's function runs")
    ended, token = result(site.runtime, cut)
    assert ended == "interrupted"
    assert result(site.runtime, token)[0] == {"n": 1}
    assert {(site.task(token).state, site.task(token).attempt) for token in twice} == {(State.FAILED, 2)}
    site.runtime.reopen(twice)
    site.await_end_of(twice)
    assert [children(site, by) for by in ("key", "keys", "run")] == [len(LANES), 2 * len(LANES), 4 * len(LANES)]


def test_a_worker_that_is_killed_after_the_sending_leaves_one_child_with_a_key(site: Site, tmp_path: Path) -> None:
    worker = site.start(TASKS=MODULE)
    tokens = [token for lane in LANES for token in site.send(f"fatal.{lane}", [[str(tmp_path / "sent"), worker.pid]])]
    assert worker.wait() == -9, site.log
    assert children(site, "key") == len(LANES)
    other = site.start(TASKS=MODULE)
    site.give_up_all_but(other)
    site.await_end()
    assert {(site.task(token).state, site.task(token).run) for token in tokens} == {(State.FINISHED, 2)}
    assert children(site, "key") == len(LANES)
    site.stop(other)
    site.require_each_task_ended_once()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_inline_a_sent_task_runs_inside_of_its_parent(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime(TASKS=MODULE)
    for lane in LANES:
        sent = runtime.submit.single(None, runtime.of_type(f"sends.{lane}"))
        require_sent(runtime, result(runtime, getattr(sent, "token", "")))


def test_a_function_may_open_a_runtime_of_its_own_and_leaves_no_file_open(site: Site) -> None:
    site.start(TASKS=MODULE, THREADS="50")
    counts = []
    for _ in range(3):
        tokens = site.send("sends.opened", list(range(50)))
        site.await_end()
        assert len({result(site.runtime, token) for token in tokens}) == 50
        (count,) = site.send("sends.descriptors", [None])
        site.await_end()
        counts.append(result(site.runtime, count))
    kept = [count.pop("queue_tool.db", 0) for count in counts]  # SQLite keeps what was open at once, and uses it again
    assert max(kept) <= 2 * 50 + 5
    assert sum(counts[-1].values()) <= sum(counts[0].values()) + 5


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_worker_that_cannot_open_files_says_so_and_ends(site: Site) -> None:
    worker = site.start(TASKS=MODULE)
    (token,) = site.send("sends.exhausts", [None])
    assert worker.wait(LIMIT) == 0, site.log
    assert result(site.runtime, token) > 0
    assert "it cannot open files, because its tasks have left too many open: this worker ends" in site.log
    assert site.rows("SELECT count(*) FROM workers WHERE gone_at IS NULL") == [(0,)]


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_context_that_no_worker_has_made_says_how_to_test_a_function() -> None:
    context = Context(token="", attempt=1, deadline=None)
    with pytest.raises(NotSent, match="No worker made this context"):
        context.submit(1, task_type=CHILD)
    seen: list[Any] = []

    def send(_: Context, sending: Any) -> str:
        seen.append(sending)
        return "b"

    context = Context(token="", attempt=1, deadline=None, send=send)
    assert context.submit(1, task_type=CHILD) == "b"
    assert (seen[0].task_type, seen[0].data) == (CHILD, "[1]")
