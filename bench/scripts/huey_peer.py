"""huey: tasks that cost nothing but a mark in a file, no results kept, threads."""

import os

from huey import RedisHuey

done = os.open(os.environ["BENCH_DONE"], os.O_WRONLY | os.O_APPEND)
huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False)


@huey.task()
def noop() -> None:
    """Leave a mark."""
    os.write(done, b"x")


def fill(_url: str, count: int) -> None:
    """Send so many tasks."""
    for _ in range(count):
        noop()
