"""The architecture: floors, vendors, sizes, and words that know no world."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

import queue_tool
from queue_tool.model.events import EVENTS

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "queue_tool").rglob("*.py"))

MODEL = sorted((ROOT / "queue_tool/model").rglob("*.py"))


def test_imports_only_fall() -> None:
    linted = subprocess.run(
        [Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert linted.returncode == 0, linted.stdout


def test_only_the_runtime_knows_the_environment() -> None:
    readers = {
        str(path.relative_to(ROOT)) for path in FILES if re.search(r"os\.environ|os\.getenv", path.read_text("utf-8"))
    }
    assert readers == {"queue_tool/environment.py"}


@pytest.mark.parametrize("path", MODEL, ids=lambda path: path.stem)
def test_the_model_has_no_clock_no_files_and_no_network(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    imported = {
        alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not imported & {"os", "sys", "time", "socket", "subprocess", "sqlite3", "requests", "random", "secrets"}


KINDS_OF_DATABASE = re.compile(r"sqlite|postgres|psycopg|dialect|pg_|PRAGMA")
"""What code says that knows a kind of database; people are told of SQLite and PostgreSQL."""


def _words_of(path: Path) -> Iterator[str]:
    """Return the names and texts that a file's code is made of: not its comments and docstrings."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    docstrings = {node.value for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in docstrings:
            yield node.value
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("queue_tool.store.engine."):
            continue  # what it offers has names that say what is done
        for field in ("id", "attr", "arg", "name", "module"):
            yield str(getattr(node, field, ""))


def test_only_the_engine_of_the_store_knows_kinds_of_databases() -> None:
    engine, addresses = ROOT / "queue_tool/store/engine", ROOT / "queue_tool/model/settings.py"
    knowing = {
        f"{path.relative_to(ROOT)}: {word}"
        for path in FILES
        if engine not in path.parents and path != addresses
        for word in _words_of(path)
        if KINDS_OF_DATABASE.search(word)
    }
    assert knowing == set()


def test_a_file_fits_in_the_head() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {name: size for name, size in sizes.items() if size > 320} == {}
    assert statistics.median(sizes.values()) <= 120


def test_functions_are_short() -> None:
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert lengths[int(len(lengths) * 0.9)] <= 30


NAMELESS = {"said", "one"}
"""What fits anything, and so tells a reader nothing, as the name of a thing."""


def _names_given_in(source: str) -> Iterator[str]:
    """Return the names that code gives: to variables, arguments, functions, classes, attributes and imports.

    An attribute that is only read is no such name: SQLAlchemy called its method `one`.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        for field in ("id", "arg", "name", "asname", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name


def test_nothing_has_a_name_that_fits_anything() -> None:
    given = {f"{path.relative_to(ROOT)}: {name}" for path in FILES for name in _names_given_in(path.read_text("utf-8"))}
    assert {entry for entry in given if entry.rpartition(" ")[2] in NAMELESS} == set()


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
def test_a_name_is_seen_wherever_it_is_given(source: str) -> None:
    assert "one" in _names_given_in(source)
    assert "one" not in _names_given_in("rows.one().one")


def test_importing_the_package_brings_in_no_vendor() -> None:
    code = (
        "import sys, queue_tool; from queue_tool import Context, Filter, Priority, State, task; "
        "print(*sorted({'flask', 'redis', 'rq', 'sqlalchemy', 'granian'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""


def test_what_is_offered_is_what_is_meant_whatever_was_imported_before() -> None:
    code = (
        "import queue_tool.runtime; from queue_tool import *; print(*map(callable, (task, open, create_app, Filter)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True"] * 4


def test_every_public_name_is_there() -> None:
    assert all(getattr(queue_tool, name) is not None for name in queue_tool.__all__)


def events_made_in(path: Path) -> set[str]:
    """Return the names of the events that a file makes records of: `events.Ready(...)`, or one of two kinds."""
    makers: list[ast.expr] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call):
            makers.append(node.func)
        elif isinstance(node, ast.IfExp):
            makers += [node.body, node.orelse]
    return {maker.attr for maker in makers if isinstance(maker, ast.Attribute) and ast.unparse(maker.value) == "events"}


def test_every_event_is_told_somewhere() -> None:
    told = {name for path in FILES if path not in MODEL for name in events_made_in(path)}
    assert told == {kind.__name__ for kind in EVENTS}


IGNORE = re.compile(r"#\s*(?:noqa|type:\s*ignore)\b.*")
WITH_A_REASON = re.compile(r"# noqa: [A-Z0-9]+(?:, [A-Z0-9]+)* - \S.*|# type: ignore\[[a-z-]+(?:,[a-z-]+)*\] # \S.*")
CODE = [path for name in ("queue_tool", "tests", "bench", "migrations", "docs") for path in (ROOT / name).rglob("*.py")]


def bare_ignores(path: Path) -> list[str]:
    """Return the comments of a file that silence a tool and do not say which rule and why."""
    with path.open("rb") as file:
        comments = [token.string for token in tokenize.tokenize(file.readline) if token.type == tokenize.COMMENT]
    found = [match[0] for comment in comments if (match := IGNORE.search(comment))]
    return [ignore for ignore in found if not WITH_A_REASON.fullmatch(ignore)]


def test_whatever_silences_a_tool_names_the_rule_and_the_reason() -> None:
    assert {str(path.relative_to(ROOT)): bare_ignores(path) for path in CODE if bare_ignores(path)} == {}


TOP_LEVEL = {
    *("queue_tool", "tests", "migrations", "bench", "docs", "pyproject.toml", "poetry.lock", "README.md"),
    *("CHANGELOG.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "Dockerfile", "compose.yaml", "deploy"),
    *(".env.example", ".ci", ".git", ".gitignore", ".pre-commit-config.yaml"),
}
"""What may be at the top of the repository, whether it is there already or not."""


def test_nothing_else_is_at_the_top_of_the_repository() -> None:
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text("utf-8").splitlines()]
    names = {path.name for path in ROOT.iterdir()}
    assert {name for name in names - TOP_LEVEL if not any(fnmatch(name, pattern) for pattern in ignored)} == set()
