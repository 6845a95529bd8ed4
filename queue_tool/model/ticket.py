"""Tickets: RQ's jobs, each of which carries one run of a task to a worker."""

from __future__ import annotations

import re
from dataclasses import dataclass

from queue_tool.model import tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What carries one run of a task to a worker. It holds token and run and nothing else."""

    token: str
    run: int
    list: str  # the RQ queue that it waits in
    task_type: str  # for people who look into the queue

    @property
    def id(self) -> str:
        """Return the id of RQ's job."""
        return ticket_id(self.token, self.run)


def ticket_id(token: str, run: int) -> str:
    """Return the id of the RQ job of a run: the token for the first one, `token-run` after.

    So a worker that comes back from the dead and cleans up after one run cannot remove the next one's.
    """
    return token if run == 1 else f"{token}-{run}"


def read_ticket_id(job_id: str) -> tuple[str, int]:
    """Return the token and the run that an RQ job's id stands for.

    Raises:
        ValueError: the id is not one of ours.
    """
    token, dash, run = job_id.partition("-")
    if not tokens.is_well_formed(token) or (dash and not re.fullmatch("[1-9][0-9]{0,17}", run)) or run == "1":
        raise ValueError(f"The job {job_id[:80]!r} is not a ticket of this service.")
    return token, int(run or "1")
