"""Ask: many queries for batches at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from queue_tool.errors import BatchNotFound
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import judge_of, new_batch
from queue_tool.model.states import State
from queue_tool.services.ask import Ask
from queue_tool.services.submit import make_tokens
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from tests.adding import add_to
from tests.past_the_store import rows
from tests.postgres import Cluster
from tests.support import LIMIT, eventually

pytestmark = pytest.mark.sqlite  # always on PostgreSQL, where a reader can be made to wait, so once is enough

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
def url(cluster: Cluster, migrated_template: str) -> Iterator[str]:
    name = cluster.new_database(migrated_template)
    yield cluster.url(name)
    cluster.drop(name)


def test_queries_that_come_while_one_is_answered_share_the_next_read(url: str) -> None:
    with closing(Store(Database(url))) as store, ThreadPoolExecutor(41) as threads:
        sizes = {}
        for size in (1, 2, 3):
            batch = new_batch(
                [{"item": "a", "valor": 0}] * size, judge_of(sleep_type(60)), make_tokens(size + 1, NOW), NOW
            )
            add_to(store, batch)
            sizes[batch.id] = size
        unknown = make_tokens(1, NOW)[0]
        ask = Ask(store=store)
        wanted = [*sizes, unknown] * 10
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE batches")
            first = threads.submit(ask.batch, wanted[0])
            eventually(lambda: rows(url, _BLOCKED) == [(1,)])
            later = [(id_, threads.submit(ask.batch, id_)) for id_ in wanted]
            eventually(lambda: ask.waiting == len(wanted))
            assert rows(url, _BLOCKED) == [(1,)]
        assert first.result(LIMIT).counts[State.QUEUED] == sizes[wanted[0]]
        for id_, found in later:
            if id_ == unknown:
                with pytest.raises(BatchNotFound):
                    found.result(LIMIT)
            else:
                assert found.result(LIMIT).counts == dict.fromkeys(State, 0) | {State.QUEUED: sizes[id_]}
