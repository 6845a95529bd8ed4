"""The architecture: layers of imports, homes of vendors, sizes of files, names, and a model without I/O."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import queue_tool
from queue_tool.model.events import EVENTS, MEASURED
from queue_tool.model.states import MOVES, Move
from queue_tool.store import ends
from queue_tool.store.moves import update_for

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "queue_tool").rglob("*.py"))

MODEL = sorted((ROOT / "queue_tool/model").rglob("*.py"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return all nodes of a file's code. Each file is parsed once, because several tests read all of them."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


@pytest.fixture(scope="module", autouse=True)
def _nodes_are_forgotten() -> Iterator[None]:
    """Free the nodes of all files after the last of these tests."""
    yield
    nodes_of.cache_clear()


def test_imports_point_only_to_lower_layers() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_no_module_imports_itself_through_others() -> None:
    graph = grimp.build_graph("queue_tool", cache_dir=None)  # with the imports in functions, and those for types only
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    TopologicalSorter(imports).prepare()


READERS = {
    "queue_tool/environment.py",
    # The clients run in other people's programs, which must not load the settings of the service.
    "queue_tool/client/asynchronous.py",
    "queue_tool/client/blocking.py",
}


def test_only_one_module_reads_the_environment_of_the_service() -> None:
    readers = {
        str(path.relative_to(ROOT)) for path in FILES if re.search(r"os\.environ|os\.getenv", path.read_text("utf-8"))
    }
    assert readers == READERS


@pytest.mark.parametrize("path", MODEL, ids=lambda path: path.stem)
def test_the_model_has_no_clock_no_files_and_no_network(path: Path) -> None:
    nodes = nodes_of(path)
    imported = {
        alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not imported & {"os", "sys", "time", "socket", "subprocess", "sqlite3", "requests", "random", "secrets"}


KINDS_OF_DATABASE = re.compile(r"sqlite|postgres|psycopg|dialect|pg_|PRAGMA")
"""Words that show that code depends on a kind of database. Texts for users write SQLite and PostgreSQL instead."""


def _words_of(path: Path) -> Iterator[str]:
    """Return the names and texts in a file's code, without its comments and docstrings."""
    nodes = nodes_of(path)
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("queue_tool.store.engine."):
            continue  # an import from the engine is allowed
        for field in ("id", "attr", "arg", "name", "module"):
            yield str(getattr(node, field, ""))


def test_only_the_engine_of_the_store_depends_on_the_kind_of_database() -> None:
    engine = ROOT / "queue_tool/store/engine"
    addresses = {ROOT / "queue_tool/model/settings.py", ROOT / "queue_tool/model/urls.py"}
    knowing = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in FILES
        if engine not in path.parents and path not in addresses
        for word in _words_of(path)
        if KINDS_OF_DATABASE.search(word)
    }
    assert knowing == set()


STORE = ROOT / "queue_tool/store"

ENDS = {"open", "accepted", "finished_at"}
"""The columns that say how many tasks of a batch are open, and when a task or a batch ended."""


def _columns_written_in(path: Path) -> Iterator[str]:
    """Return the names of the columns that a module gives to `values`, or that are keys of its dicts."""
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "values":
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)
        if isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def test_only_one_module_closes_and_reopens_tasks_and_batches() -> None:
    reading = {"tasks.py: finished_at", "end_facts.py: accepted", "end_facts.py: finished_at"}  # fields, as dicts
    writing = {
        f"{path.relative_to(STORE)}: {name}" for path in STORE.rglob("*.py") for name in _columns_written_in(path)
    }
    assert {entry for entry in writing - reading if entry.partition(": ")[2] in ENDS} == {
        f"ends.py: {name}" for name in ENDS
    }
    users = {path.name for path in STORE.rglob("*.py") if re.search(r"\bmove_of\b", path.read_text("utf-8"))}
    assert users == {"moves.py", "ends.py"}


@pytest.mark.parametrize("move", Move)
def test_a_move_that_ends_or_reopens_a_task_has_its_statement_in_that_module(move: Move) -> None:
    ends_tasks = MOVES[move].target.ended
    reopens_tasks = any(state.ended for state in MOVES[move].sources)
    makers = {ends.closing: ends_tasks, ends.reopening: reopens_tasks, update_for: not (ends_tasks or reopens_tasks)}
    for make, may in makers.items():
        if may:
            assert "UPDATE tasks" in str(make(move))
        else:
            with pytest.raises(ValueError, match=move.value):
                make(move)


HOMES_OF_FAILURES = {
    "sqlstate|sqlite_errorcode|ProgrammingError|InternalError|IntegrityError": {"store/engine/failures.py"},
    "OutOfMemoryError|ReadOnlyError|NoPermissionError|AuthenticationError|BusyLoadingError": {
        "broker/failures.py",
        "amqp/failures.py",
    },
}
"""Words that decide what kind a failure is, and the one module that may use them."""


@pytest.mark.parametrize("words", HOMES_OF_FAILURES)
def test_only_one_module_per_vendor_decides_what_kind_a_failure_is(words: str) -> None:
    root = ROOT / "queue_tool"
    users = {str(path.relative_to(root)) for path in FILES if re.search(words, path.read_text("utf-8"))}
    assert users == HOMES_OF_FAILURES[words]


def test_files_are_short() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: size for name, size in sizes.items() if size > 320} == {}
    assert statistics.median(sizes.values()) <= 120


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in FILES
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[int(len(lengths) * 0.9)] <= 30


