"""The web application: Flask, served by granian."""

from queue_tool.web.app import create_app

__all__ = ["create_app"]
