"""The event loop and the executors of a worker, without its pump."""

from __future__ import annotations

from queue_tool.host.clock import CLOCK
from queue_tool.model import json_text
from queue_tool.model.outcome import Ended
from queue_tool.model.queues import Lane
from queue_tool.model.run import Run
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import TaskType
from queue_tool.model.ticket import ticket_id
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.loop import LoopThread
from queue_tool.worker.loop_executor import LoopExecutor
from queue_tool.worker.thread_executor import ThreadExecutor
from tests.support import eventually

TOKEN = "019ab2f0c3d47e1aa3378b81ba69d255"


class SmallWorker:
    """The event loop and the executors of a worker, without its pump."""

    def __init__(self) -> None:
        """Start the loop."""
        self.thread, self.inbox = LoopThread(), Inbox(CLOCK)
        self.executors: dict[Lane, ThreadExecutor | LoopExecutor] = {
            Lane.LOOP: LoopExecutor(10, self.thread.loop, self.inbox),
            Lane.THREADS: ThreadExecutor(1, "thread", self.inbox, self.thread.loop),
        }

    def start(self, task_type: TaskType, data: object = None, *, lane: Lane | None = None) -> None:
        """Start a run."""
        task = Claimed(
            token=TOKEN,
            run=1,
            attempt=1,
            task_type=task_type.name,
            data=json_text.dumps(data).decode(),
            started_at=CLOCK.now(),
        )
        self.executors[lane or task_type.lane].start([Run(task=task, task_type=task_type, data=data)])

    def stop(self, lane: Lane) -> None:
        """Stop the run."""
        self.executors[lane].stop(ticket_id(TOKEN, 1))

    def ended(self) -> Ended:
        """Wait until the run has ended; return how."""
        eventually(lambda: self.inbox.has_returned)
        ((ticket, ended, *_),) = self.inbox.take_returned()
        assert ticket == ticket_id(TOKEN, 1)
        return ended
