"""The tables with all of their indexes. The partial indexes are defined only here.

They are in a separate module because a partial index imports the dialects of both databases, and a running process
does not need them. The migrations create the same indexes, and a test compares the two.
"""

from __future__ import annotations

from queue_tool.store import key_tables, measure_tables, schedule_tables, supervisor_tables  # noqa: F401 - they join these
from queue_tool.store.engine.schema import partial_index
from queue_tool.store.message_tables import messages
from queue_tool.store.tables import LIVE, batches, parts, tasks
from queue_tool.store.webhook_tables import metadata, outbox

__all__ = ["metadata"]


partial_index("ix_batches_unpushed", "pushed_at IS NULL", batches.c.id)
partial_index("ix_batches_name", "name IS NOT NULL", batches.c.name, batches.c.id)
partial_index("ix_batches_filled", "filled_at IS NOT NULL", batches.c.filled_at)
partial_index("ix_batches_reopening", "reopening_until IS NOT NULL", batches.c.reopening_until)
partial_index("ix_parts_unpushed", "sender IS NOT NULL", parts.c.batch_id, parts.c.start)
partial_index("ix_messages_waiting", "leased_until IS NULL", messages.c.queue, messages.c.id)
partial_index("ix_messages_leased", "leased_until IS NOT NULL", messages.c.queue, messages.c.leased_until)
partial_index("ix_messages_receipt", "receipt IS NOT NULL", messages.c.receipt, unique=True)
partial_index("ix_tasks_priority", "priority <> 'normal'", tasks.c.priority, tasks.c.id)
partial_index("ix_tasks_owner", "owner IS NOT NULL AND state <> 'running'", tasks.c.owner, tasks.c.id)
partial_index("ix_tasks_queued", "state = 'queued'", tasks.c.id)
partial_index("ix_tasks_urgent", "state = 'queued' AND priority <> 'normal'", tasks.c.priority, tasks.c.id)
partial_index("ix_tasks_unpushed", "state = 'queued' AND pushed_at IS NULL", tasks.c.priority, tasks.c.lane, tasks.c.id)
partial_index("ix_tasks_being_pushed", "state = 'queued' AND pushed_at < 0", tasks.c.id)
partial_index("ix_tasks_running", "state = 'running'", tasks.c.owner, tasks.c.batch_id)
partial_index("ix_tasks_scheduled", "state = 'scheduled'", tasks.c.due_at)
partial_index("ix_tasks_waiting", "state = 'scheduled'", tasks.c.id)
partial_index("ix_tasks_finished", "state = 'finished'", tasks.c.id)
partial_index("ix_tasks_failed", "state = 'failed'", tasks.c.id)
partial_index("ix_tasks_failed_code", "state = 'failed'", tasks.c.code, tasks.c.id)
partial_index("ix_tasks_failed_task_type", "state = 'failed'", tasks.c.task_type, tasks.c.id)
partial_index("ix_tasks_failed_batch_id", "state = 'failed'", tasks.c.batch_id, tasks.c.id)
partial_index("ix_tasks_canceled", "state = 'canceled'", tasks.c.id)
partial_index("ix_tasks_expiring", "expires_at IS NOT NULL AND state IN ('queued', 'scheduled')", tasks.c.expires_at)
partial_index("ix_tasks_name", "name IS NOT NULL", tasks.c.name)
partial_index("ix_tasks_custom_id", "custom_id IS NOT NULL", tasks.c.custom_id, tasks.c.id)
partial_index("ix_tasks_parent", "parent IS NOT NULL", tasks.c.parent, tasks.c.id)
partial_index("ix_tasks_unique_key", LIVE, tasks.c.task_type, tasks.c.unique_key, unique=True)
partial_index("ix_outbox_waiting", "state = 'waiting'", outbox.c.webhook_id, outbox.c.sequence, outbox.c.id)
