"""Fixtures: a real Valkey for the session, and for each test a runtime with its own database."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
from flask import Flask
from redis import Redis

from queue_tool.host import collector, valkey
from queue_tool.host.clock import CLOCK
from queue_tool.model import settings as words_of_settings
from queue_tool.model.clock import Clock
from queue_tool.model.telemetry import Event, Telemetry
from queue_tool.runtime import Runtime, open_runtime
from queue_tool.services.ask import Ask
from queue_tool.store import Store, migrations
from queue_tool.store.engine.database import Database
from queue_tool.web import create_app
from queue_tool.web.app import connect
from tests import declared, rabbitmq, warm
from tests.made_once import made_once
from tests.postgres import MIGRATED, Cluster, folder, programs
from tests.postgres import cluster as run_cluster
from tests.rabbitmq import Rabbit
from tests.support import LIMIT, System, die_with_parent, eventually

# Other processes on this machine may slow a test down, so the time of an example or of its data proves nothing.
hypothesis.settings.register_profile(
    "busy machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy machine")

# A test process holds a million objects, so the collector would take a tenth of the processor time of its tests.
collector.collect_rarely()

Kind = TypeVar("Kind", bound=Event)


class News:
    """A listener that keeps the events it receives."""

    def __init__(self) -> None:
        """Start without events."""
        self.heard: list[Event] = []

    def __call__(self, event: Event) -> None:
        """Keep an event."""
        self.heard.append(event)

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the events of this kind, in the order of their arrival."""
        return [event for event in self.heard if isinstance(event, kind)]


