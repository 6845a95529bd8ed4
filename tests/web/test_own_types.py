"""The user's own task types, in real processes: where they are found, and how a mistake in them stops a start."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import LIMIT, clean_environment, free_port
from tests.warm import interpreter

FLASK = (sys.executable, str(Path(sys.executable).with_name("flask")), "--app", "queue_tool")
OURS = (sys.executable, "-m", "queue_tool")

DECLARES = "from queue_tool import task\n@task('thumbs.make')\ndef make(data): return data * 2\n"

OF_AN_OBJECT = """
from queue_tool import task
class Maker:
    def make(self, data): return data * 2
maker = Maker()
task('thumbs.make')(maker.make)
"""

LOAD = """
import json, sys
from queue_tool.execution import own_types
from queue_tool.execution.builtin import builtin_types
from queue_tool.errors import BadTaskType
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
answers = {}
for name in sys.argv[1:]:
    types, warnings = TaskTypes(builtin_types(60)), []
    try:
        telemetry = Telemetry(lambda event: warnings.append(event.reason))
        own_types.load(types, [name] if name != "-" else [], telemetry)
        answers[name] = warnings or [*types]
    except BadTaskType as error:
        answers[name] = error.sentence
print(json.dumps(answers))
"""

SEND = """
import queue_tool
with queue_tool.open() as system:
    token = system.submit([21], system.of_type("thumbs.make")).elements[0].token
    print(system.ask.task(token).result)
"""


def run(directory: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Python that can also import the packages in the directory `installed`."""
    environment = clean_environment(**settings) | {"PYTHONPATH": str(directory / "installed")}
    assert command[0] == sys.executable
    return interpreter().run(command[1:], cwd=directory, env=environment, timeout=LIMIT)


def loaded(directory: Path, *names: str) -> Any:
    """Load each of these modules; return for each an error sentence, the warnings, or the names of the task types."""
    done = run(directory, sys.executable, "-c", LOAD, *names)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def install(directory: Path, package: str, code: str, *entry_points: str) -> None:
    """Write a package into `installed` as an installer does: its module and its metadata."""
    metadata = directory / "installed" / f"{package}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[queue_tool.tasks]", *entry_points, ""]))
    (directory / "installed" / package).mkdir()
    (directory / "installed" / package / "__init__.py").touch()
    (directory / "installed" / package / "tasks.py").write_text(code)


# -- modules of the setting --------------------------------------------------------------------------------


def test_a_mistake_in_a_module_becomes_one_sentence_that_names_the_module_and_the_line(tmp_path: Path) -> None:
    modules = {
        "syntax": ("x = 1\n1 +", " cannot be imported: SyntaxError: invalid syntax (syntax.py, line 2)."),
        "imports": (
            "\nimport nowhere_at_all",
            " cannot be imported: ModuleNotFoundError: No module named 'nowhere_at_all' (imports.py, line 2).",
        ),
        "many_lines": (
            "raise ImportError('\\n\\nRead this.\\nAnd that.')",
            " cannot be imported: ImportError: Read this. And that (many_lines.py, line 1).",
        ),
        "no_words": ("assert False", " cannot be imported: AssertionError (no_words.py, line 1)."),
        "script": ("import sys\nsys.exit(0)", " cannot be imported: SystemExit: 0 (script.py, line 2)."),
        "odd": (
            "class Odd(BaseException): ...\nraise Odd('so odd')",
            " cannot be imported: Odd: so odd (odd.py, line 2).",
        ),
        "bad_name": (
            "from queue_tool import task\n@task('a b')\ndef a(data): ...",
            ": 'a b' is not a valid task type name (function bad_name.a): use 1 to 64 letters, digits, '_', '.' or "
            "'-', and start with a letter, a digit or '_'.",
        ),
        "forgotten": (
            "from queue_tool import task\n@task\ndef mine(data): ...",
            ': The function forgotten.mine is declared without a name: write `@task("mine")` above it.',
        ),
        "method": (
            "from queue_tool import task\nclass A:\n    @task('b')\n    def mine(self, data): ...",
            ": The task type 'b' (function method.A.mine) has `self` as its first parameter, which would get the data: "
            "move it out of its class, or use @staticmethod, and write the parameters (data) or (data, context).",
        ),
        "taken": (
            "from queue_tool import task\n@task('uppercase')\ndef mine(data): ...",
            ": Two functions are declared as the task type 'uppercase', queue_tool.execution.builtin.texts.uppercase "
            "and taken.mine: give one of them another name.",
        ),
    }
    for name, (code, _) in modules.items():
        (tmp_path / f"{name}.py").write_text(code)
    outcomes = loaded(tmp_path, "absent", *modules)
    assert outcomes.pop("absent") == (
        "The module 'absent' of QUEUE_TOOL_TASKS cannot be imported: ModuleNotFoundError: No module named 'absent'."
    )
    assert {name: sentence.replace(f"{tmp_path}/", "") for name, sentence in outcomes.items()} == {
        name: f"The module '{name}' of QUEUE_TOOL_TASKS{ending}" for name, (_, ending) in modules.items()
    }


