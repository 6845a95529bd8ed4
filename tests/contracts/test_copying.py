"""A copy from SQLite to PostgreSQL: exactly all rows, or no rows and one sentence that says why."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect, select, text

from queue_tool.errors import (
    CannotCopy,
    CopyDiffers,
    DatabaseInUse,
    QueueToolError,
    SchemaOutdated,
    StoreAway,
    TargetNotEmpty,
)
from queue_tool.execution.builtin import sleep_type
from queue_tool.model.access import ApiKey, Role
from queue_tool.model.batch import IdempotencyKey, Label, judge_of, new_batch
from queue_tool.model.continuation import When
from queue_tool.model.delivery import Try
from queue_tool.model.message import Pop, Push
from queue_tool.model.metrics import WAIT_SECONDS, Measure
from queue_tool.model.new_task import Continuation, NewTask, Options
from queue_tool.model.outcome import Note, Outcome
from queue_tool.model.queues import Lane, Priority
from queue_tool.model.scale import Scale
from queue_tool.model.schedule import DueTick, Rhythm, Schedule, TickCause, Work
from queue_tool.model.states import Code, Move
from queue_tool.model.webhook import Event, Webhook
from queue_tool.model.webhook import TryResult as OfTry
from queue_tool.services.owner import describe, lives_here
from queue_tool.services.submit import make_tokens
from queue_tool.store import AddElements, Process, Store, migrations
from queue_tool.store.copy.copying import ROWS, Copied, copy
from queue_tool.store.engine.database import Database
from queue_tool.store.tables import metadata, tasks
from queue_tool.store.ticks import NewTick
from tests.adding import add_to
from tests.postgres import Cluster
from tests.runs import claim_runs, settle_runs
from tests.support import eventually

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SLEEP = sleep_type(86400)
DEAD = Process(kind="worker", host="h", machine="another one", pid=1, pid_started="1")
TRY = Try(
    message="m",
    type="webhook.test",
    count=0,
    at=NOW,
    number=1,
    outcome=OfTry.TESTED,
    seconds=1 / 3,
    status=None,
    answer="ação",
    problem="nobody answers",
)
GOOD = {"item": "ação ✓", "valor": 0, "more": "\0"}
BAD = {"item": "a\0b", "valor": 1e300}

DatabaseMaker = Callable[[str], Database]


@pytest.fixture
def source(migrated_database: Path, tmp_path: Path) -> Iterator[Database]:
    """An SQLite database with empty tables."""
    shutil.copyfile(migrated_database, tmp_path / "tasks.db")
    made = Database(f"sqlite:///{tmp_path / 'tasks.db'}", timeout=0.3)
    yield made
    made.close()


@pytest.fixture
def make_target(cluster: Cluster) -> Iterator[DatabaseMaker]:
    """A function that makes PostgreSQL databases from a template."""
    made: list[tuple[str, Database]] = []

    def make(template: str) -> Database:
        name = cluster.new_database(template)
        made.append((name, Database(cluster.url(name), timeout=1)))
        return made[-1][1]

    yield make
    for name, database in made:
        database.close()
        cluster.drop(name)


@pytest.fixture
def target(make_target: DatabaseMaker) -> Database:
    """A PostgreSQL database without tables."""
    return make_target("template0")


@pytest.fixture
def migrated_target(make_target: DatabaseMaker, migrated_template: str) -> Database:
    """A PostgreSQL database with empty tables."""
    return make_target(migrated_template)


def add(store: Store, *elements: object, key: IdempotencyKey | None = None) -> list[str]:
    """Add a batch; return the tokens of its tasks."""
    batch = new_batch(elements, judge_of(SLEEP), make_tokens(len(elements) + 1, NOW), NOW, key)
    add_to(store, batch)
    return [task.token for task in batch.accepted]


def fill(store: Store) -> None:
    """Add rows to every table, and tasks in several states."""
    add(store, *([GOOD] * (ROWS + 500)), BAD, 7, key=IdempotencyKey(scope="s", key="é", digest="d"))
    options = Options(name="n", custom_id="c", parameters='{"a":1}', tags=("red", "verde ✓"), unique_key="u")
    label = Label(name="import", metadata={"key": "value"})
    task = judge_of(SLEEP)(GOOD, 0, "")
    assert isinstance(task, NewTask)
    followers = (Continuation(when=When.ALWAYS, task=task),)
    tokens = make_tokens(2, NOW)
    named = new_batch([GOOD], judge_of(SLEEP, options), tokens, NOW, label=label, on_finished=followers)
    add_to(store, named, hold=["default"])
    assert store.windows.note(store.windows.next("default", 0), 5, 5, NOW)
    filled, token = make_tokens(2, NOW)
    store.open_batches.add(filled, label, "sleep", NOW)
    more = new_batch([GOOD], judge_of(SLEEP), [filled, token], NOW)
    store.additions.add([AddElements(new=more, start=0, digest="d")], sender=1)
    store.keys.add(ApiKey(id="k", name="printer", role=Role.SUBMIT, created_at=NOW), "digest")
    store.queues.pause(Priority.LOW, NOW)
    worker = store.workers.register(DEAD, NOW)
    store.measures.add([Measure(metric=WAIT_SECONDS.name, labels='{"task_type":"é"}', bucket="sum", value=1 / 3)], NOW)
    tokens = add(store, *([GOOD] * 6))
    claim_runs(store, [(token, 1) for token in tokens[:5]], worker, NOW)
    notes = [Note(token=tokens[0], run=1, progress=1 / 3, note="a third", lines=("line 1", "linha 2 ✓"))]
    outcomes = [
        Outcome(token=tokens[0], run=1, move=Move.FINISH, result='{"big":12345678901234567890,"nul":"\\u0000"}'),
        Outcome(token=tokens[1], run=1, move=Move.FAIL, code=Code.ERROR, error="E: \\.\t\n", traceback='"\\N"\r\n'),
        Outcome(
            token=tokens[2], run=1, move=Move.RETRY_LATER, code=Code.ERROR, error="", due_at=NOW + timedelta(hours=1)
        ),
    ]
    store.runs.settle_and_claim((), (), worker, NOW, notes)
    settle_runs(store, outcomes, worker, NOW)
    told = Webhook(id="w", url="https://a.example", events=list(Event), created_at=NOW, headers={"X": "é"})
    store.webhooks.add(told, "whsec_abc")
    store.feeds.open(None, NOW)
    store.control.cancel([tokens[3]], "ana", "why\0not", NOW)
    daily = Rhythm(cron="@daily", end=NOW + timedelta(days=9), jitter=0.5)
    work = Work(
        request={"task_type": "sleep", "name": "é"}, data="\0", is_batch=False, lane=Lane.LOOP, priority=Priority.LOW
    )
    schedule = Schedule(id=named.id, rhythm=daily, work=work, created_at=NOW, revision=1, next_at=NOW)
    store.schedules.add(schedule)
    tick = NewTick(due=DueTick(at=NOW, cause=TickCause.DUE), work=None, error="no")
    assert store.ticks.make(schedule, [tick], NOW, 1)
    store.deliveries.tested(1, TRY)
    scale = Scale(minimum=1, maximum=4, wanted=2, automatic=True)
    assert store.supervisors.enter(DEAD, scale, "{}", NOW, lambda _: False) == scale
    bodies = ['{"big":12345678901234567890}', '"\\u0000"']
    lease = Pop(queue="é", lease=60, receipt=make_tokens(1, NOW)[0])
    store.messages.carry_out([], [Push(queue="é", body=body) for body in bodies], [lease], NOW, 10)


def contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables."""
    with database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def refusal(kind: type[QueueToolError], source: Database, target: Database) -> str:
    """Copy, require that the copy is refused, and return the sentence of the error."""
    with pytest.raises(kind) as caught:
        copy(source, target, lives_here)
    sentence = caught.value.sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def is_untouched(target: Database) -> bool:
    with target.read() as connection:
        return inspect(connection).get_table_names() == []


