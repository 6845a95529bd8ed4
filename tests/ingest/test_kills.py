"""`queue-tool consume` as a process that is killed at each step: no AMQP message is lost, and none is stored twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from queue_tool.runtime import Runtime
from tests.ingest.proxy import ACK, PUBLISH, proxy
from tests.rabbitmq import Sender
from tests.support import LIMIT, clean_environment, eventually, run_command
from tests.warm import Program, interpreter

pytestmark = pytest.mark.sqlite

Start = Callable[[str], Program]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of all consumers."""
    return tmp_path / "consume.log"


@pytest.fixture
def start(runtime: Runtime, sender: Sender, tmp_path: Path, log: Path) -> Iterator[Start]:
    """A function that starts a consumer and waits until it consumes. All that still run are killed after the test."""
    started: list[Program] = []

    def make(url: str) -> Program:
        before = log.read_text().count("consuming") if log.exists() else 0
        environment = clean_environment(
            DATA_DIR=str(runtime.settings.data_dir),
            REDIS_URL=str(runtime.settings.redis_url),
            AMQP_URL=url,
            AMQP_QUEUE=sender.queue,
        )
        with log.open("ab") as output:
            words = ["-m", "queue_tool", "consume"]
            started.append(interpreter().start(words, cwd=tmp_path, env=environment, stdout=output, stderr=output))
        eventually(lambda: log.read_text().count("consuming") > before)
        return started[-1]

    yield make
    for program in started:
        program.kill()


def test_a_kill_at_any_step_loses_and_doubles_nothing(
    start: Start, sender: Sender, runtime: Runtime, log: Path
) -> None:
    sender.declare("quorum")
    replies = sender.new_queue()
    with proxy(sender.rabbit.port) as cutter:
        before_commit = start(cutter.url)
        with closing(sqlite3.connect(runtime.settings.data_dir / "queue_tool.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            sender.send([{"task_type": "echo", "data": 1}], message_id="a", reply_to=replies)
            eventually(lambda: sender.count() == 0)
            before_commit.kill()
            before_commit.wait(LIMIT)
        eventually(lambda: sender.count() == 1)
        assert runtime.ask.totals().batches == 0

        cutter.drop(PUBLISH)
        before_reply = start(cutter.url)
        assert cutter.dropped.wait(LIMIT)
        assert runtime.ask.totals().batches == 1
        before_reply.kill()
        before_reply.wait(LIMIT)
        cutter.cut()

        cutter.drop(ACK)
        before_ack = start(cutter.url)
        _, first = sender.get(replies)
        assert cutter.dropped.wait(LIMIT)
        before_ack.kill()
        before_ack.wait(LIMIT)
        cutter.cut()

    last = start(sender.rabbit.url)
    _, second = sender.get(replies)
    last.terminate()
    assert last.wait(LIMIT) == 0
    assert first == second
    assert sender.count() == 0
    assert runtime.ask.totals().batches == 1
    assert "guest" not in log.read_text()


def test_the_command_says_what_is_missing(tmp_path: Path) -> None:
    done = run_command("consume", cwd=tmp_path)
    assert done.returncode == 1
    assert "Set QUEUE_TOOL_AMQP_URL" in done.stderr
