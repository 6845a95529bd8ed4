"""The web: Flask, and granian to serve it."""

from queue_tool.web.app import create_app

__all__ = ["create_app"]
