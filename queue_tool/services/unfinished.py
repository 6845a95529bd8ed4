"""The outcomes of runs whose worker ends before their function has returned."""

from __future__ import annotations

from queue_tool.model.outcome import Outcome
from queue_tool.model.run import Run
from queue_tool.model.states import MOST_LOSSES, MOST_RESIGNATIONS, Code, Move
from queue_tool.store.losses import LOST_TOO_OFTEN

RESIGNED_TOO_OFTEN = f"More than {MOST_RESIGNATIONS} workers ended by themselves while they ran this task."


def put_back(run: Run, *, begun: bool = True) -> Outcome:
    """Return the outcome of a run whose worker was told to end, or that did not begin soon.

    Another run makes the same attempt.

    Args:
        run: the run.
        begun: whether its function may have been called.
    """
    task = run.task
    return Outcome(token=task.token, run=task.run, move=Move.PUT_BACK, begun=begun, task_type=task.task_type)


def resign(run: Run) -> Outcome:
    """Return the outcome of a run whose worker ends by itself. Another worker makes the same attempt.

    The task may be the cause, so only some of these ends are free. Each further one counts as a loss.
    """
    task = run.task
    if task.resignations >= MOST_RESIGNATIONS:
        return lose(run, RESIGNED_TOO_OFTEN)
    return Outcome(token=task.token, run=task.run, move=Move.RESIGN, task_type=task.task_type)


def lose(run: Run, reason: str, traceback: str = "") -> Outcome:
    """Return the outcome of a run whose process has died or must end. The task runs again, or fails.

    Args:
        run: the run.
        reason: what the function or its process did, as a sentence.
        traceback: where the function is.
    """
    task = run.task
    too_often = task.losses >= MOST_LOSSES - 1
    return Outcome(
        token=task.token,
        run=task.run,
        move=Move.GIVE_UP if too_often else Move.LOSE,
        code=Code.WORKER_LOST,
        error=f"{LOST_TOO_OFTEN} {reason}" if too_often else reason,
        traceback=traceback,
        attempt=task.attempt,
        started_at=task.started_at,
        task_type=task.task_type,
    )
