"""Receive: what becomes of AMQP messages, without RabbitMQ."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from queue_tool.errors import StoreAway
from queue_tool.model.filter import Filter
from queue_tool.model.incoming import Incoming
from queue_tool.model.queues import Priority
from queue_tool.runtime import Runtime
from queue_tool.services.receive import Handled, Later, Outcome, outcome_of
from tests.conftest import RuntimeFactory
from tests.ingest.consuming import receive_of

GOOD = {"item": "a", "valor": 0}
TASK = {"task_type": "echo", "data": 1}


def message(body: object, **properties: Any) -> Incoming:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(**{"queue": "work", "body": text} | properties)


def receive(runtime: Runtime, *messages: Incoming) -> list[Outcome]:
    return receive_of(runtime)(messages)


def answer(outcome: Outcome) -> Any:
    assert isinstance(outcome, Handled)
    assert outcome.refusal is None
    return json.loads(outcome.answer)


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, Handled)
    assert outcome.refusal is not None
    return outcome.refusal.code


def test_batches_single_tasks_and_lines_are_stored_together_in_their_order(runtime: Runtime) -> None:
    lines = b"\n".join(json.dumps(TASK | {"data": number}).encode() for number in range(2))
    batch, single, by_line, bare, empty = map(
        answer,
        receive(
            runtime,
            message([GOOD, 7], type="sleep", headers={"name": "mine", "metadata.team": "b", "priority": "high"}),
            message(TASK | {"custom_id": "c"}),
            message(lines, content_type="application/jsonl; charset=utf-8"),
            message("text", headers={"task_type": "reverse_text"}),
            message([]),
        ),
    )
    stored = runtime.ask.batch(batch["batch"])
    assert (stored.accepted, stored.rejected, stored.label.name, stored.label.metadata) == (1, 1, "mine", {"team": "b"})
    assert [element["hash"] == "INVALID_JOB_REQUEST" for element in batch["processing_items"]] == [False, True]
    assert runtime.ask.details(batch["processing_items"][0]["hash"]).priority is Priority.HIGH
    assert (single["task_type"], single["status"], single["custom_id"]) == ("echo", "queued", "c")
    assert len(by_line["processing_items"]) == 2
    assert bare["task_type"] == "reverse_text"
    assert empty["processing_items"] == []
    tokens = [batch["processing_items"][0]["hash"], single["token"], by_line["processing_items"][0]["hash"]]
    listed = [task.token for task in runtime.list(Filter(), 10, None).items]
    assert [token for token in reversed(listed) if token in tokens] == tokens
    assert len(runtime.broker.queued()) == 5


@pytest.mark.parametrize("redelivered", [False, True])
def test_the_same_message_id_gets_the_same_answer_and_its_work_is_stored_once(
    runtime: Runtime, redelivered: bool
) -> None:
    first = [message([GOOD, 7], type="sleep", message_id="a"), message(TASK, message_id="b")]
    again = [replace(each, redelivered=redelivered) for each in first]
    answers = [answer(outcome) for outcome in receive(runtime, *first, *([] if redelivered else again))]
    answers += [answer(outcome) for outcome in receive(runtime, *again)]
    assert answers[0::2] == [answers[0]] * len(answers[0::2])
    assert answers[1::2] == [answers[1]] * len(answers[1::2])
    assert (runtime.ask.totals().batches, len(runtime.broker.queued())) == (1, 2)
    other_queue, other_body = receive(
        runtime, replace(first[1], queue="other"), message(TASK | {"data": 2}, message_id="b")
    )
    assert answer(other_queue)["token"] != answers[1]["token"]
    assert reason(other_body) == "idempotency_key_reused"


REFUSED = {
    "malformed_json": [
        message(b'[{"item": NaN}]'),
        message(b"", message_id="m"),
        message(b"1\n[", content_type="application/x-ndjson"),
    ],
    "unsupported_media_type": [message(TASK, content_type="text/plain"), message(TASK, content_encoding="gzip")],
    "bad_request": [message(7), message("text")],
    "bad_task": [
        message([7, GOOD], headers={"metadata.a": "b"}),
        message([{"item": 1}], type="sleep", message_id="n"),
        message({"task_type": "unknown", "data": 1}),
    ],
    "bad_parameter": [
        message(TASK, headers={"name": "a"}),
        message(TASK, headers={"priority": "high"}),
        message(GOOD, type="sleep", headers={"priority": "urgent"}),
        message([TASK], headers={"name": 7}),
        message([TASK], headers={"metadata.x": "\0"}),
        message([TASK], type="unknown"),
    ],
    "bad_continuation": [message([TASK], headers={"on_finished": text}) for text in ("{", "[1]")],
    "bad_webhook": [message([TASK], headers={"webhook": "no address"})],
    "bad_idempotency_key": [message(TASK, headers={"idempotency_key": "x" * 256})],
    "too_many_items": [message([GOOD] * 4, type="sleep")],
    "body_too_large": [message("x" * 2000, type="echo")],
    "too_many_waiting": [message([GOOD] * 3, type="sleep")],
}  # fmt: skip


def test_what_is_refused_whole_says_why_and_the_others_of_its_group_are_stored(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime(MAX_BATCH="3", MAX_BODY="1000", MAX_WAITING="2", REDIS_URL="redis://127.0.0.1:1")
    messages = [each for group in REFUSED.values() for each in group]
    *refused, good = receive(runtime, *messages, message(TASK))
    expected = [code for code, group in REFUSED.items() for _ in group]
    assert [reason(outcome) for outcome in refused] == expected
    for outcome in refused:
        assert isinstance(outcome, Handled)
        told = json.loads(outcome.answer)
        assert told.get("code", "bad_task") == reason(outcome)
    assert answer(good)["status"] == "queued"
    assert runtime.ask.totals().batches == 0


def test_a_refusal_lists_where_the_elements_are_wrong(runtime: Runtime) -> None:
    (outcome,) = receive(runtime, message([GOOD | {"valor": "x"}, {"item": 3, "valor": 0}], type="sleep"))
    assert isinstance(outcome, Handled)
    assert outcome.refusal is not None
    assert [error["path"] for error in outcome.refusal.errors] == ["/0/valor", "/1/item"]


def test_what_cannot_be_stored_now_is_no_refusal(make_runtime: RuntimeFactory) -> None:
    runtime = make_runtime(MAX_WAITING="1", REDIS_URL="redis://127.0.0.1:1")
    first, second = receive(runtime, message(TASK), message(TASK))
    assert answer(first)
    assert isinstance(second, Later)
    assert isinstance(outcome_of(StoreAway()), Later)
    runtime.cancel([answer(first)["token"]])
    assert answer(receive(runtime, message(TASK))[0])


def test_a_bug_with_one_message_is_logged_and_does_not_stop_the_others(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Incoming(queue="work", body=None)  # type: ignore[arg-type] # the bug
    bug, good = receive(runtime, broken, message(TASK))
    assert reason(bug) == "internal_error"
    assert "Traceback" in caplog.text
    assert answer(good)


def test_what_follows_a_batch_is_kept(runtime: Runtime) -> None:
    headers = {"on_finished": json.dumps({"task_type": "echo", "data": 1})}
    (outcome,) = receive(runtime, message([TASK], headers=headers))
    stored = runtime.ask.batch(answer(outcome)["batch"])
    assert [follower.task_type for follower in stored.on_finished] == ["echo"]
