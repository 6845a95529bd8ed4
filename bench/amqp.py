"""RabbitMQ: how many single tasks a second `queue-tool consume` takes, beside a bare consumer with the same insert."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pika

from bench.figures import Better, Row, Table
from bench.servers import SCRIPTS, ours, process
from queue_tool.amqp.declaring import WORK
from tests import rabbitmq
from tests.rabbitmq import Rabbit

QUEUE = "queue_tool.tasks"

OURS = "queue-tool consume: checks, stores, pushes the tickets"
BARE = {
    "bare consumer, one AMQP message a transaction": 1,
    "bare consumer, up to 500 AMQP messages a transaction": 500,
}

WITHIN = 120.0
"""Seconds after which a consumer counts as stuck."""


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Measure ours and the bare consumers in turns; return one table, or none without RabbitMQ."""
    if not rabbitmq.installed():
        print("RabbitMQ is not installed: this part is left out.")
        return []
    count, rounds = (4_000, 1) if quick else (20_000, 3)
    place = folder / "rabbitmq"
    place.mkdir()
    rabbitmq.start(place)
    with rabbitmq.reserved(place, alone=True) as rabbit:
        values: dict[str, list[float]] = {}
        for number in range(rounds):
            values.setdefault(OURS, []).append(_ours(folder / f"ours-{number}", rabbit, count))
            for name, most in BARE.items():
                data = folder / f"ours-{number}" / "data" / "queue_tool.db"
                values.setdefault(name, []).append(_bare(folder, data, rabbit, count // (4 if most == 1 else 1), most))
    rows = tuple(Row(name=name, values=tuple(found), ours=name == OURS) for name, found in values.items())
    return [
        Table(
            part="amqp",
            title="single tasks with a message_id from a quorum queue, SQLite",
            unit="AMQP messages/s",
            better=Better.HIGHER,
            rows=rows,
            notes=("A bare consumer inserts the same two rows for each AMQP message, and nothing else.",),
        )
    ]


def _ours(folder: Path, rabbit: Rabbit, count: int) -> float:
    with ours(folder, WORKERS="0", WEB="1", AMQP_URL=rabbit.url):
        database = folder / "data" / "queue_tool.db"
        _publish(rabbit, 1)
        _await(database, 1)
        began = _newest(database)
        _publish(rabbit, count)
        return _rate(database, began, count)


def _bare(folder: Path, database: Path, rabbit: Rabbit, count: int, most: int) -> float:
    _publish(rabbit, count)
    began, log = _newest(database), folder / "bare.log"
    words = [sys.executable, str(SCRIPTS / "amqp_bare.py"), str(database), rabbit.url, QUEUE, str(most)]
    with process(words, folder, log):
        return _rate(database, began, count)


def _publish(rabbit: Rabbit, count: int) -> None:
    """Publish so many tasks; return when RabbitMQ has all of them."""
    body = json.dumps({"task_type": "echo", "data": {"order": 7, "lines": [1, 2, 3]}}).encode()
    with _channel(rabbit) as channel:
        channel.queue_declare(QUEUE, durable=True, arguments=dict(WORK))
        channel.tx_select()  # one confirmation for all: those of BlockingConnection come one by one
        for _ in range(count):
            properties = pika.BasicProperties(
                content_type="application/json", message_id=uuid.uuid4().hex, delivery_mode=2
            )
            channel.basic_publish("", QUEUE, body, properties)
        channel.tx_commit()


@contextmanager
def _channel(rabbit: Rabbit) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    with closing(rabbitmq.connected(rabbit.url)) as connection:
        yield connection.channel()


def _rate(database: Path, began: int, count: int) -> float:
    """Return the tasks a second between the tenth part of them and the last one: the start does not count."""
    first = _await(database, began + count // 10)
    last = _await(database, began + count)
    return (count - count // 10) / (last - first)


def _await(database: Path, row: int) -> float:
    """Return the time at which the table of tasks has this row.

    Raises:
        SystemExit: it has not after a while.
    """
    until = time.monotonic() + WITHIN
    while _newest(database) < row:
        if time.monotonic() > until:
            raise SystemExit(f"Only {_newest(database)} of {row} tasks were stored in {WITHIN:g} s.")
        time.sleep(0.005)
    return time.monotonic()


def _newest(database: Path) -> int:
    """Return the number of the newest row."""
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM tasks").fetchone()[0])
