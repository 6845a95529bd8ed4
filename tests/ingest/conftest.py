"""Fixtures: the RabbitMQ of this session, a sender, and consumers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from queue_tool.runtime import Runtime
from tests import rabbitmq
from tests.conftest import News
from tests.ingest.consuming import Consuming
from tests.rabbitmq import Rabbit, Sender

Consume = Callable[..., Consuming]


@pytest.fixture
def sender(rabbit: Rabbit) -> Iterator[Sender]:
    """A program that sends work to a queue of its own, which is not declared yet."""
    with rabbitmq.sender(rabbit) as made:
        yield made


@pytest.fixture
def consume(runtime: Runtime, news: News, sender: Sender) -> Iterator[Consume]:
    """A function that starts a consumer of the sender's queue, in a thread of the test."""
    with ExitStack() as started:

        @contextmanager
        def running(made: Consuming) -> Iterator[Consuming]:
            try:
                yield made.start()
            finally:
                made.stop()

        def start(url: str = "", **options: Any) -> Consuming:
            chosen = {"runtime": runtime} | options
            made = Consuming(news=news, url=url or sender.rabbit.url, queue=sender.queue, **chosen)
            return started.enter_context(running(made))

        yield start
