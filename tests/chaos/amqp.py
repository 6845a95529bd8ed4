"""RabbitMQ as a way in: a client that publishes batches, each perhaps twice, and waits for the answers."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pika
from pika.exceptions import AMQPError

from tests.chaos.load import PATIENCE, Client, Sent
from tests.chaos.sites import Site

AGAIN = 3.0
"""Seconds without an answer after which a batch is published again, with the same `message_id`."""

_DOUBLED = "SELECT name FROM batches WHERE name LIKE 'amqp-%' GROUP BY name HAVING count(*) > 1"


@dataclass(slots=True)
class Published:
    """What the client published, and what came back."""

    batches: int = 0
    answers: int = 0
    missing: list[str] = field(default_factory=list)  # message ids without an answer
    doubled: list[str] = field(default_factory=list)  # message ids with several answers that differ, or several batches


class AmqpClient(Client):
    """One client that publishes."""

    sizes = (1, 1, 5, 20)  # so many that several are in each group of the consumer

    def __init__(self, url: str, queue: str, base: str, sent: Sent, seed: int, **options: Any) -> None:
        """Prepare to publish to a queue; the other arguments are those of a client."""
        super().__init__(base, sent, seed, **options)
        self._url, self._queue, self._seed = url, queue, seed
        self.published = Published()
        self._connection: pika.BlockingConnection | None = None
        self._tokens: dict[str, list[str]] = {}  # by message id

    def run(self) -> None:
        """Publish batches of random sizes at the given rate, and read late answers at the end."""
        super().run()
        self._read(1.0)
        if self._connection is not None:
            self._connection.close()

    def _send(self, body: list[dict[str, Any]]) -> None:
        """Publish a batch until it is answered; in 3 of 10 cases twice at once."""
        self.published.batches += 1
        name = f"amqp-{self._seed}-{self.published.batches}"
        until = time.monotonic() + PATIENCE
        while name not in self._tokens:
            if time.monotonic() > until:
                self.published.missing.append(name)
                return
            try:
                self._publish(name, body, times=2 if self._random.random() < 0.3 else 1)
                again = time.monotonic() + AGAIN
                while name not in self._tokens and time.monotonic() < again:
                    self._read(0.1)
            except AMQPError:  # RabbitMQ is only just starting
                self._connection = None
                threading.Event().wait(0.5)
        self._remember([{"hash": token} for token in self._tokens[name]], body)

    def _publish(self, name: str, body: list[dict[str, Any]], *, times: int) -> None:
        channel = self._opened()
        properties = pika.BasicProperties(
            content_type="application/json",
            message_id=name,
            reply_to=self._replies,
            headers={"name": name},
            delivery_mode=pika.DeliveryMode.Persistent,
        )
        for _ in range(times):
            channel.basic_publish("", self._queue, json.dumps(body).encode(), properties)

    def _opened(self) -> Any:
        """Return the channel, which gets the answers; connect if needed."""
        if self._connection is None or self._connection.is_closed:
            self._connection = pika.BlockingConnection(pika.URLParameters(self._url))
            self._channel = self._connection.channel()
            self._replies: str = self._channel.queue_declare("", exclusive=True).method.queue
            self._channel.basic_consume(self._replies, self._hear, auto_ack=True)
        return self._channel

    def _read(self, seconds: float) -> None:
        if self._connection is not None:
            self._connection.process_data_events(seconds)

    def _hear(self, _channel: object, _method: object, properties: pika.BasicProperties, body: bytes) -> None:
        name = str(properties.correlation_id)
        tokens = [element["hash"] for element in json.loads(body)["processing_items"]]
        self.published.answers += 1
        if self._tokens.setdefault(name, tokens) != tokens:
            self.published.doubled.append(name)


def faults(site: Site, clients: list[AmqpClient]) -> list[str]:
    """Print what the clients published; return what was lost or stored twice."""
    found = [client.published for client in clients]
    doubled = [name for each in found for name in each.doubled] + [row[0] for row in site.rows(_DOUBLED)]
    missing = [name for each in found for name in each.missing]
    print(
        f"  RabbitMQ: {sum(each.batches for each in found)} batches, {sum(each.answers for each in found)} answers, "
        f"without an answer {len(missing)}, stored twice {len(doubled)}",
        flush=True,
    )
    return missing + doubled
