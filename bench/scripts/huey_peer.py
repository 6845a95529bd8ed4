"""huey with threads: tasks that only write a mark to a file; results are not stored."""

import os

from huey import RedisHuey

done = os.open(os.environ["BENCH_DONE"], os.O_WRONLY | os.O_APPEND)
huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False)


@huey.task()
def noop() -> None:
    """Write a mark."""
    os.write(done, b"x")


def fill(_url: str, count: int) -> None:
    """Submit `count` tasks."""
    for _ in range(count):
        noop()
