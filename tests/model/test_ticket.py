"""Tickets: the id holds token and run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.model.ticket import Ticket, read_ticket_id

relaxed = settings(deadline=None)
tokens = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)


def ticket(token: str, run: int) -> Ticket:
    return Ticket(token=token, run=run, list="default", task_type="sleep")


@relaxed
@given(tokens, st.integers(1, 10**9))
def test_token_and_run_can_be_read_from_a_tickets_id(token: str, run: int) -> None:
    assert read_ticket_id(ticket(token, run).id) == (token, run)


@relaxed
@given(tokens)
def test_the_id_of_a_first_run_is_the_token(token: str) -> None:
    assert ticket(token, 1).id == token


@relaxed
@given(tokens, st.lists(st.integers(1, 1000), unique=True))
def test_no_two_runs_of_a_task_share_an_id(token: str, runs: list[int]) -> None:
    assert len({ticket(token, run).id for run in runs}) == len(runs)


@pytest.mark.parametrize(
    "job_id",
    [
        *("0" * 32 + tail for tail in ("-x", "-1.5", "-", "-1", "-0", "--5", "-02", "-2\n", "0")),
        *("5e2c8e3a-58a4-4c1c-9d0b-6c2a6f1e8a11", "hello", "", "F" * 32),
    ],
)
def test_an_id_that_is_not_of_a_ticket_is_refused(job_id: str) -> None:
    with pytest.raises(ValueError, match="not a ticket"):
        read_ticket_id(job_id)
