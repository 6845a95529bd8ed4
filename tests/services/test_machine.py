"""A state machine of Hypothesis: any operations in any order, with crashes between them, on the real store.

After each step this must be true: the counts of every batch add up, no run ends twice, every move of a task is in the
table of legal moves, and no task is lost.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from queue_tool.execution.builtin import sleep_type
from queue_tool.model.batch import UNNAMED, SealedBy, judge_of, new_batch
from queue_tool.model.continuation import When
from queue_tool.model.new_task import Accepted, Continuation, NewTask, Options
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Priority
from queue_tool.model.states import MOST_LOSSES, MOVES, Code, Move, State
from queue_tool.model.task import Timing
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddElements, Process, Store, migrations
from queue_tool.store.engine.database import Database
from tests.adding import add_to, record_pushed
from tests.runs import claim_runs, settle_runs

SLEEP = sleep_type(60)
GOOD = {"item": "a", "valor": 0}
FOLLOWERS = tuple(Continuation(when=when, task=NewTask(index=0, token="", data=GOOD, task_type=SLEEP)) for when in When)
STEP = timedelta(seconds=1)

_RECORDED_MOVES = """
CREATE TABLE recorded_moves (token TEXT, was TEXT, is_now TEXT, was_run INTEGER, run INTEGER);
CREATE TABLE declared (parent TEXT);
CREATE TABLE closings (parent TEXT, failed INTEGER);
CREATE TRIGGER record_declared AFTER INSERT ON continuations WHEN NEW.position = 0
  BEGIN INSERT INTO declared VALUES (NEW.parent); END;
CREATE TRIGGER record_closing AFTER UPDATE OF finished_at ON batches
  WHEN NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL
  BEGIN INSERT INTO closings VALUES ('batch ' || NEW.public_id, NEW.failed + NEW.canceled > 0); END;
CREATE TRIGGER record_end AFTER UPDATE OF state ON tasks
  WHEN NEW.continues IS NOT NULL AND NEW.state IN ('finished', 'failed', 'canceled')
  BEGIN INSERT INTO closings VALUES ('task ' || NEW.token, NEW.state <> 'finished'); END;
CREATE TRIGGER record_moves AFTER UPDATE OF state, run ON tasks WHEN NEW.state <> OLD.state OR NEW.run <> OLD.run
  BEGIN INSERT INTO recorded_moves VALUES (NEW.token, OLD.state, NEW.state, OLD.run, NEW.run); END;
"""

_BATCHES = """SELECT id, public_id, accepted, rejected, open, finished_at, reopening_until IS NOT NULL
FROM batches"""

_MADE = "SELECT parent, position FROM tasks WHERE parent IS NOT NULL"

_WAITING = "SELECT token, run FROM tasks WHERE state = 'queued'"

_FENCE = "SELECT state, run, owner FROM tasks WHERE token = '{}'"

ENDS = [Move.FINISH, Move.FAIL, Move.RETRY_LATER, Move.PUT_BACK, Move.RESIGN]

VERBS = ["cancel", "cancel", "reopen", "reopen", "reopen some", "reopen the rest", "remove", "remove"]

picks = st.builds(random.Random, st.integers(0, 2**32 - 1))
"""Random choices of a step, from one seed so that Hypothesis can repeat and shrink them."""


@cache
def empty_database() -> bytes:
    """Return a database file with all tables, and a trigger that records every move."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "queue_tool.db"
        database = Database(f"sqlite:///{path}")
        migrations.upgrade(database)
        database.close()
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(_RECORDED_MOVES)
        return path.read_bytes()


