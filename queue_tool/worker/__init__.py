"""The worker: where tickets are taken from RQ and worked on."""

from queue_tool.worker.worker import Worker

__all__ = ["Worker"]