def test_a_module_that_declares_no_task_type_causes_one_warning(tmp_path: Path) -> None:
    (tmp_path / "forgetful.py").write_text("def thumbnail(data): ...")
    (tmp_path / "inner.py").write_text(DECLARES)
    (tmp_path / "outer.py").write_text("import inner")
    outcomes = loaded(tmp_path, "forgetful", "outer", "inner")
    assert outcomes["forgetful"] == ["The module 'forgetful' of QUEUE_TOOL_TASKS declares no task type"]
    assert outcomes["outer"][-1] == outcomes["inner"][-1] == "thumbs.make"


@pytest.mark.parametrize(
    "command",
    [(*OURS, "up"), (*OURS, "web"), (*OURS, "worker"), (*OURS, "sweep"), (*FLASK, "run"), (*FLASK, "run", "--debug")],
)
def test_every_command_stopped_by_a_module_ends_with_its_sentence_and_exit_code_1(
    tmp_path: Path, migrated_database: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "script.py").write_text("import sys\nsys.exit(0)")
    (tmp_path / "instance").mkdir(mode=0o700)
    shutil.copyfile(migrated_database, tmp_path / "instance" / "queue_tool.db")
    port = free_port()
    words = ("--port", str(port)) if command[1] == FLASK[1] else ()
    done = run(tmp_path, *command, *words, TASKS="script", PORT=str(port))
    sentence = (
        f"The module 'script' of QUEUE_TOOL_TASKS cannot be imported: SystemExit: 0 ({tmp_path}/script.py, line 2)."
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr in (f"queue-tool: {sentence}\n", f"Error: {sentence}\n")


# -- entry points ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value"),
    [(DECLARES, "thumbs.tasks"), (DECLARES, "thumbs.tasks:make"), (OF_AN_OBJECT, "thumbs.tasks:maker.make")],
    ids=["module", "function", "method"],
)
def test_an_installed_package_adds_its_task_types(tmp_path: Path, code: str, value: str) -> None:
    install(tmp_path, "thumbs", code, f"anything = {value}")
    done = run(tmp_path, sys.executable, "-c", SEND, REDIS_URL="inline:")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")


def test_task_types_of_packages_are_added_to_those_of_the_setting(tmp_path: Path) -> None:
    install(tmp_path, "thumbs", DECLARES, "images = thumbs.tasks")
    (tmp_path / "mine.py").write_text("from queue_tool import task\n@task('mine')\ndef mine(data): ...")
    assert loaded(tmp_path, "mine")["mine"][-2:] == ["thumbs.make", "mine"]


def test_a_package_that_declares_no_task_type_causes_a_warning(tmp_path: Path) -> None:
    install(tmp_path, "thumbs", "", "images = thumbs.tasks")
    assert loaded(tmp_path, "-")["-"] == [
        "The entry point 'images = thumbs.tasks' of queue_tool.tasks declares no task type"
    ]


@pytest.mark.parametrize(
    ("code", "value", "ending"),
    [
        ("import sys; sys.exit(0)", "thumbs.tasks", " cannot be imported: SystemExit: 0 ("),
        (DECLARES, "thumbs.absent", " cannot be imported: ModuleNotFoundError: No module named 'thumbs.absent'."),
        (DECLARES, "thumbs.tasks:absent", " cannot be imported: AttributeError: "),
        ("def make(data): ...", "thumbs.tasks:make", ": It points to neither a module nor a function that is declared"),
        (
            DECLARES.replace("thumbs.make", "echo"),
            "thumbs.tasks",
            ": Two functions are declared as the task type 'echo'",
        ),
        (DECLARES, "", " cannot be imported: "),
    ],
    ids=["script", "no module", "no function", "not declared", "taken name", "no value"],
)
def test_a_mistake_in_a_package_stops_the_start_and_the_sentence_names_the_entry_point(
    tmp_path: Path, code: str, value: str, ending: str
) -> None:
    install(tmp_path, "thumbs", code, f"images = {value}")
    done = run(tmp_path, *OURS, "up", PORT=str(free_port()))
    assert done.returncode == 1
    assert done.stderr.startswith(f"queue-tool: The entry point 'images = {value}' of queue_tool.tasks{ending}")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(".\n")


def test_entry_points_that_cannot_be_read_stop_the_start_with_one_sentence(tmp_path: Path) -> None:
    install(tmp_path, "thumbs", DECLARES, "no sign of equality")
    sentence = loaded(tmp_path, "-")["-"]
    assert sentence.startswith("The entry points of the installed packages cannot be read: ")
