"""From SQLite to PostgreSQL: stop the service, copy its database, and start it again with the same tickets."""

from __future__ import annotations

import pytest

from queue_tool.model.states import State
from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from tests.postgres import Cluster
from tests.support import PROGRAM, System, eventually, http, items, run_command, tokens


def statuses(system: System, wanted: list[str]) -> set[str]:
    answer = http("POST", system.url("/check"), {"tokens": wanted})
    return {result["status"] for result in answer.json["results"]}


@pytest.mark.sqlite
def test_every_token_is_known_after_the_copy_and_queued_tasks_are_run(stopped_system: System, cluster: Cluster) -> None:
    system = stopped_system
    system.settings |= {"CONCURRENCY": "2", "DRAIN": "0"}
    system.start()
    done = tokens(system.post([*items(5), {"item": "bad"}]))[:5]
    system.await_status(done[4], "finished")
    before = [system.check(token) for token in done]
    waiting = tokens(system.post(items(6, valor=1)))
    system.await_status(waiting[0], "running")
    assert system.stop() == 0

    url = cluster.url(cluster.new_database())
    copied = run_command("db", "copy", url, cwd=system.directory, program=PROGRAM)
    assert copied.returncode == 0, copied.stderr
    (system.directory / "instance" / "queue_tool.db").rename(system.directory / "old.db")
    store = Store(Database(url))
    assert State.QUEUED in store.tasks.states(waiting).values()
    store.close()

    system.settings = {"DATABASE_URL": url}
    system.start()
    assert [system.check(token) for token in done] == before
    (new,) = tokens(system.post(items(1)))
    eventually(lambda: statuses(system, [*waiting, new]) == {"finished"})
