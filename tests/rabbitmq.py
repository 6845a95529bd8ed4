"""A RabbitMQ for the tests: one server for all processes of a test session, because its start takes long."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from tests.support import eventually, free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The program of Debian's package that runs as the caller; the one in `/usr/sbin` changes the user."""

CONTROL = SERVER.with_name("rabbitmqctl")

CALM = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
"""Erlang's threads do not spin while they wait: other tests need the processors."""

_RUN = """
(
  setsid epmd & names=$!
  setsid "$1" & server=$!
  tail --pid="$2" -f /dev/null
  kill -9 -$server -$names
  rm -rf "$3"
) </dev/null >/dev/null 2>&1 &
"""
"""Runs the name server of Erlang and RabbitMQ, until the test session has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rabbit:
    """A running RabbitMQ."""

    port: int
    environment: Mapping[str, str]  # of its commands

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    def control(self, *words: str) -> None:
        """Run `rabbitmqctl`, which takes more than a second."""
        done = subprocess.run(
            [CONTROL, *words], env=dict(self.environment), capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def installed() -> bool:
    """Return whether RabbitMQ is installed."""
    return SERVER.exists() and shutil.which("epmd") is not None


def start(place: Path) -> None:
    """Start a server that ends with the test session, and write in a folder what others need to use it."""
    rabbit = begin(place)
    eventually(lambda: connected(rabbit.url)).close()


def begin(place: Path) -> Rabbit:
    """Do the same without waiting until the server answers."""
    folder = Path(tempfile.mkdtemp(prefix="rabbit"))
    port, distribution, names = free_port(), free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")},
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "tests@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": CALM,
    }
    session = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    subprocess.run(
        ["/bin/sh", "-c", _RUN, "rabbitmq", SERVER, str(session), str(folder)],
        env=environment,
        cwd="/",
        start_new_session=True,
        check=True,
    )
    (place / "server.json").write_text(json.dumps({"port": port, "environment": environment}))
    return Rabbit(port=port, environment=environment)


def connected(url: str) -> pika.BlockingConnection:
    """Return a connection.

    Raises:
        OSError: RabbitMQ does not answer.
    """
    try:
        return pika.BlockingConnection(pika.URLParameters(url))
    except AMQPError as error:
        raise OSError(repr(error)) from error


@contextmanager
def reserved(place: Path, *, alone: bool) -> Iterator[Rabbit]:
    """Return the server that `start` has started, for a `with` block.

    Args:
        place: the folder that it has filled.
        alone: whether no other test may use the server meanwhile.
    """
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield Rabbit(**json.loads((place / "server.json").read_text()))


@dataclass(slots=True, kw_only=True)
class Sender:
    """A program that sends work to a queue of its own, and reads what comes back."""

    rabbit: Rabbit
    queue: str = field(default_factory=lambda: f"test.{uuid.uuid4().hex}")
    connection: pika.BlockingConnection | None = None

    @property
    def channel(self) -> BlockingChannel:
        """Return a channel with confirmations. After a failure it is another one."""
        if self.connection is None or self.connection.is_closed:
            self.connection = connected(self.rabbit.url)
        channel = self.connection.channel()
        channel.confirm_delivery()
        return channel

    def declare(self, kind: str = "classic", **options: Any) -> None:
        """Declare the queue, durable and of this kind."""
        chosen: dict[str, Any] = {"durable": True, "arguments": {"x-queue-type": kind}} | options
        self.channel.queue_declare(self.queue, **chosen)

    def send(self, body: object, *, times: int = 1, **properties: Any) -> None:
        """Send a body, as JSON if it is no text of bytes."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        chosen: dict[str, Any] = {"content_type": "application/json", "delivery_mode": 2} | properties
        with self.channel as channel:
            for _ in range(times):
                channel.basic_publish("", self.queue, text, pika.BasicProperties(**chosen))

    def new_queue(self, exchange: str = "", key: str = "") -> str:
        """Return a new queue of this connection, bound to an exchange if one is named."""
        channel = self.channel
        name: str = channel.queue_declare("", exclusive=True).method.queue
        if exchange:
            channel.exchange_declare(exchange, "topic", durable=True)  # no consumer may have done it yet
            channel.queue_bind(name, exchange, key or self.queue)
        return name

    def get(self, queue: str) -> tuple[pika.BasicProperties, bytes]:
        """Wait for a message in a queue, and take it."""

        def taken() -> tuple[pika.BasicProperties, bytes]:
            with self.channel as channel:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
            assert method is not None
            assert properties is not None
            assert body is not None
            return properties, body

        return eventually(taken)

    def count(self) -> int:
        """Return how many messages are ready in the queue. Those that are not acknowledged do not count."""
        with self.channel as channel:
            return int(channel.queue_declare(self.queue, passive=True).method.message_count)

    def close(self) -> None:
        """Remove the queue, and end the connection."""
        with self.channel as channel:
            channel.queue_delete(self.queue)
        if self.connection is not None:
            self.connection.close()


@contextmanager
def sender(rabbit: Rabbit) -> Iterator[Sender]:
    """Return a sender for a `with` block."""
    made = Sender(rabbit=rabbit)
    try:
        yield made
    finally:
        made.close()
