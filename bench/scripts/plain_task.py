"""Ours: a plain function that waits for 10 ms in a thread."""

import time

from queue_tool import task


@task("wait10")
def wait10(_):
    """Wait for 10 ms."""
    time.sleep(0.01)
