"""Ours: the same functions as task types."""

import time

import functions

from queue_tool import task


@task("mark", isolated=True)
def mark(_):
    """Write a mark."""
    functions.mark()


@task("compute", isolated=True)
def compute(_):
    """Compute, and write a mark."""
    functions.compute()


@task("plain_mark")
def plain_mark(_):
    """Write a mark."""
    functions.mark()


@task("async_mark")
async def async_mark(_):
    """Write a mark."""
    functions.mark()


@task("nap")
def nap(_):
    """Wait for a moment."""
    time.sleep(0.2)
