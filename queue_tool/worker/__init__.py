"""The worker: takes tickets from RQ and runs their tasks."""

from queue_tool.worker.worker import Worker

__all__ = ["Worker"]
