"""pgbouncer between the processes and PostgreSQL: clients share its sessions, and everything works as without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pooler
from tests.conftest import RuntimeFactory, application
from tests.past_the_store import rows
from tests.postgres import Cluster
from tests.support import System, eventually, http, items, tokens

pytestmark = pytest.mark.sqlite  # always on PostgreSQL, so once is enough


@pytest.fixture
def pooled(cluster: Cluster, migrated_template: str) -> Iterator[dict[str, str]]:
    """The URL of a database in each mode of pgbouncer, and without it."""
    where = pooler.program()
    if where is None:
        pytest.skip("no pgbouncer on this machine")
    name = cluster.new_database(migrated_template)
    with pooler.pooler(cluster, name, where) as urls:
        yield urls | {"none": cluster.url(name)}
    cluster.drop(name)


@pytest.fixture
def system(tmp_path: Path, pooled: dict[str, str]) -> Iterator[System]:
    made = System(tmp_path, settings={"DATABASE_URL": pooled["transaction"], "WORKERS": "2"})
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


def test_a_whole_system_works_through_a_pooler_whose_sessions_change_with_each_transaction(
    system: System, pooled: dict[str, str]
) -> None:
    sent = [token for _ in range(10) for token in tokens(system.post(items(50, valor=0.01)))]
    batches = system.url("/check")

    def all_finished() -> bool:
        results = http("POST", batches, {"tokens": sent}).json["results"]
        return all(result["status"] == "finished" for result in results)

    eventually(all_finished)
    assert http("GET", system.url("/health/ready")).status == 200
    assert rows(pooled["none"], "SELECT count(*), max(run), max(losses) FROM tasks") == [(500, 1, 0)]
    assert "prepared statement" not in system.log
    assert "child died" not in system.log
    assert system.stop() == 0


@pytest.mark.parametrize("mode", pooler.MODES)
def test_the_settings_of_a_transaction_do_not_reach_other_clients(
    pooled: dict[str, str], make_runtime: RuntimeFactory, mode: str
) -> None:
    client = application(make_runtime(DATABASE_URL=pooled[mode])).test_client()
    for _ in range(20):
        (sent,) = client.post("/api", json=items(1)).get_json()["processing_items"]
        assert client.get(f"/check/{sent['hash']}").get_json()["status"] == "finished"
    seen = [rows(pooled[mode], "SELECT current_setting('lock_timeout')") for _ in range(8)]
    assert seen == [[("0",)]] * 8
