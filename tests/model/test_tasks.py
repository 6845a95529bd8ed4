"""Tasks: states, moves and the fence, tickets, and what follows from them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from queue_tool.errors import IllegalMove, NaiveTime
from queue_tool.model.tasks import (
    LISTS,
    MOVES,
    Code,
    Fence,
    Lane,
    Priority,
    State,
    Status,
    Ticket,
    moved,
    read_ticket_id,
    require_utc,
)

relaxed = settings(deadline=None)
tokens = st.text(alphabet="0123456789abcdef", min_size=32, max_size=32)
walks = st.lists(st.tuples(st.sampled_from(sorted(MOVES)), st.integers(1, 9)), max_size=60)
fences = st.builds(
    Fence,
    state=st.sampled_from(State),
    run=st.integers(1, 50),
    owner=st.none() | st.integers(1, 9),
    attempt=st.integers(1, 50),
    losses=st.integers(0, 50),
)

LEGAL = {
    ("claim", State.QUEUED): State.RUNNING,
    ("finish", State.RUNNING): State.FINISHED,
    ("fail", State.RUNNING): State.FAILED,
    ("put back", State.RUNNING): State.QUEUED,
    ("lose", State.RUNNING): State.QUEUED,
    ("give up", State.RUNNING): State.FAILED,
    ("retry later", State.RUNNING): State.SCHEDULED,
    ("come due", State.SCHEDULED): State.QUEUED,
    ("expire", State.SCHEDULED): State.FAILED,
    ("expire", State.QUEUED): State.FAILED,
    ("cancel", State.SCHEDULED): State.CANCELED,
    ("cancel", State.QUEUED): State.CANCELED,
    ("cancel", State.RUNNING): State.CANCELED,
    ("reopen", State.FAILED): State.QUEUED,
    ("reopen", State.CANCELED): State.QUEUED,
}
"""Every legal move as the contract tells it, from which state to which."""


# -- the moves, one by one ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_legal_exactly_where_the_contract_says(name: str, state: State) -> None:
    fence = Fence(state=state)
    target = LEGAL.get((name, state))
    if target is not None:
        assert moved(fence, name, owner=7).state is target
    else:
        with pytest.raises(IllegalMove, match=f"^A task that is {state} cannot {name}.$"):
            moved(fence, name, owner=7)


def test_a_run_grows_on_every_way_back_to_another_run() -> None:
    assert {name for name, move in MOVES.items() if move.new_run} == {"put back", "lose", "retry later", "reopen"}


def test_a_drain_and_a_lost_worker_are_no_attempts() -> None:
    assert {name for name, move in MOVES.items() if move.new_attempt} == {"retry later", "reopen"}
    assert {name for name, move in MOVES.items() if move.loss} == {"lose", "give up"}


def test_moves_that_only_leave_running_are_known() -> None:
    leaving = {name for name, move in MOVES.items() if move.sources == {State.RUNNING}}
    assert leaving == {"finish", "fail", "put back", "lose", "give up", "retry later"}


def test_the_table_of_moves_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MOVES["claim"] = MOVES["finish"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        MOVES["claim"].new_run = True  # type: ignore[misc]


def test_every_state_can_be_reached_from_a_new_task() -> None:
    reached = {Fence().state}
    while True:
        further = {move.target for move in MOVES.values() if move.sources & reached}
        if further <= reached:
            break
        reached |= further
    assert reached == set(State)


def test_every_state_that_has_not_ended_leads_to_each_end() -> None:
    ends = {state for state in State if state.ended}
    for state in set(State) - ends:
        reached = {state}
        for _ in State:
            reached |= {move.target for move in MOVES.values() if move.sources & reached}
        assert ends <= reached


# -- the moves, many in a row ------------------------------------------------------------------------------


@relaxed
@given(walks)
def test_a_walk_keeps_the_promises_of_the_fence(walk: list[tuple[str, int]]) -> None:
    fence = Fence()
    for name, owner in walk:
        move = MOVES[name]
        before = fence
        if before.state not in move.sources:
            with pytest.raises(IllegalMove):
                moved(before, name, owner)
            continue
        fence = moved(before, name, owner)
        assert fence.state is move.target
        assert fence.run - before.run == (1 if move.new_run else 0)
        assert fence.attempt - before.attempt == (1 if move.new_attempt else 0)
        assert fence.losses - before.losses == (1 if move.loss else 0)
        assert fence.owner == (owner if fence.state is State.RUNNING else before.owner)
        assert not before.state.ended or name == "reopen"


@relaxed
@given(walks)
def test_no_two_claims_of_a_task_have_the_same_run(walk: list[tuple[str, int]]) -> None:
    fence, claimed = Fence(), []
    for name, owner in walk:
        if fence.state in MOVES[name].sources:
            fence = moved(fence, name, owner)
            claimed += [fence.run] if name == "claim" else []
    assert claimed == sorted(set(claimed))


@relaxed
@given(fences, st.sampled_from(sorted(MOVES)))
def test_a_move_leaves_the_fence_before_it_as_it_was(fence: Fence, name: str) -> None:
    before = (fence.state, fence.run, fence.owner, fence.attempt, fence.losses)
    try:
        moved(fence, name, owner=7)
    except IllegalMove:
        assert (name, fence.state) not in LEGAL
    assert (fence.state, fence.run, fence.owner, fence.attempt, fence.losses) == before


def test_a_fence_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Fence().run = 2  # type: ignore[misc]


def test_a_new_task_is_queued_for_its_first_run_and_attempt() -> None:
    assert Fence() == Fence(state=State.QUEUED, run=1, owner=None, attempt=1, losses=0)


# -- states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "ended", "message"),
    [
        (State.SCHEDULED, False, "Em processamento"),
        (State.QUEUED, False, "Em processamento"),
        (State.RUNNING, False, "Em processamento"),
        (State.FINISHED, True, "Finalizado"),
        (State.FAILED, True, "Finalizado"),
        (State.CANCELED, True, "Finalizado"),
    ],
)
def test_a_state_says_whether_it_has_ended(state: State, ended: bool, message: str) -> None:
    assert state.ended is ended
    assert state.message == message


def test_the_states_are_the_six_of_the_contract() -> None:
    assert [str(state) for state in State] == ["scheduled", "queued", "running", "finished", "failed", "canceled"]


def test_the_codes_of_a_failure_are_those_of_the_contract() -> None:
    assert {str(code) for code in Code} == {
        "error",
        "aborted",
        "timeout",
        "expired",
        "worker_lost",
        "unknown_task_type",
        "bad_result",
    }


# -- queues and lanes --------------------------------------------------------------------------------------


def test_the_lists_go_from_the_most_urgent_to_the_least() -> None:
    assert LISTS == (
        "high",
        "high.threads",
        "high.isolated",
        "default",
        "default.threads",
        "default.isolated",
        "low",
        "low.threads",
        "low.isolated",
    )


@pytest.mark.parametrize(
    ("priority", "queue"), [(Priority.HIGH, "high"), (Priority.NORMAL, "default"), (Priority.LOW, "low")]
)
def test_a_priority_has_the_name_that_rq_gives_its_queue(priority: Priority, queue: str) -> None:
    assert priority.queue == queue
    assert Lane.LOOP.list_of(priority.queue) == queue


# -- tickets -----------------------------------------------------------------------------------------------


def ticket(token: str, run: int) -> Ticket:
    return Ticket(token=token, run=run, list="default", task_type="sleep")


@relaxed
@given(tokens, st.integers(1, 10**9))
def test_a_tickets_id_says_token_and_run(token: str, run: int) -> None:
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
def test_an_id_that_no_ticket_has_is_not_ours(job_id: str) -> None:
    with pytest.raises(ValueError, match="not a ticket"):
        read_ticket_id(job_id)


# -- status and times --------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def status(started_at: datetime | None, finished_at: datetime | None) -> Status:
    return Status(
        token="0" * 32,
        batch=None,
        task_type="sleep",
        data="{}",
        state=State.QUEUED,
        attempt=1,
        created_at=NOON,
        started_at=started_at,
        finished_at=finished_at,
        result=None,
        code=None,
        error=None,
    )


@pytest.mark.parametrize(
    ("started_at", "finished_at", "duration"),
    [
        (None, None, None),
        (NOON, None, None),
        (None, NOON, None),
        (NOON, NOON, 0.0),
        (NOON, NOON + timedelta(milliseconds=1500), 1.5),
    ],
)
def test_a_duration_is_known_once_a_run_has_ended(
    started_at: datetime | None, finished_at: datetime | None, duration: float | None
) -> None:
    assert status(started_at, finished_at).duration == duration


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(NaiveTime, match=r"^2026-11-22T12:00:00 has no time zone\.$"):
        require_utc(NOON.replace(tzinfo=None))


@pytest.mark.parametrize("time", [NOON, NOON.astimezone(timezone(timedelta(hours=-3)))])
def test_a_time_with_a_zone_stays_the_same_moment(time: datetime) -> None:
    assert require_utc(time) == NOON