class Life(RuleBasedStateMachine):
    """Tasks, two workers and a sweeper on one store."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "queue_tool.db"
        self.path.write_bytes(empty_database())
        self.store = Store(Database(f"sqlite:///{self.path}"))
        self.reader = sqlite3.connect(self.path)  # sees every commit of the store, and is quicker
        self.checked: dict[str, object] = {}  # the version of the database that each invariant saw last
        self.moves_checked = 0
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.batches: dict[str, int] = {}
        self.tokens: list[str] = []
        self.in_hand: dict[int, list[tuple[str, int]]] = {}
        self.workers = [self.new_worker(), self.new_worker()]
        self.removed: set[str] = set()
        self.open_batch: str | None = None
        self.held: set[int] = set()  # batches that a bulk retry reopens

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            self.reader.close()
            self.folder.cleanup()

    def new_worker(self) -> int:
        owner = self.store.workers.register(
            Process(kind="worker", host="h", machine="m", pid=1, pid_started="1"), self.now
        )
        self.in_hand[owner] = []
        return owner

    # -- operations ----------------------------------------------------------------------------------------

    @rule(
        count=st.integers(1, 4),
        refused=st.integers(0, 2),
        delay=st.sampled_from([0, 0, 5]),
        held=st.booleans(),
        continues=st.booleans(),
    )
    def submit(self, count: int, refused: int, delay: int, held: bool, continues: bool) -> None:
        elements = [GOOD] * count + [None] * refused
        timing = Timing(due_at=self.now + delay * STEP if delay else None, expires_at=self.now + 20 * STEP)
        tokens = make_tokens(len(elements) + 1, self.now)
        followers = FOLLOWERS if continues else ()
        options = Options(timing=timing, on_finished=followers)
        batch = new_batch(elements, judge_of(SLEEP, options), tokens, self.now, on_finished=followers)
        add_to(self.store, batch, hold=["default"] if held else [])
        self.batches[batch.id] = refused
        self.tokens += [element.token for element in batch.elements if isinstance(element, Accepted)]

    @rule(count=st.integers(0, 3), held=st.booleans(), seals=st.booleans())
    def fill(self, count: int, held: bool, seals: bool) -> None:
        """Add elements to the open batch, or to a new one, and sometimes seal it."""
        if self.open_batch is None:
            self.open_batch = make_tokens(1, self.now)[0]
            self.store.open_batches.add(self.open_batch, UNNAMED, None, self.now)
            self.batches[self.open_batch] = 0
        start = self.store.open_batches.get(self.open_batch).total
        tokens = [self.open_batch, *make_tokens(count, self.now)]
        new = new_batch([GOOD] * count, judge_of(SLEEP), tokens, self.now, start=start)
        wanted = AddElements(new=new, start=start, digest="", hold=["default"] if held else [])
        (added,) = self.store.additions.add([wanted])
        assert (added.part is not None, added.error) == (count > 0, None)
        self.tokens += [task.token for task in new.accepted]
        if seals:
            self.store.open_batches.seal(self.open_batch, SealedBy.REQUEST, self.now)
            self.open_batch = None

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds: int) -> None:
        self.now += seconds * STEP

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, which=st.integers(0, 1), stale=st.booleans(), move=st.sampled_from(ENDS), again=st.booleans())
    def work(self, pick: random.Random, which: int, stale: bool, move: Move, again: bool) -> None:
        """Claim some tasks and settle some, as a living worker or as a late one."""
        self.settle(pick, move, again)
        owner = self.workers[which]
        runs = self.rows("SELECT token, run FROM tasks") if stale else self.rows(_WAITING)
        wanted = [(token, run - 1 if stale and run > 1 else run) for token, run in pick.sample(runs, min(3, len(runs)))]
        self.in_hand[owner] += [(task.token, task.run) for task in claim_runs(self.store, wanted, owner, self.now)]
        self.settle(pick, pick.choice(ENDS), again)

    def settle(self, pick: random.Random, move: Move, again: bool) -> None:
        owner = pick.choice([*self.workers, *self.in_hand])
        held = self.in_hand[owner] if pick.random() < 0.7 else [run for runs in self.in_hand.values() for run in runs]
        for token, last_run in pick.sample(held, min(2, len(held))):
            run = max(1, last_run - pick.choice([0, 0, 1]))  # sometimes a late outcome of the previous run
            code = Code.ERROR if move in (Move.FAIL, Move.RETRY_LATER) else None
            due = self.now + 3 * STEP if move is Move.RETRY_LATER else None
            outcome = Outcome(token=token, run=run, move=move, result="null", code=code, due_at=due)
            for _ in range(1 + again):
                is_current = ("running", run, owner) in self.rows(_FENCE.format(token))
                assert (token in settle_runs(self.store, [outcome], owner, self.now).tokens) == is_current

    @rule(which=st.integers(0, 1))
    def die(self, which: int) -> None:
        gone = self.workers[which]
        self.store.runs.take_back([gone], self.now)
        self.store.workers.mark_gone([gone], self.now)
        self.workers[which] = self.new_worker()

    @precondition(lambda self: self.tokens)
    @rule(pick=picks, verb=st.sampled_from(VERBS))
    def control(self, pick: random.Random, verb: str) -> None:
        some = pick.sample(self.tokens, min(2, len(self.tokens)))
        if verb == "cancel":
            self.store.control.cancel(some, "somebody", "", self.now)
        elif verb == "reopen":
            self.store.control.reopen(some)
        elif verb == "reopen some":  # as the first part of a bulk retry does
            self.store.control.reopen(some, self.now, self.held)
        elif verb == "reopen the rest":
            self.store.control.release(self.held, self.now)
            self.held.clear()
        else:
            before = {token for (token,) in self.rows("SELECT token FROM tasks")}
            self.store.control.remove(some)
            self.removed |= before - {token for (token,) in self.rows("SELECT token FROM tasks")}

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        if paused:
            self.store.queues.pause(Priority.NORMAL, self.now)
        else:
            self.store.queues.resume(Priority.NORMAL, self.now)

    @rule(crash=st.booleans())
    def sweep(self, crash: bool) -> None:
        """Do what a sweeper does to the store; a sweeper that crashes has pushed tickets without recording it."""
        self.store.upkeep.expire(self.now, 100)
        self.store.upkeep.come_due(self.now, 100)
        self.store.upkeep.release(self.now)
        for batch in self.store.batches.unpushed(self.now + timedelta(days=1), timedelta(0)):
            if not crash:
                record_pushed(self.store, batch, self.now)
        for name in self.store.tickets.lists_unpushed():
            tickets = self.store.tickets.unpushed(name, 3)
            if not crash:
                record_pushed(self.store, tickets, self.now)
        for name in self.store.windows.lists_in_line():
            if not crash:
                self.store.windows.note(self.store.windows.next(name, 3), 3, 0, self.now)

    @rule()
    def restart(self) -> None:
        """Restart the process: everything in memory is lost."""
        self.held.clear()
        self.store.close()
        self.store = Store(Database(f"sqlite:///{self.path}"))

    # -- invariants ----------------------------------------------------------------------------------------

    @invariant()
    def counts_add_up(self) -> None:
        if not self.is_changed("counts_add_up"):
            return
        for row in self.rows(_BATCHES):
            row_id, public_id, accepted, rejected, still_open, finished_at, is_held = row
            batch = self.store.batches.get(public_id)
            found = dict(self.rows("SELECT state, count(*) FROM tasks WHERE batch_id = ? GROUP BY state", row_id))
            assert batch.counts == {state: found.get(state, 0) for state in State}
            assert sum(batch.counts.values()) == accepted
            assert rejected == self.batches[public_id]
            unfinished = sum(count for state, count in batch.counts.items() if not state.ended)
            assert still_open == batch.is_open + is_held + unfinished
            assert (still_open == 0) == (finished_at is not None), row_id

    @invariant()
    def each_end_is_followed_once(self) -> None:
        """Compare what has ended with the tasks that continue it."""
        if not self.is_changed("each_end_is_followed_once"):
            return
        made = self.rows(_MADE)
        for position, follower in enumerate(FOLLOWERS):
            of_this = sorted(parent for parent, its in made if its == position)
            ended = self.rows("SELECT parent, failed FROM closings WHERE parent IN (SELECT parent FROM declared)")
            due = [parent for parent, failed in ended if follower.when.includes(any_failed=bool(failed))]
            assert of_this == sorted(due)

    @invariant()
    def moves_are_legal(self) -> None:
        if not self.is_changed("moves_are_legal"):
            return
        new = "SELECT rowid, was, is_now, was_run, run FROM recorded_moves WHERE rowid > ? ORDER BY rowid"
        for number, was, is_now, was_run, run in self.rows(new, self.moves_checked):
            self.moves_checked = number
            moves = [
                move
                for move in MOVES.values()
                if State(was) in move.sources and move.target is State(is_now) and run - was_run == move.new_run
            ]
            assert moves, (was, is_now, was_run, run)

    @invariant()
    def a_run_ends_once(self) -> None:
        if not self.is_changed("a_run_ends_once"):
            return
        ends = "SELECT token, run FROM recorded_moves WHERE is_now IN ('finished', 'failed', 'canceled')"
        assert self.rows(f"{ends} GROUP BY token, run HAVING count(*) > 1") == []

    @invariant()
    def nothing_is_lost(self) -> None:
        if not self.is_changed("nothing_is_lost"):
            return
        known = {token for (token,) in self.rows("SELECT token FROM tasks WHERE parent IS NULL")}
        assert known == set(self.tokens) - self.removed
        assert self.rows("SELECT token FROM tasks WHERE state = 'running' AND owner IS NULL") == []
        assert all(losses <= MOST_LOSSES for (losses,) in self.rows("SELECT losses FROM tasks"))
        owners = {owner for (owner,) in self.rows("SELECT owner FROM tasks WHERE state = 'running'")}
        assert owners <= set(self.workers)

    def is_changed(self, invariant: str) -> bool:
        """Return whether something was committed since this invariant was checked."""
        if not hasattr(self, "store"):
            return False
        (version,) = self.rows("PRAGMA data_version")
        before, self.checked[invariant] = self.checked.get(invariant), version
        return before != version

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.reader.execute(query, values).fetchall()


Life.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLife = Life.TestCase
