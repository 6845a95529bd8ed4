"""Submit, on a real store and a real Valkey."""

from __future__ import annotations

import threading

import pytest
from redis import Redis
from rq import Queue

from queue_tool.errors import BadTaskType
from queue_tool.model import events
from queue_tool.model.batch import IdempotencyKey, Refused, Submission
from queue_tool.model.new_task import Accepted
from queue_tool.model.states import State
from queue_tool.runtime import Runtime
from tests.conftest import News, RuntimeFactory
from tests.support import free_port

GOOD = {"item": "a", "valor": 0}


def submit(runtime: Runtime, *elements: object, key: str | None = None) -> Submission:
    idempotency = IdempotencyKey(scope="", key=key, digest=repr(elements)) if key else None
    return runtime.submit(elements, runtime.of_type("sleep"), idempotency)


def tokens(submission: Submission) -> list[str]:
    return [element.token for element in submission.elements if isinstance(element, Accepted)]


def test_valid_elements_become_tasks_with_tickets_and_invalid_ones_are_refused(runtime: Runtime, redis: Redis) -> None:
    submission = submit(runtime, GOOD, {"item": "b"}, 3, GOOD)
    assert [isinstance(element, Refused) for element in submission.elements] == [False, True, True, False]
    assert [element.index for element in submission.elements] == [0, 1, 2, 3]
    assert Queue("default", connection=redis).job_ids == tokens(submission)


def test_an_empty_submission_makes_no_batch(runtime: Runtime) -> None:
    assert submit(runtime).batch is None
    assert runtime.ask.totals().batches == 0


def test_a_pushed_batch_is_not_pushed_again(runtime: Runtime) -> None:
    submit(runtime, GOOD)
    runtime.sweep()()
    assert runtime.broker.queued() == {ticket.id for ticket in runtime.store.tickets.waiting().tickets}


def test_without_redis_the_push_is_postponed(make_runtime: RuntimeFactory, news: News) -> None:
    runtime = make_runtime(REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    submission = submit(runtime, GOOD)
    assert [runtime.ask.task(token).state for token in tokens(submission)] == [State.QUEUED]
    assert len(news.of(events.PushPostponed)) == 1


def test_concurrent_submissions_with_one_idempotency_key_make_one_batch(runtime: Runtime) -> None:
    answers: list[Submission] = []
    threads = [threading.Thread(target=lambda: answers.append(submit(runtime, GOOD, 7, key="k"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert {answer.batch for answer in answers} == {answers[0].batch}
    assert {tuple(getattr(element, "token", element) for element in answer.elements) for answer in answers} == {
        tuple(getattr(element, "token", element) for element in answers[0].elements)
    }
    assert runtime.ask.totals().batches == 1


def test_a_system_opened_in_a_with_block_is_closed_at_its_end(make_runtime: RuntimeFactory) -> None:
    with make_runtime() as system:
        # The inline broker runs the task, so this process registers as a worker.
        assert len(system.submit([1], system.of_type("echo")).elements) == 1
        assert len(system.store.workers.all()) == 1
    assert make_runtime().store.workers.all() == []


def test_the_error_for_an_unknown_task_type_names_it(runtime: Runtime) -> None:
    with pytest.raises(BadTaskType, match=r"^There is no task type 'dance'\. Use one of these: .*\bsleep\b"):
        runtime.of_type("dance")
