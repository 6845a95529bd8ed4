"""The command line: `queue-tool`."""

from queue_tool.cli.main import main

__all__ = ["main"]
