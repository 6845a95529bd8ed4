"""The output and the log lines of tasks: each one reaches the worker's log, with the task that it comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.host.logs import OUTPUTS
from queue_tool.model.outcome import MOST_LINES
from queue_tool.model.states import MOST_LOSSES, State
from tests.conftest import RuntimeFactory
from tests.worker.tools import talkers
from tests.worker.tools.place import LANES, Place

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


@pytest.fixture
def talking(tmp_path: Path, make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Iterator[Place]:
    """A site without workers whose task types are those of `talkers`."""
    made = Place(tmp_path, make_runtime(REDIS_URL=valkey_server, TASKS=talkers.__name__), redis, valkey_server)
    yield made
    made.kill_all()


def test_each_line_that_a_task_prints_or_logs_comes_once_with_its_task_and_process(talking: Place) -> None:
    worker = talking.start(TASKS=talkers.__name__, LOG_FORMAT="json")
    logging_, printing = (
        {lane: talking.send(f"{kind}.{lane}", [lane])[0] for lane in LANES} for kind in ("logs", "prints")
    )
    dying = talking.send("dies", ["exit", "kill"])
    talking.await_end()
    talking.stop(worker)
    found = [json.loads(line) for line in talking.whole_log.splitlines()]
    assert all(line["time"] and line["pid"] for line in found)
    pids = {"loop": {worker.pid}, "threads": {worker.pid}}
    for lane, token in logging_.items():
        mine = [line for line in found if line.get("task_type") == f"logs.{lane}"]
        assert {line["token"] for line in mine} == {token}
        assert {line["process"] for line in mine} == {"isolated" if lane == "isolated" else "worker"}
        assert {line["pid"] for line in mine} == pids.get(lane) or worker.pid not in {line["pid"] for line in mine}
        assert [(line["logger"], line["level"], line["event"].partition(": ")[0]) for line in mine[:3]] == [
            ("mine.deep", "info", f"said {lane}"),
            ("other", "warning", "bad \\ud800 \\x00 name"),
            ("mine", "error", "wrong %d (this line cannot be completed"),
        ]
        assert mine[3]["logger"] == "py.warnings"
        assert f"UserWarning: warned {lane}" in mine[3]["event"]
        assert (mine[4]["logger"], mine[4]["event"], len(mine)) == ("mine", "caught", 5)
        require_notes(talking, token, lane)
        assert "ValueError: why" in mine[4]["traceback"]
        assert "Stack (most recent call last)" in mine[4]["traceback"]
    for lane, token in printing.items():
        mine = [line for line in found if line.get("token") == token and "logger" in line]
        assert [line["event"] for line in mine if line["logger"] == "stderr"] == [f"err {lane}"]
        thread = [f"from a thread {lane}"] if lane == "isolated" else []
        assert [line["event"] for line in mine if line["logger"] == "stdout"] == [
            f"one {lane}", "a bc", "bytes é", *thread, f"last {lane}"
        ]  # fmt: skip
        assert [line["event"] for line in found].count(f"from a thread {lane}") == 1
    for token in dying:
        mine = [line for line in found if line.get("token") == token and "logger" in line]
        runs = {line["pid"]: [each for each in mine if each["pid"] == line["pid"]] for line in mine}
        assert len(runs.keys() - {worker.pid}) == len(runs) == MOST_LOSSES
        for lines in runs.values():
            by_logger = {name: [line["event"] for line in lines if line["logger"] == name] for name in OUTPUTS}
            assert by_logger == {"stdout": ["before", "program", "raw", "unended"], "stderr": ["to stderr"]}
            assert [line["event"] for line in lines if line["logger"] == "mine"] == ["about to die"]
        assert found.index(mine[-1]) < next(
            n for n, line in enumerate(found) if line["event"] == "task failed" and line["token"] == token
        )
    assert [line["event"] for line in found].count("imported") == 2  # in the worker, and in its fork server
    assert "started" in [line["event"] for line in found]


def test_under_a_stock_rq_worker_the_lines_come_once_with_their_task(talking: Place) -> None:
    tokens = {kind: talking.send(f"{kind}.threads", ["x"])[0] for kind in ("logs", "prints")}
    stock = talking.start_rq(
        "-S", "json", "--burst", "default.threads", kind="rq.worker.Worker", TASKS=talkers.__name__
    )
    assert stock.wait(60) == 0, talking.log
    lines = talking.whole_log.splitlines()
    for kind, text, logger in (
        ("logs", "said x", "mine.deep"),
        ("prints", "one x", "stdout"),
        ("prints", "err x", "stderr"),
        ("prints", "last x", "stdout"),
    ):
        expected = f" {text} logger={logger} token={tokens[kind]} task_type={kind}.threads"
        assert len([line for line in lines if line.endswith(expected)]) == 1, talking.log
    assert "FOREIGN" not in talking.whole_log
    assert "ValueError: why" in lines
    assert talking.count(State.FINISHED) == 2
    require_notes(talking, tokens["logs"], "x")


def require_notes(talking: Place, token: str, data: str) -> None:
    """Require that the last log lines of a task are stored, and that its progress is 1."""
    lines = [text for (text,) in talking.rows(f"SELECT text FROM events WHERE token = '{token}' ORDER BY id")]
    assert lines[-MOST_LINES:] == [f"{data} {number}" for number in range(MOST_LINES, 2 * MOST_LINES)]
    assert (talking.task(token).progress, talking.task(token).note) == (1, "half")
