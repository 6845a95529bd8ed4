"""Tickets: RQ jobs. Each one carries one run of a task to a worker."""

from __future__ import annotations

import re

import msgspec

from queue_tool.model import tokens


class Ticket(msgspec.Struct, frozen=True, kw_only=True):
    """The RQ job of one run of a task. A worker needs only token and run from it."""

    token: str
    run: int
    list: str  # name of its RQ queue
    task_type: str  # for people who inspect the queue

    @property
    def id(self) -> str:
        """Return the id of the RQ job."""
        return ticket_id(self.token, self.run)


def ticket_id(token: str, run: int) -> str:
    """Return the id of the RQ job of a run: the token for run 1, `token-run` for later runs.

    Each run has its own id, so a late worker that cleans up after one run cannot remove the ticket of the next run.
    """
    return token if run == 1 else f"{token}-{run}"


def read_ticket_id(job_id: str) -> tuple[str, int]:
    """Return the token and the run number in an RQ job's id.

    Raises:
        ValueError: the id is not that of a ticket.
    """
    if tokens.is_well_formed(job_id):  # of a first run, as most are
        return job_id, 1
    token, dash, run = job_id.partition("-")
    if not (dash and tokens.is_well_formed(token) and re.fullmatch("[1-9][0-9]{0,17}", run)) or run == "1":
        raise ValueError(f"The job {job_id[:80]!r} is not a ticket of this service.")
    return token, int(run)
