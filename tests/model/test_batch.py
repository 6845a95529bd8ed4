"""Batches: counts, progress and messages; each element is accepted or refused on its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import INVALID, Batch, Refused, judge, new_batch
from queue_tool.model.new_task import PLAIN, NewTask
from queue_tool.model.states import State
from queue_tool.model.task_request import Requests

relaxed = settings(deadline=None)
SLEEP = sleep_type(86400.0)
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN = "019ab2f0c3d47e1aa3378b81ba69d255"

counts_of = st.dictionaries(st.sampled_from(State), st.integers(0, 1000))


def batch(counts: dict[State, int], rejected: int = 0, finished_at: datetime | None = None) -> Batch:
    return Batch(
        id="0" * 32,
        accepted=sum(counts.values()),
        rejected=rejected,
        open=sum(count for state, count in counts.items() if not state.ended),
        counts=counts,
        created_at=NOON,
        finished_at=finished_at,
    )


@relaxed
@given(counts_of, st.integers(1, 1000))
def test_the_counts_and_the_rejected_sum_to_the_total(counts: dict[State, int], rejected: int) -> None:
    made = batch(counts, rejected)
    assert made.total == sum(made.counts.values()) + made.rejected


@relaxed
@given(counts_of, st.integers(1, 1000))
def test_progress_goes_from_0_to_1_and_is_1_when_nothing_is_open(counts: dict[State, int], rejected: int) -> None:
    made = batch(counts, rejected)
    still_open = sum(count for state, count in counts.items() if not state.ended)
    assert 0 <= made.progress <= 1
    assert (made.progress == 1) == (still_open == 0)


@pytest.mark.parametrize(
    ("counts", "rejected", "progress"),
    [
        ({State.QUEUED: 4}, 0, 0.0),
        ({State.RUNNING: 2, State.SCHEDULED: 1}, 1, 0.25),
        ({State.FINISHED: 1, State.FAILED: 1, State.CANCELED: 1, State.QUEUED: 1}, 0, 0.75),
        ({State.FINISHED: 1, State.QUEUED: 2}, 1, 0.5),
        ({}, 3, 1.0),
    ],
)
def test_progress_is_the_share_of_elements_that_need_no_more_work(
    counts: dict[State, int], rejected: int, progress: float
) -> None:
    assert batch(counts, rejected).progress == progress


def test_a_batch_has_one_of_the_two_messages_of_check() -> None:
    assert batch({State.QUEUED: 1}).message == "Em processamento"
    assert batch({State.FAILED: 1}, finished_at=NOON).message == "Finalizado"


def test_a_refused_element_has_the_placeholder_of_the_contract() -> None:
    assert INVALID == "INVALID_JOB_REQUEST"


def test_a_valid_element_is_accepted_with_its_token_and_all_its_data() -> None:
    value = {"item": "item01", "valor": 10, "more": [1]}
    assert judge(value, 3, TOKEN, SLEEP) == NewTask(index=3, token=TOKEN, data=value, task_type=SLEEP)


@pytest.mark.parametrize(
    ("value", "item"),
    [
        ({"item": "Teste1", "valor": "10"}, "Teste1"),
        ({"item": 5, "valor": 1}, 5),
        ({"item": {"a": [1]}, "valor": 1}, {"a": [1]}),
        ({"item": None, "valor": 1}, None),
        ({"valor": 1}, None),
        ({}, None),
        ([], None),
        (["item"], None),
        ("item", None),
        (None, None),
        (True, None),
        (1, None),
    ],
)
def test_a_refused_element_keeps_its_index_its_item_and_the_reasons(value: object, item: object) -> None:
    refused = judge(value, 7, TOKEN, SLEEP)
    assert isinstance(refused, Refused)
    assert refused.index == 7
    assert refused.item == item
    assert refused.errors == SLEEP.schema.errors(value) != ()


def test_requests_with_only_a_type_and_data_share_one_options_object() -> None:
    judged = [
        Requests(types={"sleep": SLEEP}, now=NOON)({"task_type": "sleep", "data": data} | more, 0, TOKEN)
        for data in ({"item": "a", "valor": 0}, {"item": "b", "valor": 1})
        for more in ({}, {"name": "n"})
    ]
    assert [isinstance(task, NewTask) and task.options is PLAIN for task in judged] == [True, False, True, False]


def test_a_batch_has_a_ticket_for_each_task_that_can_start_at_once_in_the_list_of_its_priority() -> None:
    options: list[dict[str, object]] = [
        {},
        {"name": "n"},
        {"priority": "high"},
        {"delay": 60},
        {"expires_at": "2030-01-01T00:00:00Z"},
        {"priority": "high", "tags": ["a"]},
        {"run_at": "2020-01-01T00:00:00Z"},
    ]
    values = [{"task_type": "sleep", "data": {"item": "a", "valor": 0}} | more for more in options]
    judge = Requests(types={"sleep": SLEEP}, now=NOON)
    made = new_batch(values, judge, [f"{number:032x}" for number in range(len(values) + 1)], NOON)
    assert len(made.accepted) == len(values)
    wanted = [task.ticket for task in made.accepted if not task.options.must_wait(NOON)]
    assert made.tickets == wanted
    assert [ticket.list for ticket in wanted] == ["default", "default", "high", "default", "high", "default"]
    assert made.lists == {"default", "high"}
