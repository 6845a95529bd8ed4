"""Each fenced block of README and docs: its commands run, and print what the page shows."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis import Redis

from tests.conftest import prepared_database
from tests.documents.blocks import ANSWERS, COMMANDS, MADE, PAGES, Block, blocks, place
from tests.documents.likeness import Names, alike, difference
from tests.documents.stage import Stage
from tests.postgres import Cluster
from tests.rabbitmq import Rabbit
from tests.support import LIMIT, eventually
from tests.warm import interpreter
from tests.warm.commands import Commands

ALL = [block for page in PAGES for block in blocks(page)]
TRIED = [page for page in PAGES if any(block.language in COMMANDS for block in blocks(page))]

POSTGRES = re.compile(r"postgresql://user@database\.internal/\w+")
REDIS = "redis://redis.internal:6379/0"
CELERYS = "redis://broker.internal:6379/0"
"""The same Redis for Celery, which writes the URL of a Unix socket in its own way."""

RABBIT = "amqp://user:password@rabbitmq.internal:5672"

PAGES_DB = 9
"""The database of the session's Redis that belongs to the pages: others use the first one."""


@pytest.fixture(scope="module")
def commands() -> Iterator[Path]:
    """The folder of the commands that are forks. `make run` starts a new interpreter."""
    with TemporaryDirectory(prefix="qt") as folder:
        modules = {"queue-tool": "queue_tool", "celery": "celery", "flask": "flask", "rq": "rq.cli"}
        names = {name: ["-m", module] for name, module in modules.items()} | {"python": [], "python3": []}
        made = Commands(interpreter(), Path(folder) / "bin", names)
        yield made.folder
        made.close()


@pytest.fixture
def stage(request: pytest.FixtureRequest, tmp_path: Path, commands: Path) -> Iterator[Stage]:
    """A stage with the servers that the test's page needs."""
    text = request.getfixturevalue("page").read_text("utf-8")
    servers = {}
    for shown in set(POSTGRES.findall(text)):
        cluster: Cluster = request.getfixturevalue("cluster")
        servers[shown] = cluster.url(cluster.new_database())
    if REDIS in text or CELERYS in text:
        url: str = request.getfixturevalue("redis_server")
        servers[REDIS] = f"{url}?db={PAGES_DB}"
        servers[CELERYS] = f"{url.replace('unix:', 'redis+socket:')}?virtual_host={PAGES_DB}"
        with Redis.from_url(servers[REDIS]) as client:
            client.flushdb()
    if RABBIT in text:
        rabbit: Rabbit = request.getfixturevalue("rabbit")
        servers |= {RABBIT: rabbit.url, RABBIT.partition("@")[2]: f"127.0.0.1:{rabbit.port}"}
    if "<!-- test: system" in text:  # its reader starts none, so the page does not show how it makes its database
        prepared_database(request, tmp_path)
    made = Stage(tmp_path, servers, commands)
    yield made
    made.stop()


@pytest.mark.timeout(600)  # a page starts several systems
@pytest.mark.parametrize("page", TRIED, ids=place)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, stage: Stage) -> None:
    trial = Trial(stage)
    for block in blocks(page):
        trial.take(block)


def test_each_block_has_a_language_that_says_what_to_do_with_it() -> None:
    assert [str(block) for block in ALL if block.language not in (*COMMANDS, *ANSWERS, *MADE)] == []


def test_each_answer_stands_behind_a_command() -> None:
    for before, block in pairwise([None, *ALL]):
        if block is not None and block.is_answer:
            assert before is not None, block
            assert before.page == block.page, block
            assert before.language in ("sh", "python") or before.is_answer, block


def test_few_blocks_are_not_run() -> None:
    skipped = [str(block) for block in ALL if block.has("skip")]
    assert len(skipped) <= 4, skipped