# -- a complete copy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["target", "migrated_target"])
def test_a_copy_has_the_same_rows_in_every_table(source: Database, made: str, request: pytest.FixtureRequest) -> None:
    target: Database = request.getfixturevalue(made)
    fill(Store(source))
    copied = copy(source, target, lives_here)
    before, after = contents(source), contents(target)
    changed = [row for row in before["tasks"] if "why\0not" in row]
    assert [table for table, rows in before.items() if not rows] == []
    assert len(changed) == 1
    before["tasks"] = sorted(
        (tuple("why\\x00not" if value == "why\0not" else value for value in row) for row in before["tasks"]), key=repr
    )
    assert after == before
    assert copied == [Copied(table=name, rows=len(rows), changed=int(name == "tasks")) for name, rows in before.items()]
    migrations.require_current(target)
    assert Store(target).identity() == Store(source).identity()


def test_an_empty_database_is_copied_too(source: Database, target: Database) -> None:
    rows = {copied.table: copied.rows for copied in copy(source, target, lives_here)}
    assert rows == dict.fromkeys(metadata.tables, 0) | {"identity": 1}
    assert Store(target).workers.register(DEAD, NOW) == 1


def test_new_rows_in_a_copy_get_new_ids(source: Database, target: Database) -> None:
    old, new = Store(source), Store(target)
    fill(old)
    gone = old.workers.register(DEAD, NOW)
    old.workers.mark_gone([gone], NOW)
    copy(source, target, lives_here)
    (token,) = add(new, GOOD)
    assert new.workers.register(DEAD, NOW) == gone + 1
    with target.read() as connection:
        newest = connection.execute(select(tasks.c.token).order_by(tasks.c.id.desc()).limit(1)).scalar_one()
    assert newest == token


