"""Tasks that fail and are retried, in each lane, by our worker and by RQ's own."""

from __future__ import annotations

import pytest

from queue_tool.model.states import Code, State
from tests.runs import attempts_of
from tests.worker.tools.place import ALL, LANES, Place


def attempts(place: Place, token: str) -> list[tuple[int, str]]:
    """Return the number and the error code of each stored attempt of a task."""
    return [(attempt.attempt, attempt.code) for attempt in attempts_of(place.runtime.store, token)]


@pytest.mark.parametrize("lane", [LANES[0], *(pytest.param(lane, marks=pytest.mark.sqlite) for lane in LANES[1:])])
def test_in_each_lane_a_failed_attempt_is_retried_as_its_type_and_error_require(place: Place, lane: str) -> None:
    place.start(TASKS=ALL)
    ways = [("error", 2), ("error", 9), ("never", 1), ("retry", 2), ("retry", 9), ("abort", 1)]
    sent = place.send(f"behaves.{lane}", [{"how": how, "fails": fails} for how, fails in ways])
    place.await_end()
    twice, always, never, asked, asked_always, aborted = map(place.task, sent)
    for task in (twice, asked):
        assert (task.state, task.attempt, task.result) == (State.FINISHED, 3, '"attempt 3"')
        assert attempts(place, task.token) == [(1, "error"), (2, "error")]
    for task in (always, asked_always):
        assert (task.state, task.attempt, task.code) == (State.FAILED, 3, Code.ERROR)
        assert attempts(place, task.token) == [(1, "error"), (2, "error"), (3, "error")]
    assert (never.attempt, never.code, never.error) == (1, Code.ERROR, "KeyError: 'never again'")
    assert (aborted.attempt, aborted.code) == (1, Code.ABORTED)
    assert aborted.error is not None
    assert aborted.error == "no use"
    place.require_each_task_ended_once()


@pytest.mark.sqlite  # tests/services keeps and reopens attempts on both databases
def test_a_failed_attempt_is_stored_with_its_traceback_worker_and_times(place: Place) -> None:
    place.start()
    (token,) = place.send("behaves.threads", [{"how": "error", "fails": 1}])
    place.await_end()
    (attempt,) = attempts_of(place.runtime.store, token)
    assert (attempt.attempt, attempt.run) == (1, 1)
    assert attempt.error is not None
    assert attempt.error.endswith("NotToday: not today")
    assert "in behave" in attempt.traceback
    assert attempt.worker.startswith("worker ")
    assert attempt.started_at is not None
    assert attempt.started_at <= attempt.ended_at


@pytest.mark.sqlite  # tests/services keeps and reopens attempts on both databases
def test_an_attempt_that_timed_out_is_retried(place: Place) -> None:
    place.start()
    once, twice = place.send("hurries", [60, 0])
    place.await_end()
    assert (place.task(once).state, place.task(once).result) == (State.FINISHED, "2")
    assert attempts(place, once) == [(1, "timeout")]
    assert attempts(place, twice) == []


@pytest.mark.sqlite  # tests/services keeps and reopens attempts on both databases
def test_a_worker_that_does_not_know_a_type_leaves_it_to_one_that_does(place: Place) -> None:
    tokens = place.send("behaves.loop", [{"how": "error", "fails": 0}])
    first = place.start(TASKS="", MAX_ATTEMPTS="2")
    place.await_(lambda: place.count(State.SCHEDULED))
    place.stop(first)
    assert attempts(place, tokens[0]) == [(1, "unknown_task_type")]
    with place.database() as connection:
        connection.execute("UPDATE tasks SET due_at = 0")  # as if its backoff had passed
    place.start()
    place.await_end()
    assert (place.task(tokens[0]).state, place.task(tokens[0]).attempt) == (State.FINISHED, 2)


@pytest.mark.sqlite  # tests/services keeps and reopens attempts on both databases
def test_tasks_under_an_rq_worker_are_retried_too(place: Place) -> None:
    place.start_rq("-S", "json", "default", "default.threads", kind="rq.worker.SimpleWorker")
    tokens = place.send("behaves.threads", [{"how": "error", "fails": 2}, {"how": "abort", "fails": 2}])
    place.await_end()
    assert [place.task(token).state for token in tokens] == [State.FINISHED, State.FAILED]
    assert attempts(place, tokens[0]) == [(1, "error"), (2, "error")]


@pytest.mark.sqlite  # tests/services keeps and reopens attempts on both databases
def test_a_reopened_task_has_all_its_attempts_again(place: Place) -> None:
    place.start()
    (token,) = place.send("behaves.loop", [{"how": "error", "fails": 5}])
    place.await_end()
    assert place.task(token).attempt == 3
    place.runtime.reopen([token])
    place.await_end()
    assert (place.task(token).state, place.task(token).attempt) == (State.FINISHED, 6)
    assert attempts(place, token) == [(number, "error") for number in range(1, 6)]