@dataclass
class Trial:
    """One page, read from top to bottom."""

    stage: Stage
    names: Names = field(default_factory=Names)
    last: Callable[[], str] = str  # what the last command has printed
    changes: bool = False  # whether it may print something else in a moment

    def take(self, block: Block) -> None:
        """Do what a block says, or compare it with what was printed."""
        if block.has("stop"):
            self.stage.stop()
        if block.has("system"):
            self.stage.set(dict(word.split("=", 1) for word in block.words("system")))
            self.stage.start("queue-tool up")
        if block.has("skip") or block.has("engine") or block.language in MADE or is_left_out(block):
            return
        if block.is_answer:
            self.compare(block)
        elif block.file:
            self.stage.write(block.file, self.names.replace(block.text))
            if block.has("package"):
                self.stage.install()
        elif block.language == "python":
            self.stage.write("example.py", self.names.replace(block.text))
            self.run(block, "python example.py")
        else:
            self.run(block, self.names.replace(block.text))

    def run(self, block: Block, script: str) -> None:
        """Run the commands of a block."""
        if block.has("starts"):
            self.stage.start(script)
            self.last, self.changes = lambda: self.stage.screen, True
            return
        printed = self._printed(block, script)
        self.changes = is_question(script)
        first = [printed]
        self.last = (
            (lambda: first.pop() if first else self._printed(block, script)) if self.changes else lambda: printed
        )

    def _printed(self, block: Block, script: str) -> str:
        done = self.stage.run(script)
        assert (done.returncode != 0) == block.has("fails"), f"{block}: {done.stdout}\n{done.stderr}"
        return self.stage.as_shown(done.stdout or done.stderr)

    def compare(self, block: Block) -> None:
        """Compare what the page shows with what was printed, or will have been in a moment."""

        def look() -> bool:
            problem = unlike(block, self.last(), self.names)
            assert problem is None, f"{block}: {problem}"
            return True

        eventually(look, within=LIMIT if self.changes else 0)


def is_left_out(block: Block) -> bool:
    """Return whether a block needs a program that is missing here. In CI, nothing may be missing."""
    missing = [name for name in block.words("needs") if shutil.which(name) is None]
    assert not (missing and os.environ.get("NO_SKIPS")), f"{block} needs {missing}"
    return bool(missing)


def is_question(script: str) -> bool:
    """Return whether a command only reads, and so may be run again until it prints what is expected."""
    words = script.split()
    return words[0] in ("curl", "grep", "rq") and not {"-d", "-X", "--data-binary", "worker"} & set(words)


def unlike(block: Block, printed: str, names: Names) -> str | None:
    """Return how a block differs from what was printed; None where it does not."""
    varies = block.words("varies")
    trial = Names()
    trial.real = dict(names.real)
    match block.language:
        case "json":
            problem = difference(json.loads(block.text), parsed(printed), trial, varies)
        case "jsonl":
            shown = [json.loads(line) for line in block.text.splitlines()]
            problem = difference(shown, [parsed(line) for line in printed.splitlines()], trial, varies)
        case "http":
            problem = unlike_answer(block.text, printed, trial, varies)
        case _:
            problem = unlike_lines(block.text, printed, trial)
    if problem is None:
        names.real = trial.real
    return problem


def parsed(printed: str) -> object:
    """Return a value from JSON."""
    try:
        return json.loads(printed)
    except ValueError:
        raise AssertionError(f"no JSON: {printed!r}") from None


def unlike_answer(shown: str, printed: str, names: Names, varies: list[str]) -> str | None:
    """Compare an answer of HTTP: its first line, the headers that the page shows, and its body."""
    head, _, body = shown.partition("\n\n")
    found_head, _, found_body = printed.replace("\r\n", "\n").partition("\n\n")
    (first, *headers), (found_first, *found_headers) = head.splitlines(), found_head.splitlines()
    if first != found_first:
        return f"the page has {first!r}, the program {found_first!r}"
    for header in headers:
        name, _, value = header.partition(": ")
        found = [line.partition(": ")[2] for line in found_headers if line.lower().startswith(f"{name.lower()}:")]
        if not any(alike(value, each, names) for each in found):
            return f"the page has {header!r}, the program {found_headers!r}"
    return difference(json.loads(body), parsed(found_body), names, varies) if body.strip() else None


def unlike_lines(shown: str, printed: str, names: Names) -> str | None:
    """Look for the lines of the page, one after the other, in what was printed."""
    lines, found = shown.strip("\n").splitlines(), [line.rstrip() for line in printed.splitlines()]
    for start in range(len(found) - len(lines) + 1):
        if all(alike(a, b, names) for a, b in zip(lines, found[start:], strict=False)):
            return None
    return f"the page has\n{shown}\nthe program\n{printed}"
