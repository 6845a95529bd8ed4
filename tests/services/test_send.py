"""Send: what a function sees while the database is away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from queue_tool import Context, Filter
from queue_tool.errors import StoreAway
from queue_tool.model.states import State
from queue_tool.runtime import Runtime
from queue_tool.services.send import Send
from queue_tool.services.submitter import Submitter
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from tests.past_the_store import locked

DATA = {"item": "a", "valor": 0}


class Between(threading.Event):
    """The event `canceled` of a context, on which a sending waits between two tries. The wait frees the database."""

    def __init__(self, database: ExitStack) -> None:
        """Free this database."""
        super().__init__()
        self._database = database
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        """Free the database, and return at once whether the event is set."""
        self.waits += 1
        self._database.close()
        return self.is_set()


@pytest.fixture
def send(runtime: Runtime) -> Iterator[Send]:
    """The sender of a worker that waits a tenth of a second for a locked database."""
    store = Store(Database(runtime.settings.database, timeout=0.1))
    submit = runtime.submit
    patient = Submitter(store, runtime.broker, runtime.clock, 0)
    yield Send(
        submit=type(submit)(
            store=store,
            broker=submit.broker,
            telemetry=submit.telemetry,
            clock=submit.clock,
            submitter=patient,
            max_batch=submit.max_batch,
            filling=submit.filling,
            types=runtime.types,
            follow=submit.follow,
        ),
        types=runtime.types,
        clock=runtime.clock,
    )
    store.close()


@pytest.mark.parametrize("is_canceled", [False, True])
def test_a_sending_is_tried_again_while_the_database_is_away_unless_its_task_is_canceled(
    runtime: Runtime, send: Send, is_canceled: bool
) -> None:
    with ExitStack() as database:
        database.enter_context(locked(runtime.settings.database))
        canceled = Between(database)
        context = Context(token="", attempt=1, deadline=None, canceled=canceled, send=send)
        if is_canceled:
            canceled.set()

        if is_canceled:
            with pytest.raises(StoreAway):
                context.submit(DATA, task_type="sleep")
        else:
            assert runtime.ask.task(context.submit(DATA, task_type="sleep")).state is State.QUEUED
        assert canceled.waits == 1


def test_a_sending_that_is_not_awaited_sends_nothing_and_python_warns(runtime: Runtime) -> None:
    context = Context(token="", attempt=1, deadline=None, send=runtime.runner.send)

    async def forgets() -> None:
        context.submit(DATA, task_type="sleep")

    with pytest.warns(RuntimeWarning, match=r"coroutine 'context\.submit' was never awaited"):
        asyncio.run(forgets())
    assert list(runtime.list(Filter()).items) == []
