"""The fork server imports this module before it forks, so that every fork has the user's task types loaded."""

from __future__ import annotations

from queue_tool import environment
from queue_tool.execution import forks
from queue_tool.host import collector
from queue_tool.worker.pool_child import known_types

environment.forget_safe_search()
forks.start_one_after_the_other()  # the functions of suspects run in threads
known_types()
collector.freeze_existing()  # a collection in a fork would copy the memory that the forks share
