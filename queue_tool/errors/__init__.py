"""Every error that this project raises on purpose: one tree of classes, each with a stable code and a default sentence.

A class's docstring is its default sentence: users see it when the code that raises the error passes no other one.
`queue_tool.web.http.problems` maps each code to an HTTP status. An error with a status also has a `cause` and a
`remedy`, which the documents show.
"""

from __future__ import annotations

from queue_tool.errors.base import QueueToolError as QueueToolError
from queue_tool.errors.client import *
from queue_tool.errors.failure_kind import FailureKind as FailureKind
from queue_tool.errors.limits import *
from queue_tool.errors.objects import *
from queue_tool.errors.requests import *
from queue_tool.errors.system import *

BY_CODE: dict[str, type[QueueToolError]] = {
    kind.code: kind for kind in list(vars().values()) if isinstance(kind, type) and issubclass(kind, QueueToolError)
}
"""Each class of the tree by its code."""