def test_writes_to_the_source_fail_during_a_copy(source: Database, migrated_target: Database) -> None:
    add(Store(source), GOOD)
    with migrated_target.write() as held:
        held.execute(text("LOCK TABLE batches"))
        copying = threading.Thread(target=copy, args=[source, migrated_target, lives_here])
        copying.start()
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'batches'::regclass")
        eventually(lambda: held.execute(waits).scalar_one() == 1)
        other = Database(source.url, timeout=0.1)
        with pytest.raises(StoreAway):
            add(Store(other), GOOD)
    copying.join(20)
    assert contents(migrated_target) == contents(source)
    other.close()


# -- no copy -----------------------------------------------------------------------------------------------

TRIGGER = """
CREATE FUNCTION interfere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {}; RETURN NEW; END $$;
CREATE TRIGGER interfere BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.position = 2) EXECUTE FUNCTION interfere()
"""


def interfere(target: Database, how: str) -> None:
    """Make the target execute a statement when the third task is inserted."""
    with target.write() as connection:
        connection.exec_driver_sql(TRIGGER.format(how))


@pytest.mark.parametrize("how", ["NEW.data := '{}'", "RETURN NULL", "NEW.progress := 0.1"])
def test_a_target_that_stores_different_rows_ends_up_without_rows(
    source: Database, migrated_target: Database, how: str
) -> None:
    before = contents(migrated_target)
    add(Store(source), *([GOOD] * 3))
    interfere(migrated_target, how)
    sentence = refusal(CopyDiffers, source, migrated_target)
    assert sentence.startswith("The table tasks differs in the target: 3 rows were sent, ")
    assert contents(migrated_target) == before


def test_a_copy_that_loses_its_connection_leaves_nothing(source: Database, migrated_target: Database) -> None:
    before = contents(migrated_target)
    add(Store(source), *([GOOD] * 3))
    interfere(migrated_target, "PERFORM pg_terminate_backend(pg_backend_pid())")
    sentence = refusal(StoreAway, source, migrated_target)
    assert sentence.startswith("The target cannot be used: ")
    assert "connection" in sentence
    assert contents(migrated_target) == before


def test_a_value_that_postgres_cannot_store_is_reported_and_leaves_nothing(source: Database, target: Database) -> None:
    (token,) = add(Store(source), GOOD)
    with source.write() as connection:
        connection.execute(tasks.update().where(tasks.c.token == token).values(max_attempts=2**31))
    sentence = refusal(CannotCopy, source, target)
    assert sentence.startswith('PostgreSQL cannot store a row of the table tasks: value "2147483648" is out of range')
    assert is_untouched(target)


# -- what is refused ---------------------------------------------------------------------------------------


def test_a_copy_goes_from_sqlite_to_postgres_only(source: Database, target: Database) -> None:
    for comes_from, goes_to in ((source, source), (target, target), (target, source)):
        assert refusal(CannotCopy, comes_from, goes_to) == CannotCopy.default_sentence()


