"""dramatiq: tasks that only write a mark to a file; results are not stored."""

import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker

done = os.open(os.environ["BENCH_DONE"], os.O_WRONLY | os.O_APPEND)
dramatiq.set_broker(RedisBroker(url=os.environ["BENCH_REDIS"]))


@dramatiq.actor
def noop() -> None:
    """Write a mark."""
    os.write(done, b"x")


def fill(_url: str, count: int) -> None:
    """Submit `count` tasks."""
    for _ in range(count):
        noop.send()
