"""Continuations: each way in which a batch or a task ends makes what follows, once, whoever ends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from queue_tool import Context, Filter
from queue_tool.errors import BadContinuation
from queue_tool.model import events, json_text
from queue_tool.model.batch import UNNAMED, SealedBy, Submission
from queue_tool.model.continuation import DEEPEST, MOST
from queue_tool.model.new_task import Accepted
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import MOST_LOSSES, Move, State
from queue_tool.model.task_request import DOCUMENT, Requests
from queue_tool.model.task_types import make_task_type
from queue_tool.runtime import Runtime
from queue_tool.services.bulk import PART
from queue_tool.store.holding import REOPENING
from tests.conftest import News
from tests.past_the_store import opened
from tests.runs import claim_runs
from tests.support import now

GOOD = {"item": "a", "valor": 0}

FOLLOWERS = [{"when": when, "task_type": "read", "data": when} for when in ("always", "all_finished", "any_failed")]

AFTER_SUCCESS = ["always", "all_finished"]
AFTER_FAILURE = ["always", "any_failed"]


def read(data: object, context: Context) -> list[Any]:
    """Return what the task continues, and the results of that."""
    found = [[each.index, each.status, each.item, each.result, each.error] for each in context.results()]
    return [data, context.parent_batch, context.parent, found]


async def read_async(data: object, context: Context) -> list[Any]:
    """Return what the task continues, and the results of that."""
    found = [[each.index, each.status, each.result] async for each in context.results()]
    with pytest.raises(TypeError, match="async for"):
        list(context.results())
    return [data, context.parent_batch, found]


def fails(data: object) -> None:
    """Raise a ValueError."""
    raise ValueError("as it should")


@pytest.fixture(autouse=True)
def _types(runtime: Runtime) -> None:
    for function in (read, read_async, fails):
        runtime.types.add(make_task_type(function.__name__, function))


def send(system: Runtime, task_type: str, data: Sequence[object], on_finished: object = None) -> Submission:
    return system.submit(
        list(data), system.of_type(task_type), on_finished=FOLLOWERS if on_finished is None else on_finished
    )


def tokens_of(submission: Submission) -> list[str]:
    return [element.token for element in submission.elements if isinstance(element, Accepted)]


def work(system: Runtime, tokens: Sequence[str]) -> None:
    """Run tasks as a worker does."""
    system.runner([(token, system.ask.task(token).run) for token in tokens], system.owner.id())


def finish(system: Runtime, tokens: Sequence[str]) -> None:
    """Let tasks return their data, all in two transactions."""
    runs = [(token, system.ask.task(token).run) for token in tokens]
    claimed = system.runner.record_and_claim((), runs, system.owner.id()).runs
    outcomes = [
        Outcome(token=run.task.token, run=run.task.run, move=Move.FINISH, result=run.task.data) for run in claimed
    ]
    system.runner.record_and_claim(outcomes, (), system.owner.id())


def made(system: Runtime, batch: str | None) -> list[str]:
    """Return the conditions of the continuations that a batch has made, one for each task, in the declared order."""
    assert batch is not None
    return [each.when.value for each in system.ask.batch(batch).on_finished for _ in each.tokens]


def made_by_task(system: Runtime, token: str) -> list[str]:
    return [each.when.value for each in system.ask.details(token).on_finished for _ in each.tokens]


def by_work(system: Runtime, tokens: Sequence[str]) -> None:
    work(system, tokens)


def by_cancel(system: Runtime, tokens: Sequence[str]) -> None:
    system.cancel(tokens)


def by_expiry(system: Runtime, tokens: Sequence[str]) -> None:
    with opened(system.settings.database) as connection:
        connection.execute("UPDATE tasks SET expires_at = 1")
    assert len(system.store.upkeep.expire(now(), 100).tokens) == len(tokens)


def by_losses(system: Runtime, tokens: Sequence[str]) -> None:
    """Lose the workers of tasks until they are given up, by a sweeper that knows no task types."""
    for run in range(1, MOST_LOSSES + 1):
        owner = system.owner.id()
        assert len(claim_runs(system.store, [(token, run) for token in tokens], owner, now())) == len(tokens)
        taken = system.store.runs.take_back([owner], now())
    assert len(taken.given_up) == len(tokens)


ENDS: dict[str, tuple[str, Callable[[Runtime, Sequence[str]], None], list[str]]] = {
    "finished": ("echo", by_work, AFTER_SUCCESS),
    "failed": ("fails", by_work, AFTER_FAILURE),
    "canceled": ("echo", by_cancel, AFTER_FAILURE),
    "expired": ("echo", by_expiry, AFTER_FAILURE),
    "given up": ("echo", by_losses, AFTER_FAILURE),
}
"""By kind of end: the task type, what ends the tasks, and which continuations follow."""


@pytest.mark.parametrize("kind", ENDS)
def test_each_kind_of_end_makes_the_continuations_of_the_batch_and_of_its_tasks(runtime: Runtime, kind: str) -> None:
    task_type, end, expected = ENDS[kind]
    followed = [{"task_type": task_type, "data": 1, "on_finished": FOLLOWERS}, {"task_type": task_type, "data": 2}]
    sent = runtime.submit(followed, _requests(runtime), on_finished=FOLLOWERS)
    tokens = tokens_of(sent)
    assert made(runtime, sent.batch) == made_by_task(runtime, tokens[0]) == []
    end(runtime, tokens)
    assert made(runtime, sent.batch) == made_by_task(runtime, tokens[0]) == expected
    end_again = runtime.store.upkeep.release(now())
    assert (end_again.finished, end_again.made) == ((), ())
    assert made(runtime, sent.batch) == expected


def _requests(system: Runtime) -> Any:
    return Requests(types=system.types, now=now())


def test_a_continuation_is_pushed_by_who_made_it_and_reads_the_results_in_order(
    runtime: Runtime, redis: Redis, news: News
) -> None:
    sent = send(runtime, "echo", [*range(250), GOOD], [FOLLOWERS[0], {"task_type": "read_async", "tags": ["after"]}])
    redis.flushall()
    finish(runtime, tokens_of(sent))
    plain, coroutine = (each.tokens[0] for each in runtime.ask.batch(sent.batch or "").on_finished)
    assert redis.lrange("rq:queue:default.threads", 0, -1) == [plain.encode()]
    assert redis.lrange("rq:queue:default", 0, -1) == [coroutine.encode()]
    assert [event.token for event in news.of(events.ContinuationAdded)] == [plain, coroutine]
    assert runtime.ask.details(coroutine).tags == ("after",)
    work(runtime, [plain, coroutine])
    results: list[list[Any]] = [[number, "finished", None, number, None] for number in range(250)]
    results.append([250, "finished", "a", GOOD, None])
    assert result(runtime, plain) == ["always", sent.batch, None, results]
    assert result(runtime, coroutine) == [None, sent.batch, [[each[0], each[1], each[3]] for each in results]]


def result(system: Runtime, token: str) -> Any:
    task = system.ask.task(token)
    assert task.state is State.FINISHED, task
    return json_text.loads(task.result or "null")


def test_refused_elements_are_no_failures_and_a_batch_that_is_refused_whole_is_followed_at_once(
    runtime: Runtime,
) -> None:
    whole = send(runtime, "sleep", [1, 2])
    assert made(runtime, whole.batch) == AFTER_SUCCESS
    partly = send(runtime, "sleep", [1, GOOD])
    work(runtime, tokens_of(partly))
    assert made(runtime, partly.batch) == AFTER_SUCCESS
    (always, *_) = runtime.ask.batch(partly.batch or "").on_finished
    work(runtime, always.tokens)
    refused, slept = result(runtime, always.tokens[0])[3]
    assert (refused[:2], refused[4]["code"], slept[:3]) == ([0, "rejected"], "rejected", [1, "finished", "a"])
    unbatched = runtime.submit([3], _requests(runtime), some_accepted=True, on_finished=FOLLOWERS)
    assert unbatched.is_refused_whole


def test_an_open_batch_is_followed_after_its_seal_and_one_that_is_canceled_counts_as_failed(runtime: Runtime) -> None:
    batch = runtime.open_batches.open(UNNAMED, "echo", on_finished=FOLLOWERS)
    work(runtime, tokens_of(runtime.open_batches.add(batch, 0, [1], "d")))
    assert made(runtime, batch) == []
    runtime.open_batches.seal(batch, SealedBy.REQUEST)
    runtime.open_batches.seal(batch, SealedBy.REQUEST)
    assert made(runtime, batch) == AFTER_SUCCESS
    canceled = runtime.open_batches.open(UNNAMED, "echo", on_finished=FOLLOWERS)
    runtime.open_batches.seal(canceled, SealedBy.CANCEL)
    assert made(runtime, canceled) == AFTER_FAILURE


def test_each_closing_of_a_retried_batch_is_followed_and_a_cancel_may_prevent_it(runtime: Runtime) -> None:
    sent = send(runtime, "echo", [1, 2])
    assert sent.batch is not None
    runtime.cancel.suppress(sent.batch)
    runtime.cancel.matching(Filter(batch=sent.batch), continues=False)
    assert made(runtime, sent.batch) == []
    runtime.reopen.matching(Filter(batch=sent.batch))
    work(runtime, tokens_of(sent))
    assert made(runtime, sent.batch) == AFTER_SUCCESS
    runtime.cancel.suppress(sent.batch)  # it has ended, so nothing is prevented
    again = send(runtime, "fails", [1])
    for count in (1, 2):
        work(runtime, tokens_of(again))
        assert made(runtime, again.batch) == ["always"] * count + ["any_failed"] * count
        runtime.reopen(tokens_of(again))


def test_a_batch_does_not_end_between_two_parts_of_a_bulk_retry(runtime: Runtime) -> None:
    sent = send(runtime, "echo", [1] * (PART + 1))
    assert sent.batch is not None
    tokens = tokens_of(sent)
    runtime.cancel.these(tokens)
    assert made(runtime, sent.batch) == AFTER_FAILURE
    held: set[int] = set()
    runtime.store.control.reopen(tokens[:1], now(), held)
    work(runtime, tokens[:1])
    batch = runtime.ask.batch(sent.batch)
    assert (batch.open, batch.finished_at, made(runtime, sent.batch)) == (0, None, AFTER_FAILURE)
    runtime.store.control.reopen(tokens[1:2], now(), held)  # the second part; then the retry dies
    work(runtime, tokens[1:2])
    assert runtime.store.upkeep.release(now()).finished == ()
    with opened(runtime.settings.database) as connection:
        connection.execute("UPDATE batches SET reopening_until = 1")
    assert runtime.store.upkeep.release(now() + REOPENING + timedelta(seconds=1)).finished == (sent.batch,)
    assert made(runtime, sent.batch) == ["always", "always", "any_failed", "any_failed"]

    assert runtime.reopen.these(tokens).changed == PART - 1
    finish(runtime, tokens)
    assert made(runtime, sent.batch) == ["always"] * 3 + ["all_finished"] + ["any_failed"] * 2


def test_what_a_continuation_reads_is_kept_until_it_has_ended(runtime: Runtime) -> None:
    sent = send(runtime, "echo", [1], FOLLOWERS[0])
    refused = send(runtime, "sleep", [1], FOLLOWERS[0])
    single = runtime.submit.single(1, runtime.of_type("echo"), on_finished=FOLLOWERS[0])
    tokens = [*tokens_of(sent), getattr(single, "token", "")]
    work(runtime, tokens)
    followers = [runtime.ask.batch(batch or "").on_finished[0].tokens[0] for batch in (sent.batch, refused.batch)]
    followers.append(runtime.ask.details(tokens[1]).on_finished[0].tokens[0])
    later = now() + timedelta(days=1)
    assert runtime.store.control.remove(tokens) == 0
    assert runtime.store.upkeep.forget_batches(later) == 0
    work(runtime, followers)
    assert result(runtime, followers[2])[1:] == [None, tokens[1], [[0, "finished", None, 1, None]]]
    assert runtime.store.control.remove(tokens) == 2
    assert runtime.store.upkeep.forget_batches(later) == 1
    with opened(runtime.settings.database) as connection:
        assert connection.execute("SELECT count(*) FROM continuations").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM batches").fetchone() == (0,)


def chain(length: int) -> dict[str, Any]:
    """Return a continuation that is the first of so many, one after the other."""
    task: dict[str, Any] = {"task_type": "read", "data": length}
    for number in range(length - 1, 0, -1):
        task = {"task_type": "read", "data": number, "on_finished": task}
    return task


@pytest.mark.parametrize("storage", ["sqlite"])
def test_a_chain_runs_from_its_first_task_to_its_last_one(inline: Runtime) -> None:
    inline.types.add(make_task_type("read", read))
    first = inline.submit.single("x", inline.of_type("echo"), on_finished=chain(DEEPEST))
    token = getattr(first, "token", "")
    for number in range(1, DEEPEST + 1):
        (declared,) = inline.ask.details(token).on_finished
        parent, (token,) = token, declared.tokens
        data, batch, its_parent, results = result(inline, token)
        assert (data, batch, its_parent, len(results)) == (number, None, parent, 1)
    assert inline.ask.details(token).on_finished == ()


def test_columns_are_those_of_the_request_and_a_delay_begins_with_the_end(runtime: Runtime) -> None:
    options = {"priority": "high", "timeout": 5, "max_attempts": 2, "name": "n", "custom_id": "c", "tags": ["b", "a"]}
    more = {"parameters": {"p": "\0"}, "description": "d", "expires_at": "2099-01-01T00:00:00Z", "delay": 60}
    data = [12345678901234567890, "\0", {"deep": [[[]]]}]
    more["webhook"] = "https://receiver.example/"
    properties = DOCUMENT["properties"]
    assert isinstance(properties, dict)
    kept = {*properties} - {"task_type", "data", "unique_key", "run_at", "on_finished"}
    assert {*options, *more} == kept  # a new option must be kept too
    sent = send(runtime, "echo", [1], {"task_type": "echo", "data": data} | options | more)
    assert not runtime.store.listens()
    work(runtime, tokens_of(sent))
    assert runtime.store.listens()
    (declared,) = runtime.ask.batch(sent.batch or "").on_finished
    found = runtime.ask.details(declared.tokens[0])
    assert found.state is State.SCHEDULED
    assert found.due_at == found.created_at + timedelta(seconds=60)
    assert (found.priority.value, found.timeout, found.max_attempts, found.tags) == ("high", 5, 2, ("a", "b"))
    assert (found.name, found.custom_id, found.description) == ("n", "c", "d")
    assert found.parameters == '{"p":"\\u0000"}'
    assert found.expires_at is not None
    assert found.data == '[12345678901234567890,"\\u0000",{"deep":[[[]]]}]'


WRONG: dict[str, tuple[object, str]] = {
    "no object": (3, "/on_finished"),
    "no task type": ([{"task_type": "echo"}, {"task_type": "no"}], "/on_finished/1/task_type"),
    "wrong data": ({"task_type": "sleep", "data": 3}, "/on_finished/data"),
    "wrong when": ({"task_type": "echo", "when": ["always"]}, "/on_finished/when"),
    "an unknown key": ({"task_type": "echo", "on_finish": 1}, "/on_finished"),
    "a unique key": ({"task_type": "echo", "unique_key": "k"}, "/on_finished/unique_key"),
    "too many": ([{"task_type": "echo"}] * (MOST + 1), "/on_finished"),
    "a long chain": (chain(DEEPEST + 1), "/on_finished" * (DEEPEST + 1)),
    "in a chain": ({"task_type": "echo", "on_finished": [1]}, "/on_finished/on_finished/0"),
}


@pytest.mark.parametrize("storage", ["sqlite"])
@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_follow_is_refused_when_it_is_sent_and_nothing_is_kept(runtime: Runtime, kind: str) -> None:
    value, path = WRONG[kind]
    with pytest.raises(BadContinuation) as caught:
        send(runtime, "echo", [1], value)
    assert caught.value.errors[0]["path"] == path
    with pytest.raises(BadContinuation):
        runtime.open_batches.open(UNNAMED, "echo", on_finished=value)
    (refused,) = runtime.submit([{"task_type": "echo", "on_finished": value}], _requests(runtime)).elements
    assert not isinstance(refused, Accepted)
    assert list(runtime.list(Filter()).items) == []


def test_functions_send_tasks_that_are_followed(runtime: Runtime) -> None:
    context = Context(token="", attempt=1, deadline=None, send=runtime.runner.send)
    token = context.submit(1, task_type="echo", on_finished=FOLLOWERS[0])
    batch = context.submit_many([1, 2], task_type="echo", on_finished=FOLLOWERS[0]).batch
    assert [each.when for each in runtime.ask.details(token).on_finished] == ["always"]
    assert [each.when for each in runtime.ask.batch(batch).on_finished] == ["always"]
    with pytest.raises(ValueError, match="no continuation"):
        context.results()
