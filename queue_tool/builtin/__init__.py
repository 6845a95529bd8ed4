"""The task types that come with the package."""

from queue_tool.builtin.sleep import sleep_type

__all__ = ["sleep_type"]
