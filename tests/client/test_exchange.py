"""One request: what its answer becomes, and when the client sends it again."""

from __future__ import annotations

from typing import Any

import pytest

from queue_tool import errors
from queue_tool.client.calls import Answer, Call
from queue_tool.client.exchange import LONGEST_PAUSE, Ask
from queue_tool.client.operations import Operations
from queue_tool.errors import AnswerLost, QueueToolError, ServiceAway, UnexpectedAnswer
from queue_tool.web.http.problems import STATUSES
from tests.client.scripted import answer, play, problem

ALIVE = answer({"status": "ok"})
CALL = Operations.is_alive.call()
PUSH = Operations.push_message.call("a message")
PUSHED = answer({"message": "a message", "success": True})


def known() -> Ask:
    """Return what sends calls to a service that has answered before."""
    ask = Ask()
    ask.has_answered = True
    return ask


@pytest.mark.parametrize("code", STATUSES)
def test_an_error_is_raised_as_the_class_that_the_service_raises(code: str) -> None:
    kind = errors.BY_CODE[code]
    with pytest.raises(kind) as caught:
        play(problem(kind("It went wrong."), STATUSES[code])).run(Ask(retry_for=0)(CALL))
    assert type(caught.value) is kind
    assert (str(caught.value), caught.value.request_id) == ("It went wrong.", "request-1")


def test_an_error_has_what_its_answer_says_beyond_the_sentence() -> None:
    with pytest.raises(errors.WrongStart) as caught:
        play(problem(errors.WrongStart.because(7), 409)).run(Ask()(CALL))
    assert caught.value.total == 7
    with pytest.raises(errors.TooManyStreams) as busy:
        play(problem(errors.TooManyStreams(), 503, retry_after="3")).run(Ask(retry_for=0)(CALL))
    assert busy.value.retry_after == 3


@pytest.mark.parametrize(
    "answered",
    [
        Answer(status=200, headers={}, body=b"<html>"),
        Answer(status=200, headers={}, body=b'{"status": 7}'),
        Answer(status=404, headers={}, body=b"<html>not here</html>"),
        Answer(status=302, headers={"location": "https://elsewhere.example/"}, body=b""),
        answer({"error": "no such thing"}, 418),
        Answer(status=500, headers={}, body=b""),
    ],
    ids=["a page", "another body", "a page about an error", "a redirect", "another program", "nothing"],
)
def test_what_another_program_answers_is_an_error_with_its_status(answered: Answer) -> None:
    with pytest.raises(UnexpectedAnswer) as caught:
        play(answered).run(Ask()(CALL))
    assert caught.value.status == answered.status
    assert str(caught.value).endswith(".")


def test_a_code_that_the_client_does_not_know_keeps_its_sentence() -> None:
    fields = dict.fromkeys(("type", "title", "request_id"), "x")
    with pytest.raises(UnexpectedAnswer, match=r"A new one\. \(The code of this error is newer\.\)"):
        play(
            answer({**fields, "status": 409, "code": "newer", "detail": "A new one.", "message": "A new one."}, 409)
        ).run(Ask()(CALL))


LOST, AWAY = AnswerLost(), ServiceAway()
BUSY = problem(errors.TooManyUploads(), 503, retry_after="2")
STORE_AWAY = problem(errors.StoreAway(), 503, retry_after="1")
UNKNOWN_COMMIT = problem(errors.CommitUnknown(), 503, retry_after="1")
OF_PROXY = Answer(status=502, headers={}, body=b"Bad Gateway")
BUG = problem(QueueToolError(), 500)
MISSING = problem(errors.BatchNotFound(), 404)


@pytest.mark.parametrize(
    ("failure", "call", "success"),
    [
        *((failure, CALL, ALIVE) for failure in (LOST, AWAY, BUSY, STORE_AWAY, UNKNOWN_COMMIT, OF_PROXY)),
        *((failure, PUSH, PUSHED) for failure in (AWAY, BUSY, STORE_AWAY)),
    ],
)
def test_a_request_is_repeated_if_that_is_safe(failure: Any, call: Call[Any], success: Answer) -> None:
    played = play(failure, failure, success)
    assert played.run(known()(call)) is not None
    assert played.calls == [call] * 3
    assert len(played.pauses) == 2
    assert all(pause >= float(getattr(failure, "headers", {}).get("retry-after", 0)) for pause in played.pauses)


@pytest.mark.parametrize(
    ("failure", "call"),
    [(BUG, CALL), (MISSING, CALL), *((failure, PUSH) for failure in (LOST, UNKNOWN_COMMIT, OF_PROXY))],
)
def test_a_request_is_not_repeated_if_that_could_do_something_twice_or_helps_nothing(
    failure: Any, call: Call[Any]
) -> None:
    played = play(failure)
    with pytest.raises(QueueToolError):
        played.run(known()(call))
    assert played.pauses == []


def test_the_pauses_grow_and_are_bounded() -> None:
    played = play(*[AWAY] * 20, ALIVE)
    played.run(known()(CALL))
    assert played.pauses[0] < 1
    assert played.pauses[-1] >= LONGEST_PAUSE / 2
    assert max(played.pauses) <= LONGEST_PAUSE


def test_a_service_that_has_never_answered_is_reported_at_once() -> None:
    played = play(AWAY)
    with pytest.raises(ServiceAway):
        played.run(Ask()(CALL))
    assert played.pauses == []


def test_the_time_for_repetitions_is_bounded() -> None:
    ask = known()
    ask.retry_for = 1.5
    played = play(BUSY)
    with pytest.raises(errors.TooManyUploads):
        played.run(ask(CALL))


def test_requests_with_an_idempotency_key_are_repeated_with_the_same_key() -> None:
    call = Operations.submit_tasks.call({"task_type": "echo", "data": None})
    assert call.repeatable
    assert len(call.headers["Idempotency-Key"]) >= 32
    chosen = Operations.submit_tasks.call([], idempotency_key="monday")
    assert chosen.headers["Idempotency-Key"] == "monday"