def test_a_missing_source_is_reported_and_not_created(tmp_path: Path, target: Database) -> None:
    sentence = refusal(CannotCopy, Database(f"sqlite:///{tmp_path}/none.db"), target)
    assert sentence == f"The source {tmp_path}/none.db cannot be read: No such file or directory."
    assert not list(tmp_path.iterdir())


def test_a_source_that_is_not_a_database_is_refused(tmp_path: Path, target: Database) -> None:
    (tmp_path / "letter.txt").write_text("Dear database,\n" * 100)
    sentence = refusal(StoreAway, Database(f"sqlite:///{tmp_path}/letter.txt"), target)
    assert sentence == "The source cannot be used: file is not a database."


def test_a_source_that_fails_in_the_middle_leaves_nothing(source: Database, target: Database) -> None:
    add(Store(source), *([GOOD] * (ROWS + 1)))
    with source.write() as connection:
        connection.execute(tasks.update().where(tasks.c.position == ROWS).values(data=text("CAST(x'ff' AS TEXT)")))
    sentence = refusal(StoreAway, source, target)
    assert sentence.startswith("The source cannot be used: Could not decode to UTF-8 column 'data'")
    assert is_untouched(target)


def test_a_source_without_tables_or_at_an_older_revision_needs_an_upgrade(
    source: Database, tmp_path: Path, target: Database
) -> None:
    empty = Database(f"sqlite:///{tmp_path}/empty.db")
    empty.prepare()
    assert refusal(SchemaOutdated, empty, target).startswith("The source has no tables, but a copy needs revision ")
    migrations.downgrade(source, "0004")
    sentence = refusal(SchemaOutdated, source, target)
    assert sentence.startswith("The source is at revision 0004, but a copy needs revision ")
    assert "`queue-tool db upgrade`" in sentence
    assert is_untouched(target)


def test_a_source_with_a_writer_is_refused(source: Database, target: Database) -> None:
    other = Database(source.url)
    with other.write():
        sentence = refusal(StoreAway, source, target)
    assert sentence == "The source cannot be used: another process is writing."
    other.close()


def test_a_source_with_a_living_worker_is_refused(source: Database, target: Database) -> None:
    worker = Store(source).workers.register(describe("worker"), NOW)
    sentence = refusal(DatabaseInUse, source, target)
    assert sentence == f"Process {describe('').pid} (worker) still uses the source: stop it first."
    Store(source).workers.mark_gone([worker], NOW)
    copy(source, target, lives_here)


def test_a_target_with_rows_is_refused_and_stays_unchanged(source: Database, migrated_target: Database) -> None:
    add(Store(migrated_target), GOOD)
    before = contents(migrated_target)
    assert refusal(TargetNotEmpty, source, migrated_target) == TargetNotEmpty.default_sentence()
    assert contents(migrated_target) == before


def test_a_second_copy_is_refused(source: Database, target: Database) -> None:
    add(Store(source), GOOD)
    copy(source, target, lives_here)
    refusal(TargetNotEmpty, source, target)
    assert contents(target) == contents(source)


def test_a_target_with_a_foreign_table_is_refused(source: Database, target: Database) -> None:
    with target.write() as connection:
        connection.exec_driver_sql("CREATE TABLE tasks (title text)")
    refusal(TargetNotEmpty, source, target)


def test_a_target_at_a_newer_revision_is_refused(source: Database, migrated_target: Database) -> None:
    with migrated_target.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "revision 9999, which is newer" in refusal(SchemaOutdated, source, migrated_target)


def test_a_missing_target_is_reported_with_the_reason_and_without_the_password(
    source: Database, cluster: Cluster
) -> None:
    target = Database(cluster.url("nowhere").replace("postgres@", "postgres:hunter2@"))
    sentence = refusal(StoreAway, source, target)
    assert sentence.startswith("The target cannot be used: ")
    assert 'database "nowhere" does not exist' in sentence
    assert "hunter2" not in sentence


def test_a_target_without_permission_to_create_tables_is_reported(
    source: Database, target: Database, cluster: Cluster
) -> None:
    cluster.run("CREATE ROLE guest LOGIN")
    guest = Database(target.url.replace("postgres@", "guest@"))
    sentence = refusal(StoreAway, source, guest)
    assert sentence == "The target cannot be used: permission denied for schema public."
    guest.close()
    cluster.run("DROP ROLE guest")
