"""The database is moved, deleted or replaced under running processes, as if its disk were missing for a while."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from queue_tool.errors import StoreAway
from queue_tool.model.filter import Filter
from queue_tool.model.states import State
from queue_tool.web import create_app
from tests.support import RECOVERY, eventually
from tests.worker.faults.site import Site

GOOD = {"item": "a", "valor": 0}


def test_while_the_database_is_missing_requests_are_refused_and_no_outcome_is_lost(site: Site, tmp_path: Path) -> None:
    gate, place = tmp_path / "gate", site.runtime.settings.data_dir
    worker = site.start()
    running = site.send("hard.until", [str(gate)] * 5)
    site.await_(lambda: site.count(State.RUNNING) == len(running))
    place.rename(tmp_path / "elsewhere")
    client = create_app(site.runtime).test_client()
    refused = client.post("/api", json=[GOOD])
    assert refused.json is not None
    assert (refused.status_code, refused.json["code"]) == (503, "store_away")
    assert client.get(f"/check/{running[0]}").status_code == 200
    gate.touch()
    site.await_(lambda: "outcome delayed" in site.log)
    (tmp_path / "elsewhere").rename(place)
    sent = site.sleepers(3)
    site.await_end(RECOVERY)
    site.stop(worker)
    assert site.tokens(State.FINISHED) == {*running, *sent}
    assert site.rows("SELECT DISTINCT run, losses FROM tasks") == [(1, 0)]
    site.require_each_task_ended_once()


def test_after_the_database_is_replaced_the_new_file_is_used(site: Site, tmp_path: Path) -> None:
    path = site.runtime.store.database.path
    (before,) = site.sleepers(1)
    with site.database() as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "backup.db")])
    (after,) = site.sleepers(1)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    with pytest.raises(StoreAway):
        site.sleepers(1)
    shutil.copyfile(tmp_path / "backup.db", path)
    (then,) = site.sleepers(1)
    assert site.tokens(State.QUEUED) == {before, then}
    assert site.runtime.ask.states([before, after, then]) == [State.QUEUED, None, State.QUEUED]


def test_who_only_reads_notices_a_file_that_was_put_in_its_place(site: Site, tmp_path: Path) -> None:
    """Answers, lists and waits of this process come from the new file, though nobody here writes."""
    path, runtime = site.runtime.store.database.path, site.runtime
    (before,) = site.sleepers(1)
    with site.database() as connection:
        connection.execute("VACUUM INTO ?", [str(tmp_path / "copy.db")])
        copy = sqlite3.connect(tmp_path / "copy.db")
        copy.execute("UPDATE tasks SET state = 'finished', result = '7', finished_at = 0")
        copy.execute("UPDATE batches SET open = 0, finished_at = 0")
        copy.commit()
        copy.close()
    changes = runtime.store.changes()
    seen = changes.version()
    assert seen == changes.version()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(eventually, lambda: runtime.wait.task(before, 60))
        eventually(lambda: [each for each in threading.enumerate() if each.name == "watcher"])
        assert runtime.ask.task(before).state is State.QUEUED
        for beside in path.parent.glob(f"{path.name}-*"):
            beside.unlink()
        (tmp_path / "copy.db").replace(path)
        assert waiting.result(30) is True
    assert changes.version() != seen
    changes.close()
    assert runtime.ask.task(before).result == "7"
    assert runtime.ask.states([before]) == [State.FINISHED]
    assert [task.state for task in runtime.list(Filter()).items] == [State.FINISHED]