VAGUE = {"said", "one"}
"""Names that are too vague: they fit anything."""


def _names_given_by(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Return the names that code defines: variables, arguments, functions, classes, attributes and imports.

    An attribute that is only read does not count: the method `one` is SQLAlchemy's name.
    """
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        for field in ("id", "arg", "name", "asname", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


def test_no_name_is_too_vague() -> None:
    given = {f"{path.relative_to(ROOT)}: {name}" for path in FILES for name in _names_given_by(nodes_of(path))}
    assert {entry for entry in given if entry.rpartition(" ")[2] in VAGUE} == set()


@pytest.mark.parametrize(
    "source",
    [
        "one = 1",
        "def one(): ...",
        "async def one(): ...",
        "class one: ...",
        "def f(one): ...",
        "def f(*one): ...",
        "def f(**one): ...",
        "lambda one: 1",
        "f(one=1)",
        "self.one = 1",
        "class A: one: int",
        "[1 for one in ()]",
        "(one := 1)",
        "with f() as one: ...",
        "import a as one",
        "try: ...\nexcept A as one: ...",
        "match a:\n case [one]: ...",
        "match a:\n case [*one]: ...",
        "match a:\n case {**one}: ...",
    ],
)
def test_a_name_is_found_wherever_code_defines_it(source: str) -> None:
    assert "one" in _names_given_by(ast.walk(ast.parse(source)))
    assert "one" not in _names_given_by(ast.walk(ast.parse("rows.one().one")))


@pytest.mark.parametrize(
    "imports",
    [
        "from queue_tool import Context, Filter, Priority, State, task",
        "import queue_tool.worker.pool_child",
        "from queue_tool import AsyncClient, Client",
        "import queue_tool.testing.plugin",
        "from queue_tool.cli.groups import COMMANDS, client_command; [*map(client_command, COMMANDS)]; "
        "from queue_tool.cli.client.service import connect; connect()",
    ],
    ids=[
        "the public names",
        "a process of the isolated lane",
        "the clients",
        "the plugin for pytest",
        "the commands that ask the service",
    ],
)
def test_what_users_tasks_need_imports_no_vendor(imports: str) -> None:
    vendors = "{'flask', 'redis', 'rq', 'sqlalchemy', 'granian', 'httpx', 'requests', 'urllib3', 'aiohttp'}"
    code = f"import sys; {imports}; print(*sorted({vendors} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_a_process_of_the_service_imports_no_command_that_asks_it() -> None:
    of_client = "{'rich', 'httpcore2', 'queue_tool.cli.client.screen'}"
    code = f"import sys; import queue_tool.cli.main; print(*{of_client} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_the_public_names_are_right_whatever_was_imported_before() -> None:
    code = (
        "import queue_tool.runtime; from queue_tool import *; print(*map(callable, (task, open, create_app, Filter)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True"] * 4


def test_every_public_name_exists() -> None:
    assert all(getattr(queue_tool, name) is not None for name in queue_tool.__all__)


def events_made_in(path: Path) -> set[str]:
    """Return the names of the event classes that a file uses: `events.A(...)` or `events.A if ... else events.B`."""
    makers: list[ast.expr] = []
    for node in nodes_of(path):
        if isinstance(node, ast.Call):
            makers.append(node.func)
        elif isinstance(node, ast.IfExp):
            makers += [node.body, node.orelse]
    return {maker.attr for maker in makers if isinstance(maker, ast.Attribute) and ast.unparse(maker.value) == "events"}


def test_every_event_is_emitted_somewhere() -> None:
    emitted = {name for path in FILES if path not in MODEL for name in events_made_in(path)}
    assert emitted == {kind.__name__ for kind in EVENTS + MEASURED}


IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b.*")
WITH_A_REASON = re.compile(r"# noqa: [A-Z0-9]+(?:, [A-Z0-9]+)* - \S.*|# type: ignore\[[a-z-]+(?:,[a-z-]+)*\] # \S.*")
CODE = [
    path
    for name in ("queue_tool", "tests", "bench", "deploy", "migrations", "docs")
    for path in (ROOT / name).rglob("*.py")
]


def bare_ignores(path: Path) -> list[str]:
    """Return the comments of a file that silence a tool without a rule or without a reason."""
    if not IGNORE.search(path.read_text("utf-8")):  # most files: to take one apart into tokens takes long
        return []
    with path.open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    found = [match[0] for comment in comments if (match := IGNORE.search(comment))]
    return [ignore for ignore in found if not WITH_A_REASON.fullmatch(ignore)]


def test_a_comment_that_silences_a_tool_names_the_rule_and_the_reason() -> None:
    assert {str(path.relative_to(ROOT)): bare_ignores(path) for path in CODE if bare_ignores(path)} == {}


TOP_LEVEL = {
    *("queue_tool", "tests", "migrations", "bench", "docs", "pyproject.toml", "poetry.lock", "README.md"),
    *("CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "Dockerfile", "compose.yaml", "deploy"),
    ".dockerignore",
    *(".env.example", ".ci", ".git", ".gitignore", ".pre-commit-config.yaml"),
}
"""The names that may be at the top of the repository. Not all of them have to exist."""


def test_nothing_else_is_at_the_top_of_the_repository() -> None:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    names = {path.name for path in ROOT.iterdir()}
    assert {name for name in names - TOP_LEVEL if not any(fnmatch(name, pattern) for pattern in ignored)} == set()
