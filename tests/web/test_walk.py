"""A random sequence of requests and worker steps: every route must agree with a model in memory."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move
from tests.support import now
from tests.web.site import Site

STEPS = 50
LIVE = ("scheduled", "queued", "running")
OVER = ("failed", "canceled")
QUEUES = {"high": "high", "normal": "default", "low": "low"}


@dataclass
class Task:
    """The expected state of a task."""

    batch: str | None
    priority: str
    state: str
    run: int = 1


@dataclass
class Walk:
    """The service and the model; each step changes both."""

    site: Site
    chance: random.Random
    tasks: dict[str, Task] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)  # the number of refused elements, by batch
    paused: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def some(self, count: int = 4, *states: str) -> list[str]:
        """Return some of the tasks in these states."""
        known = [token for token, task in self.tasks.items() if not states or task.state in states]
        return self.chance.sample(known, min(len(known), count))

    def options(self) -> dict[str, Any]:
        """Return the options of a new task."""
        return {"priority": self.chance.choice(list(QUEUES))} | self.chance.choice([{}, {}, {"delay": 60}])

    def expect(self, tokens: Sequence[str], sent: Sequence[dict[str, Any]], batch: str | None) -> None:
        """Add new tasks to the model."""
        for token, options in zip(tokens, sent, strict=True):
            state = "scheduled" if "delay" in options else "queued"
            self.tasks[token] = Task(batch=batch, priority=options["priority"], state=state)

    def change(self, tokens: Sequence[str], sources: Sequence[str], target: str) -> int:
        """In the model, move the tasks whose state is one of `sources` to `target`; return how many."""
        moved = [task for token in tokens if (task := self.tasks[token]).state in sources]
        for task in moved:
            task.state = target
            task.run += target == "queued"
        return len(moved)

    # -- requests ------------------------------------------------------------------------------------------

    def send_one(self) -> None:
        options = self.options()
        self.expect([self.site.send(**options)], [options], None)

    def send_many(self) -> None:
        sent = [self.options() for _ in range(self.chance.randint(0, 5))]
        bad = self.chance.randint(0 if sent else 1, 2)
        if not sent:
            assert self.site.post("/tasks", [{"name": 1}] * bad).status_code == 422  # nothing is kept
            return
        batch, tokens = self.site.batch(*sent, *[{"name": 1}] * bad)
        self.batches[batch] = bad
        self.expect(tokens[: len(sent)], sent, batch)

    def cancel_one(self) -> None:
        for token in self.some(1):
            ended = self.change([token], LIVE, "canceled")
            assert self.site.post(f"/tasks/{token}/cancel").status_code == (200 if ended else 409)

    def retry_one(self) -> None:
        for token in self.some(1):
            path = "deadletter" if self.tasks[token].state == "failed" else "tasks"
            reopened = self.change([token], OVER, "queued")
            assert self.site.post(f"/{path}/{token}/retry").status_code == (200 if reopened else 409)

    def cancel_by_tokens(self) -> None:
        self.many(
            "/tasks/cancel", {"tokens": (tokens := self.some())}, len(tokens), self.change(tokens, LIVE, "canceled")
        )

    def retry_by_tokens(self) -> None:
        self.many("/tasks/retry", {"tokens": (tokens := self.some())}, len(tokens), self.change(tokens, OVER, "queued"))

    def cancel_by_filter(self) -> None:
        wanted, matching = self.filter()
        changed = self.change(matching, LIVE, "canceled")
        self.many("/tasks/cancel", {"filter": wanted}, changed, changed)

    def retry_by_filter(self) -> None:
        wanted, matching = self.filter()
        changed = self.change(matching, OVER, "queued")
        self.many("/tasks/retry", {"filter": wanted}, changed, changed)

    def filter(self) -> tuple[dict[str, str], list[str]]:
        """Return a filter, and the tasks that it must match."""
        priority, state = self.chance.choice(list(QUEUES)), self.chance.choice([*LIVE, *OVER, "finished"])
        matching = [token for token, task in self.tasks.items() if (task.priority, task.state) == (priority, state)]
        return {"priority": priority, "status": state}, matching

    def cancel_batch(self) -> None:
        for batch in self.chance.sample(sorted(self.batches), min(1, len(self.batches))):
            changed = self.change(self.of(batch), LIVE, "canceled")
            self.many(f"/batches/{batch}/cancel", None, changed, changed)

    def retry_batch(self) -> None:
        for batch in self.chance.sample(sorted(self.batches), min(1, len(self.batches))):
            changed = self.change(self.of(batch), OVER, "queued")
            self.many(f"/batches/{batch}/retry", None, changed, changed)

    def retry_dead_letters(self) -> None:
        changed = self.change(list(self.tasks), ["failed"], "queued")
        self.many("/deadletter/retry", None, changed, changed)

    def purge(self) -> None:
        unfinished = {task.batch for task in self.tasks.values() if task.state in LIVE} - {None}
        gone = [token for token, task in self.tasks.items() if task.state == "failed" and task.batch not in unfinished]
        assert self.site.client.delete("/deadletter?older_than=0").json == {"removed": len(gone)}
        touched = {self.tasks.pop(token).batch for token in gone} - {None}
        for batch in touched:
            if batch is not None and not self.batches[batch] and not self.of(batch):
                del self.batches[batch]
                assert self.site.get(f"/batches/{batch}").status_code == 404

    def pause(self) -> None:
        priority = self.chance.choice(list(QUEUES))
        self.site.post_json(f"/queue/{QUEUES[priority]}/pause")
        self.paused.add(priority)

    def resume(self) -> None:
        priority = self.chance.choice(list(QUEUES))
        self.site.post_json(f"/queue/{QUEUES[priority]}/resume")
        self.paused.discard(priority)

    def many(self, path: str, body: object, matched: int, changed: int) -> None:
        assert self.site.post_json(path, body) == {"matched": matched, "changed": changed}

    # -- workers and time ----------------------------------------------------------------------------------

    def worker_step(self) -> None:
        """Let a worker settle runs and claim others; some of its outcomes are for tasks that no longer run."""
        owner, runtime = self.site.runtime.owner.id(), self.site.runtime
        ends = {
            Move.FINISH: "finished",
            Move.FAIL: "failed",
            Move.RETRY_LATER: "scheduled",
            Move.PUT_BACK: "queued",
            Move.RESIGN: "queued",
        }
        moves = {token: self.chance.choice(list(ends)) for token in self.some(3, "running") + self.some(1)}
        outcomes = [
            Outcome(
                token=token,
                run=self.tasks[token].run,
                move=move,
                result="1" if move is Move.FINISH else None,
                code=Code.ERROR if move in (Move.FAIL, Move.RETRY_LATER) else None,
                due_at=now() + timedelta(minutes=1) if move is Move.RETRY_LATER else None,
            )
            for token, move in moves.items()
        ]
        claims = [(token, self.tasks[token].run) for token in self.some(4, *LIVE, *OVER) if token not in moves]
        claims += [(token, run + 1) for token, run in claims[:1]]  # a run that does not exist
        changes = runtime.store.runs.settle_and_claim(outcomes, claims, owner, now())
        settled = {token for token in moves if self.tasks[token].state == "running"}
        assert changes.settled.tokens == settled
        for token in settled:
            self.tasks[token].state = ends[moves[token]]
            self.tasks[token].run += moves[token] in (Move.RETRY_LATER, Move.PUT_BACK, Move.RESIGN)
        expected = {
            token
            for token, run in claims
            if (task := self.tasks[token]).state == "queued" and task.priority not in self.paused and task.run == run
        }
        assert {task.token for task in changes.claimed} == expected
        for token in expected:
            self.tasks[token].state = "running"

    def time_passes(self) -> None:
        self.site.let_time_pass(timedelta(minutes=5))
        for task in self.tasks.values():
            task.state = "queued" if task.state == "scheduled" else task.state

    # -- comparison with the model -------------------------------------------------------------------------

    def of(self, batch: str) -> list[str]:
        """Return the tasks of a batch."""
        return [token for token, task in self.tasks.items() if task.batch == batch]

    def check(self) -> None:
        """Compare the routes' answers with the model."""
        expected = {token: task.state for token, task in self.tasks.items()}
        listed = {task["token"]: task["status"] for task in self.site.pages("/tasks", 50)}
        assert listed == expected
        self.seen |= set(listed.values())
        asked = self.site.post_json("/check", {"tokens": list(expected)})["results"]
        assert {result["hash"]: result["status"] for result in asked} == expected
        assert all((result["message"] == "Finalizado") == (result["status"] not in LIVE) for result in asked)
        assert {batch["id"] for batch in self.site.get_json("/batches?limit=1000")["items"]} == set(self.batches)
        for batch, rejected in self.batches.items():
            self.check_batch(batch, rejected)
        queues = {queue["priority"]: queue for queue in self.site.get_json("/queue")["queues"]}
        for priority, queue in queues.items():
            mine = Counter(task.state for task in self.tasks.values() if task.priority == priority)
            assert (queue["waiting"], queue["running"]) == (mine["queued"], mine["running"])
            assert queue["paused"] == (priority in self.paused)

    def check_batch(self, batch: str, rejected: int) -> None:
        found = self.site.get_json(f"/batches/{batch}")
        mine = Counter({"rejected": rejected}) + Counter(self.tasks[token].state for token in self.of(batch))
        assert Counter(found["counts"]) == mine
        assert sum(found["counts"].values()) == found["total"] == found["accepted"] + found["rejected"]
        assert (found["message"] == "Finalizado") == (not any(mine[state] for state in LIVE))
        assert self.site.get_json(f"/tasks?batch={batch}&limit=1")["total"] == found["accepted"]
        lines = self.site.get(f"/batches/{batch}/results").data.splitlines()
        assert len(lines) == found["total"]


STEP: dict[Callable[[Walk], None], int] = {
    Walk.send_one: 2, Walk.send_many: 3, Walk.worker_step: 12, Walk.time_passes: 2,
    Walk.cancel_one: 2, Walk.retry_one: 3, Walk.cancel_by_tokens: 1, Walk.retry_by_tokens: 2,
    Walk.cancel_by_filter: 1, Walk.retry_by_filter: 1, Walk.cancel_batch: 1, Walk.retry_batch: 1,
    Walk.retry_dead_letters: 1, Walk.purge: 1, Walk.pause: 1, Walk.resume: 2,
}  # fmt: skip


@pytest.mark.parametrize(("storage", "seed"), [("sqlite", 1), ("sqlite", 2), ("postgres", 6)])
def test_random_requests_and_worker_steps_agree_with_the_model(site: Site, seed: int) -> None:
    walk = Walk(site=site, chance=random.Random(seed))
    walk.send_many()
    steps = walk.chance.choices(list(STEP), list(STEP.values()), k=STEPS)
    for number, step in enumerate(steps):
        step(walk)
        if number % 4 == 3:
            walk.check()
    walk.check()
    assert walk.seen == {*LIVE, *OVER, "finished"}, "the random steps reached too few states"