RuntimeFactory = Callable[..., Runtime]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option: the kind of database for the tests of web, worker and journeys."""
    parser.addoption("--storage", choices=["sqlite", "postgres"], default="sqlite")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are about SQLite if the tests run on PostgreSQL."""
    if config.getoption("--storage") == "postgres":
        left_out = [item for item in items if item.get_closest_marker("sqlite")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Exclude the collected tests and all modules from garbage collection."""
    collector.freeze_existing()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the session if a test was skipped and the variable NO_SKIPS is set."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("NO_SKIPS") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


shared = pytest.StashKey[warm.Shared]()


def pytest_configure(config: pytest.Config) -> None:
    """Start one interpreter for the programs of all processes of pytest-xdist, in the process that starts them."""
    if config.getoption("numprocesses", None):
        config.stash[shared] = warm.Shared()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the interpreter that starts programs."""
    warm.close()
    if shared in config.stash:
        config.stash[shared].close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Threads for as many callers as a test has at the same time."""
    with ThreadPoolExecutor(80) as pool:
        yield pool


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis of this session, from the packages of the operating system."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine")
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "r.sock"
    server = subprocess.Popen(
        [program, "--port", "0", "--unixsocket", str(path), "--dir", str(folder), "--save", ""],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent,
    )
    client = Redis(unix_socket_path=str(path))
    eventually(lambda: path.is_socket() and client.ping())
    client.close()
    yield f"unix://{path}"
    server.terminate()
    server.wait(LIMIT)


@pytest.fixture(scope="session")
def rabbit_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that names the RabbitMQ of this session, from the packages of the operating system."""
    if not rabbitmq.installed():
        pytest.skip("no RabbitMQ on this machine")
    return made_once(tmp_path_factory, "rabbitmq", rabbitmq.start)


@pytest.fixture
def rabbit(rabbit_folder: Path) -> Iterator[Rabbit]:
    """The RabbitMQ of this session, which no test disturbs meanwhile."""
    with rabbitmq.reserved(rabbit_folder, alone=False) as server:
        yield server


@pytest.fixture
def rabbit_alone(rabbit_folder: Path) -> Iterator[Rabbit]:
    """The same, for a test that disturbs it: no other test uses it meanwhile."""
    with rabbitmq.reserved(rabbit_folder, alone=True) as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the Valkey of this session."""
    data_dir = tmp_path_factory.mktemp("valkey")
    guardian = valkey.start(data_dir)
    yield valkey.url(data_dir)
    assert guardian.stdin is not None
    guardian.stdin.close()
    guardian.wait(LIMIT)


@pytest.fixture(scope="session")
def lasting_system(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of real processes that tests share; each test leaves it running and idle."""
    directory = tmp_path_factory.mktemp("up")
    running = System(directory, settings=prepared_database(request, directory))
    try:
        running.start()
        yield running
    finally:
        running.kill_all()


@pytest.fixture(scope="session")
def valkey_client(valkey_server: str) -> Iterator[Redis]:
    """A client of the Valkey of this session."""
    with Redis.from_url(valkey_server) as client:
        yield client


@pytest.fixture
def redis(valkey_client: Redis) -> Redis:
    """A client of the Valkey of this session, which is empty when the test starts."""
    valkey_client.flushall()
    return valkey_client


@pytest.fixture
def news() -> News:
    """The events that the services emitted."""
    return News()


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database with empty tables. Tests copy it: the migrations take longer than most tests."""

    def make(place: Path) -> None:
        migrate(f"sqlite:///{place / 'queue_tool.db'}")

    return made_once(tmp_path_factory, "migrated", make) / "queue_tool.db"


def migrate(url: str) -> None:
    """Make the tables of a database."""
    database = Database(url)
    migrations.upgrade(database)
    database.close()


@pytest.fixture(scope="session")
def postgres_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a PostgreSQL server with one migrated database. To copy it is faster than to make it."""
    where = programs()
    if where is None:
        pytest.skip("no PostgreSQL on this machine")

    def make(place: Path) -> None:
        with folder() as first, run_cluster(Path(first), where) as server:
            migrate(server.url(server.new_database(name=MIGRATED)))
            server.copy_data(place / "data")

    return made_once(tmp_path_factory, "postgres", make) / "data"


@contextmanager
def postgres_server(data: Path) -> Iterator[Cluster]:
    """Run a PostgreSQL server of the operating system's packages on a copy of this data."""
    where = programs()
    assert where is not None
    with folder() as place, run_cluster(Path(place), where, data=data) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(postgres_data: Path) -> Iterator[Cluster]:
    """A PostgreSQL server of this session, from the packages of the operating system."""
    with postgres_server(postgres_data) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(cluster: Cluster) -> str:
    """The name of a database on that server with empty tables, which tests copy."""
    return MIGRATED


@pytest.fixture
def storage(request: pytest.FixtureRequest) -> str:
    """The kind of database of the test's runtimes. Some test folders override this with both kinds."""
    kind: str = request.config.getoption("--storage")
    return kind


def prepared_database(request: pytest.FixtureRequest, directory: Path) -> dict[str, str]:
    """Prepare a database with tables for a system in this directory; return the setting that names it.

    The system then starts faster, because it has no migrations to run.
    """
    if request.config.getoption("--storage") == "sqlite":
        (directory / "instance").mkdir(mode=0o700)
        shutil.copyfile(request.getfixturevalue("migrated_database"), directory / "instance" / "queue_tool.db")
        return {}
    return new_database(request)


def new_database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the setting that names a new database with tables. SQLite needs none: its file has a fixed place."""
    if request.config.getoption("--storage") == "sqlite":
        return {}
    cluster: Cluster = request.getfixturevalue("cluster")
    return {"DATABASE_URL": cluster.url(cluster.new_database(request.getfixturevalue("migrated_template")))}


@pytest.fixture
def system_on_postgres(tmp_path: Path, cluster: Cluster, migrated_template: str) -> Iterator[System]:
    """A whole system on PostgreSQL with two workers."""
    url = cluster.url(cluster.new_database(migrated_template))
    made = System(tmp_path, settings={"DATABASE_URL": url, "WORKERS": "2"})
    try:
        made.start()
        yield made
    finally:
        made.kill_all()


@pytest.fixture
def make_runtime(request: pytest.FixtureRequest, tmp_path: Path, news: News, storage: str) -> Iterator[RuntimeFactory]:
    """A function that opens runtimes on one database of this test; it takes settings by their short names, as texts.

    It also takes a clock.
    """
    made: list[Runtime] = []
    (tmp_path / "data").mkdir(mode=0o700)
    database = {}
    if storage == "postgres":
        cluster: Cluster = request.getfixturevalue("cluster")
        name = cluster.new_database(request.getfixturevalue("migrated_template"))
        database = {"DATABASE_URL": cluster.url(name)}
    else:
        shutil.copyfile(request.getfixturevalue("migrated_database"), tmp_path / "data" / "queue_tool.db")

    def make(*, clock: Clock = CLOCK, **settings: str) -> Runtime:
        texts = {"DATA_DIR": str(tmp_path / "data"), "REDIS_URL": "inline:", "MAX_ATTEMPTS": "1"} | database | settings
        chosen = words_of_settings.read({f"QUEUE_TOOL_{name}": text for name, text in texts.items()})
        made.append(open_runtime(chosen, Telemetry(news), "test", migrate=True, clock=clock))
        return made[-1]

    yield make
    for runtime in made:
        runtime.owner.leave()
        runtime.close()
    if storage == "postgres":
        cluster.drop(name)


@pytest.fixture
def runtime(make_runtime: RuntimeFactory, redis: Redis, valkey_server: str) -> Runtime:
    """A runtime whose tickets stay in the Valkey of this session, because no worker runs."""
    return make_runtime(REDIS_URL=valkey_server)


@pytest.fixture
def hasty(runtime: Runtime) -> Iterator[Runtime]:
    """The same runtime, but it waits only half a second for a locked database."""
    store = Store(Database(runtime.settings.database, timeout=0.5))
    yield replace(
        runtime,
        store=store,
        submit=replace(runtime.submit, store=store),
        ask=Ask(store=store),
        runner=replace(runtime.runner, store=store),
        ready=replace(runtime.ready, store=store),
    )
    store.close()


@pytest.fixture
def inline(make_runtime: RuntimeFactory) -> Runtime:
    """A runtime that runs each task in the request that submits it."""
    return make_runtime()


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    """The application whose tasks stay queued; the fixture `client` of pytest-flask uses it."""
    return application(runtime)


@pytest.fixture
def inline_client(inline: Runtime) -> Any:
    """A client of an application that runs each task in the request that submits it."""
    return application(inline).test_client()


def application(runtime: Runtime) -> Flask:
    """Return the application, connected to this test's runtime. Tests share it: making its routes takes long."""
    if not _applications:
        _applications.append(testing(create_app(runtime)))
    connect(_applications[0], runtime)
    return _applications[0]


_applications: list[Flask] = []


def testing(app: Flask) -> Flask:
    """Return the application, set up to answer errors as in production, and to compare answers with declarations."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    declared.watch(app)
    return app
