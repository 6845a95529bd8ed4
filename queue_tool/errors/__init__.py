"""Every error that this project raises on purpose: one tree, a stable code and a default sentence each.

A class's docstring is the sentence that a user sees when the one who raises it has nothing better to say.
What an error means in HTTP is written in one table, in `queue_tool.web.http.problems`.
"""

from __future__ import annotations

from queue_tool.errors.base import QueueToolError as QueueToolError
from queue_tool.errors.requests import *  # noqa: F403 - each error has its one home, and is offered here
from queue_tool.errors.system import *  # noqa: F403 - the same
