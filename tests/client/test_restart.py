"""The service is killed and started again while a client fills an open batch: nothing is lost, nothing is doubled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_tool import Client
from queue_tool.client.sending import Sent
from tests.client.losing import losing
from tests.conftest import prepared_database
from tests.support import System

pytestmark = pytest.mark.sqlite  # the same requests reach both databases

COUNT = 20_000


@pytest.fixture
def system(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[System]:
    """A system that only takes tasks."""
    made = System(tmp_path, settings={"WORKERS": "0"} | prepared_database(request, tmp_path))
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


REQUESTS = (
    *(b"POST /tasks", b"POST /batches HTTP", b"POST /batches/", b"POST /batches/", b"GET /batches/"),
    *(b"GET /batches?", b"POST /check"),
)
"""The beginnings of requests of which the client gets no answer at first."""


def test_a_client_that_loses_answers_and_a_service_that_is_killed_have_every_element_once(system: System) -> None:
    def rows() -> Iterator[dict[str, object]]:
        for number in range(COUNT):
            if number == COUNT - 5_000:
                system.kill_all()
                system.begin()
            yield {"item": str(number), "valor": 0}

    told: list[Sent] = []
    with losing(system.port) as proxy, Client(proxy.url) as client:
        client.is_alive()
        proxy.lose(*REQUESTS)
        small = client.submit(["a", "b"], task_type="uppercase")
        batch = client.submit(rows(), task_type="sleep", on_sent=told.append)
        assert [(sent.total, sent.is_complete) for sent in told] == [(10_001, False), (COUNT, False), (COUNT, True)]
        assert [result.item for result in batch.results()] == [str(number) for number in range(COUNT)]
        progress = batch.progress()
        assert (progress.total, progress.accepted, progress.sealed) == (COUNT, COUNT, True)
        assert [found.id for found in client.batches()] == [batch.id, small.id]
        tokens = [element.hash for element in small.elements()]
        assert [str(state.status) for state in client.check(tokens)] == ["queued"] * 2
        assert proxy.has_lost_all
        assert client.submit([], resume=batch.id).progress() == progress
