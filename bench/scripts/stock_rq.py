"""RQ without changes: tasks that only write a mark to a file."""

import os

from redis import Redis
from rq import Queue

done = os.open(os.environ.get("BENCH_DONE", os.devnull), os.O_WRONLY | os.O_APPEND)


def noop() -> None:
    """Write a mark."""
    os.write(done, b"x")


def fill(url: str, count: int) -> None:
    """Submit `count` tasks with `enqueue_many`, the fastest way in RQ."""
    queue = Queue("bench", connection=Redis.from_url(url))
    for start in range(0, count, 1000):
        size = min(1000, count - start)
        queue.enqueue_many([Queue.prepare_data("stock_rq.noop", result_ttl=0) for _ in range(size)])
