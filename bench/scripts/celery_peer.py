"""Celery: tasks that only write a mark to a file, or compute; results are not stored."""

import os

import functions
from celery import Celery

app = Celery("bench", broker=os.environ["BENCH_REDIS"].replace("unix://", "redis+socket://"))
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 64  # short tasks are faster with a large multiplier
app.conf.broker_connection_retry_on_startup = True
done = os.open(os.environ.get("BENCH_DONE", os.devnull), os.O_WRONLY | os.O_APPEND)


@app.task(name="noop")
def noop():
    """Write a mark."""
    os.write(done, b"x")


@app.task(name="mark")
def mark():
    """Write a mark."""
    functions.mark()


@app.task(name="compute")
def compute():
    """Compute, and write a mark."""
    functions.compute()


@app.task(name="work")
def work(item, valor):
    """Do nothing: these tasks are only submitted, and no worker runs them."""


def fill(_url, count, task=noop):
    """Submit `count` tasks through one producer."""
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            task.apply_async(producer=producer)


def fill_mark(url, count):
    """Submit `count` tasks that write a mark."""
    fill(url, count, mark)


def fill_compute(url, count):
    """Submit `count` tasks that compute."""
    fill(url, count, compute)
