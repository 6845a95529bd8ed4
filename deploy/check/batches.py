"""Batches that go through the whole system, by HTTP and by RabbitMQ."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from typing import Any

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel

from deploy.check.container import LIMIT, POLL, Failed

ADDRESS, HOST = "http://127.0.0.1:5000", "web"
"""Where the web server listens, and the host that it is asked for: another one than on the machine of the server."""

ELEMENTS: list[dict[str, object]] = [
    {"item": "first", "valor": 0.1},
    {"item": "second", "valor": 0},
    {"item": "wrong", "valor": "10"},
]

QUEUE = "queue_tool.tasks"

LONGEST_WAIT = 30


def ask(path: str, key: str | None = None, body: object = None, wait: int = 0) -> tuple[int, Any]:
    """Send a request, and return the status and the JSON of the answer.

    Args:
        path: the path of the route.
        key: an API key; None: without one.
        body: what to send by POST; None: it is a GET.
        wait: seconds that the answer may wait for the end of a batch.
    """
    headers = {"Host": HOST, "Content-Type": "application/json", "Prefer": f"wait={wait}"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(ADDRESS + path, data, headers)  # noqa: S310 - this system
    try:
        with urllib.request.urlopen(request, timeout=2 * LONGEST_WAIT) as answer:  # noqa: S310 - this system
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def by_http(key: str, elements: list[dict[str, object]] = ELEMENTS) -> str:
    """Send a batch by HTTP; return its id.

    Raises:
        Failed: it was not accepted.
    """
    status, answer = ask("/api", key, elements)
    if status != HTTPStatus.OK:
        raise Failed(f"POST /api answered {status}: {answer}")
    return str(answer["batch"])


def by_rabbitmq(password: str) -> str:
    """Send a batch to RabbitMQ as docs/rabbitmq.md says, and wait for the answer; return its id.

    Args:
        password: of the user `queue_tool`.

    Raises:
        Failed: no answer came.
    """
    credentials = pika.PlainCredentials("queue_tool", password)
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", credentials=credentials))
    channel = connection.channel()
    channel.confirm_delivery()
    answers = channel.queue_declare("", exclusive=True).method.queue
    properties = pika.BasicProperties(
        content_type="application/json", type="sleep", message_id="check-1", reply_to=answers, delivery_mode=2
    )
    try:
        _publish(channel, properties)
        for _, _, body in channel.consume(answers, auto_ack=True, inactivity_timeout=LIMIT):
            answer = json.loads(body or b"{}")
            if "batch" not in answer:
                raise Failed(f"the answer to a message is {body!r}")
            return str(answer["batch"])
    finally:
        connection.close()
    raise Failed("RabbitMQ has canceled the consumer of the answers")


def _publish(channel: BlockingChannel, properties: pika.BasicProperties) -> None:
    """Send a batch, as soon as the consumer of the system has declared its queue."""
    until = time.monotonic() + LIMIT
    while True:
        try:
            channel.basic_publish("", QUEUE, json.dumps(ELEMENTS).encode(), properties, mandatory=True)
        except pika.exceptions.UnroutableError:
            if time.monotonic() > until:
                raise Failed(f"there is no queue {QUEUE}") from None
            time.sleep(POLL)
        else:
            return


def require_ended(key: str, batch: str) -> None:
    """Wait for the end of such a batch, and compare its counts.

    Raises:
        Failed: it did not end, or has other counts.
    """
    found = counts(key, batch, wait=LONGEST_WAIT)
    if found["finished"] != 2 or found["rejected"] != 1:  # noqa: PLR2004 - of ELEMENTS
        raise Failed(f"the batch {batch} has {found}")


def counts(key: str, batch: str, wait: int = 0) -> dict[str, int]:
    """Return how many tasks of a batch are in each state.

    Raises:
        Failed: the web server does not know it.
    """
    status, answer = ask(f"/batches/{batch}", key, wait=wait)
    if status != HTTPStatus.OK:
        raise Failed(f"GET /batches/{batch} answered {status}: {answer}")
    found: dict[str, int] = answer["counts"]
    return found
