"""Types and meanings of the fields that several events share."""

from __future__ import annotations

from typing import Annotated

from queue_tool.model.states import Code

Token = Annotated[str, "the token of the task"]
RunNumber = Annotated[int, "the number of the run, counted from 1; each further run of the task gets a new number"]
AttemptNumber = Annotated[
    int, "the number of the attempt, counted from 1; the stop or death of a worker does not use up an attempt"
]
TypeName = Annotated[str, "the name of the task's type"]
FailureCode = Annotated[Code, f"the kind of failure: {', '.join(f'`{code}`' for code in Code)}"]
FailureText = Annotated[str, "the error message"]
Duration = Annotated[float, "how long the run took, in seconds"]
BatchId = Annotated[str, "the id of the batch"]
Tasks = Annotated[int, "the number of tasks"]
Tickets = Annotated[int, "the number of tickets"]
Reason = Annotated[str, "the cause, as a sentence or an error message"]
Child = Annotated[str, "the part of the service: `valkey`, `web`, `consume`, or `worker-` and a number"]
