"""Both clients against a running system: what a user does from sending to the last result."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from queue_tool import AsyncClient, Client
from queue_tool.errors import BadTask, BatchNotFound, NotSent, ServiceAway, TaskEnded, TaskNotFound
from queue_tool.model.states import State
from tests.support import System, free_port

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

FAILING = {"task_type": "simulate", "data": {"min": 0, "max": 0, "failure": 1}}


@pytest.fixture(scope="module")
def client(lasting_system: System) -> Iterator[Client]:
    """A client of the running system."""
    with Client(lasting_system.url("")) as made:
        yield made


def test_a_batch_is_sent_awaited_and_read_in_order(client: Client) -> None:
    rows = ({"item": f"row {number}", "valor": 0} for number in range(5))
    follower = {"task_type": "echo", "data": "after"}
    batch = client.submit(
        [*rows, {"item": "bad"}], task_type="sleep", name="first", metadata={"of": "a test"}, on_finished=follower
    )
    assert {event.name for event in client.events(batch=batch.id)} <= {
        "batch.progress",
        "task.finished",
        "batch.finished",
    }
    results = list(batch.wait(30).results())
    assert [result.index for result in results] == list(range(6))
    assert [result.item for result in results[:2]] == ["row 0", "row 1"]
    assert [str(result.status) for result in results] == ["finished"] * 5 + ["rejected"]
    (bad,) = batch.results(status=["rejected"])
    assert (bad.index, str(bad.error)) == (5, "rejected: 'valor' is a required property")
    assert {result.index for result in batch.as_completed(30)} == set(range(6))

    progress = batch.progress()
    assert isinstance(progress.on_finished, list)
    assert client.get_result(progress.on_finished[0].tokens[0], wait=30).result == "after"
    assert (progress.name, progress.total, progress.counts.finished, progress.rejected) == ("first", 6, 5, 1)
    assert [found.id for found in client.batches(name="first", limit=1)] == [batch.id]
    *sent, refused = batch.elements()
    assert refused.errors != []
    tokens = [element.hash for element in sent]
    assert [str(state.status) for state in client.check([*tokens, "unknown"])] == ["finished"] * 5 + ["unknown"]
    assert [task.token for task in client.tasks(batch=batch.id, limit=2)] == tokens[::-1]
    assert [task.token for task in client.ended_tasks(batch=batch.id)] == tokens[::-1]


def test_failed_tasks_are_found_retried_and_cancelled(client: Client) -> None:
    batch = client.submit([FAILING, {**FAILING, "delay": 3600, "tags": ["later"]}])
    failed, waiting = (element.hash for element in batch.elements())
    assert client.get_task_status(failed, wait=30).status is State.FAILED
    assert [task.token for task in client.dead_letters(batch=batch.id)] == [failed]
    assert client.cancel_tasks(tokens=[waiting], reason="not needed", dry_run=True).matched == 1
    with pytest.raises(TimeoutError, match="1 of its 2 elements"):
        batch.wait(0.2)
    assert (batch.cancel(by="a test").changed, client.get_task(waiting).canceled_by) == (1, "a test")
    with pytest.raises(TaskEnded):
        client.cancel_task(waiting)
    assert batch.retry().matched == 2
    assert batch.wait(30).progress().counts.failed == 2


def test_single_tasks_messages_queues_and_the_service_itself(client: Client) -> None:
    sent: Any = client.submit_tasks("hello", task_type="uppercase")
    assert client.get_result(sent.token, wait=30).result == "HELLO"
    client.push_message({"a": [None]}, queue="of the client")
    popped = client.pop_message(queue="of the client", lease=30)
    assert (popped.message, client.acknowledge_message(receipt=str(popped.receipt)).message) == (
        {"a": [None]},
        "acknowledged",
    )
    assert client.pause_queue("low").paused
    assert not client.resume_queue("low").paused
    assert "sleep" in [kind.name for kind in client.list_task_types().items]
    assert (client.is_alive().status, client.is_ready().checks.database) == ("ok", "ok")
    assert client.get_openapi()["openapi"].startswith("3.1")


def test_errors_are_those_of_the_service(client: Client) -> None:
    with pytest.raises(TaskNotFound) as caught:
        client.get_task("no/such?token")
    assert caught.value.request_id
    with pytest.raises(BatchNotFound):
        list(client.batch("unknown").results())
    with pytest.raises(BadTask) as refused:
        client.submit_tasks({"task_type": "uppercase", "data": 1})
    assert refused.value.errors[0]["path"] == "/data"
    with pytest.raises(NotSent, match="Element 1 cannot be sent"):
        client.submit([1, float("nan")], task_type="echo")
    with pytest.raises(ServiceAway, match="does not answer: Connection refused"):
        Client(f"http://127.0.0.1:{free_port()}").is_alive()


def test_a_client_outlives_the_event_loop_in_which_it_was_used(lasting_system: System) -> None:
    client = AsyncClient(lasting_system.url(""))

    async def ask() -> str:
        return (await client.is_alive()).status

    async def ask_and_close() -> str:
        async with client:
            return await ask()

    first = asyncio.run(ask())
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):  # the first loop ended with a connection
        assert (first, asyncio.run(ask_and_close())) == ("ok", "ok")
        gc.collect()


def test_the_client_for_async_programs_does_the_same(lasting_system: System) -> None:
    asyncio.run(as_an_async_program(lasting_system.url("")))


async def as_an_async_program(url: str) -> None:
    """Do what users do, with `await`."""

    async def rows() -> AsyncIterator[object]:
        for number in range(320):
            yield number

    async with AsyncClient(url) as client:
        batch, small = await asyncio.gather(
            client.submit(rows(), task_type="echo"), client.submit([FAILING], name="small")
        )
        await (await batch.wait(60)).wait()
        assert [result.result async for result in batch.results()] == list(range(320))
        assert [str(result.status) async for result in small.as_completed(30)] == ["failed"]
        assert [event.name async for event in client.events(batch=small.id)] == ["batch.progress"]
        assert (await small.progress()).counts.failed == 1
        tokens = [element.hash async for element in small.elements()]
        assert [str(state.status) async for state in client.check(tokens)] == ["failed"]
        assert [task.token async for task in client.dead_letters(batch=small.id)] == tokens
        assert (await client.get_task(tokens[0])).error is not None
        async for _ in batch.results():
            break  # the rest of the stream is not read
        with pytest.raises(TaskNotFound):
            await client.get_task("unknown")
        assert (await batch.retry()).matched == 0
        assert (await small.cancel()).matched == 0
