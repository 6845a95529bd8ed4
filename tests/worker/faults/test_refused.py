"""A value that the database refuses: only its own task fails, and the worker continues."""

from __future__ import annotations

from pathlib import Path

from queue_tool.model.states import Code, State
from queue_tool.services.one_by_one import REFUSED
from tests.past_the_store import refuse
from tests.worker.faults.site import Site

CONDITION = " OR ".join(
    (
        "NEW.result = '\"a word\"'",
        "NEW.error LIKE '%Mine: a word'",
        "NEW.note = 'halfway'",
        "(NEW.state = 'running' AND NEW.task_type = 'hard.killer')",
    )
)


def test_a_refused_outcome_note_or_claim_affects_only_its_own_task(site: Site, tmp_path: Path) -> None:
    refuse(site.url, CONDITION)
    (tmp_path / "gate").touch()
    (tmp_path / "gate end").touch()
    (never,) = site.send("hard.killer", [0])
    healthy = site.send("hard.loop", ["before"] * 5)
    refused = site.send("hard.loop", ["a word", "mine"]) + site.send("hard.thread", ["a word"])
    healthy += site.send("hard.loop", ["after"] * 5) + site.send("hard.reports", [str(tmp_path / "gate")])
    worker = site.start()
    site.await_end_of([*healthy, *refused])
    assert {(site.task(token).state, site.task(token).code, site.task(token).error) for token in refused} == {
        (State.FAILED, Code.BAD_RESULT, REFUSED)
    }
    assert {site.task(token).state for token in healthy} == {State.FINISHED}
    assert site.task(never).state is State.QUEUED
    site.runtime.cancel([never], by="", reason="")
    site.stop(worker)
    assert "the test refuses it" in site.whole_log
    site.require_each_task_ended_once()
    assert site.rows("SELECT DISTINCT run, attempt, losses FROM tasks") == [(1, 1, 0)]
