"""States and the legal moves between them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from queue_tool.model.states import MOVES, Code, Move, State

LEGAL = {
    (Move.CLAIM, State.QUEUED): State.RUNNING,
    (Move.FINISH, State.RUNNING): State.FINISHED,
    (Move.FAIL, State.RUNNING): State.FAILED,
    (Move.PUT_BACK, State.RUNNING): State.QUEUED,
    (Move.RESIGN, State.RUNNING): State.QUEUED,
    (Move.LOSE, State.RUNNING): State.QUEUED,
    (Move.GIVE_UP, State.RUNNING): State.FAILED,
    (Move.RETRY_LATER, State.RUNNING): State.SCHEDULED,
    (Move.COME_DUE, State.SCHEDULED): State.QUEUED,
    (Move.EXPIRE, State.SCHEDULED): State.FAILED,
    (Move.EXPIRE, State.QUEUED): State.FAILED,
    (Move.CANCEL, State.SCHEDULED): State.CANCELED,
    (Move.CANCEL, State.QUEUED): State.CANCELED,
    (Move.CANCEL, State.RUNNING): State.CANCELED,
    (Move.REOPEN, State.FAILED): State.QUEUED,
    (Move.REOPEN, State.CANCELED): State.QUEUED,
}
"""The target state of every legal move from every legal source state, as in the contract."""


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", Move)
def test_the_legal_moves_are_exactly_those_of_the_contract(move: Move, state: State) -> None:
    target = MOVES[move].target if state in MOVES[move].sources else None
    assert target is LEGAL.get((move, state))


def test_every_move_back_to_another_run_increases_the_run_number() -> None:
    assert {move for move, transition in MOVES.items() if transition.new_run} == {
        Move.PUT_BACK,
        Move.RESIGN,
        Move.LOSE,
        Move.RETRY_LATER,
        Move.REOPEN,
    }


def test_a_drain_or_a_lost_worker_does_not_use_up_an_attempt() -> None:
    assert {move for move, transition in MOVES.items() if transition.new_attempt} == {Move.RETRY_LATER, Move.REOPEN}
    assert {move for move, transition in MOVES.items() if transition.loss} == {Move.LOSE, Move.GIVE_UP}
    assert {move for move, transition in MOVES.items() if transition.resignation} == {Move.RESIGN}


def test_seven_moves_are_only_legal_for_running_tasks() -> None:
    leaving = {move for move, transition in MOVES.items() if transition.sources == {State.RUNNING}}
    assert leaving == {
        Move.FINISH,
        Move.FAIL,
        Move.PUT_BACK,
        Move.RESIGN,
        Move.LOSE,
        Move.GIVE_UP,
        Move.RETRY_LATER,
    }


def test_the_table_of_moves_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        MOVES[Move.CLAIM] = MOVES[Move.FINISH]  # type: ignore[index] # it is read-only
    with pytest.raises(FrozenInstanceError):
        MOVES[Move.CLAIM].new_run = True  # type: ignore[misc] # it is frozen


def test_every_state_can_be_reached_from_a_new_task() -> None:
    reached = {State.QUEUED}
    while True:
        further = {move.target for move in MOVES.values() if move.sources & reached}
        if further <= reached:
            break
        reached |= further
    assert reached == set(State)


def test_from_every_open_state_each_ended_state_can_be_reached() -> None:
    ends = {state for state in State if state.ended}
    for state in set(State) - ends:
        reached = {state}
        for _ in State:
            reached |= {move.target for move in MOVES.values() if move.sources & reached}
        assert ends <= reached


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
def test_each_state_has_ended_or_not_and_has_a_message(state: State, ended: bool, message: str) -> None:
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
