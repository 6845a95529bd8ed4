"""What the fields mean that several events have."""

from __future__ import annotations

from typing import Annotated

from queue_tool.model.states import Code

Token = Annotated[str, "the token of the task"]
RunNumber = Annotated[
    int, "the number of the run, counted from 1; a task gets a new one each time that it must be started again"
]
AttemptNumber = Annotated[
    int, "the number of the attempt, counted from 1; a worker that stops or dies does not use one up"
]
TypeName = Annotated[str, "the name of the task's type"]
FailureCode = Annotated[Code, f"the kind of failure: {', '.join(f'`{code}`' for code in Code)}"]
FailureText = Annotated[str, "what went wrong, in words"]
Duration = Annotated[float, "how long the run took, in seconds"]
BatchId = Annotated[str, "the id of the batch"]
Tasks = Annotated[int, "the number of tasks"]
Tickets = Annotated[int, "the number of tickets"]
Reason = Annotated[str, "why, in words"]
Child = Annotated[str, "the part of the service: `valkey`, `web`, or `worker-` and a number"]
