"""Where the peers live: an environment for each under .venv/bench, made once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / ".venv" / "bench"

LONGEST = 300.0
"""Seconds after which an installation is given up."""

AT_ONCE = 3
"""Installations at once: they wait for the package index more than they compute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Packages of Python that are installed together, apart from ours."""

    name: str
    packages: tuple[str, ...]
    shown: tuple[str, ...]  # whose versions the report says

    @property
    def folder(self) -> Path:
        """Return where it is."""
        return PLACE / self.name

    @property
    def python(self) -> Path:
        """Return its interpreter."""
        return self.folder / "bin" / "python"

    def program(self, name: str) -> str:
        """Return the path of a command that a package has brought."""
        return str(self.folder / "bin" / name)

    def install(self) -> None:
        """Make it, unless it is there with the same packages.

        Raises:
            SystemExit: the packages could not be installed.
        """
        mark, wanted = self.folder / "installed", "\n".join(self.packages)
        if mark.exists() and mark.read_text("utf-8") == wanted:
            return
        print(f"Installing {', '.join(self.packages)} into {self.folder.relative_to(ROOT)} (once) ...", flush=True)
        _run([sys.executable, "-m", "venv", str(self.folder)])
        _run([str(self.python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", *self.packages])
        mark.write_text(wanted, "utf-8")

    def versions(self) -> dict[str, str]:
        """Return what is installed of the packages that are shown."""
        code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {self.shown!r}}}))"
        ran = subprocess.run([self.python, "-c", code], check=True, capture_output=True, text=True, timeout=60)
        return dict(json.loads(ran.stdout))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnvironment:
    """Packages of node, apart from everything; there is none where node or npm is missing."""

    name: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Return where it is."""
        return PLACE / self.name

    @property
    def there(self) -> bool:
        """Tell whether this machine can have it."""
        return shutil.which("node") is not None and shutil.which("npm") is not None

    def install(self) -> None:
        """Make it, once; where it cannot be made, say so in one sentence and go on."""
        if not self.there:
            print(f"{self.packages[0]} is left out: node or npm is not on this machine.", flush=True)
            return
        mark, wanted = self.folder / "installed", "\n".join(self.packages)
        if mark.exists() and mark.read_text("utf-8") == wanted:
            return
        print(f"Installing {', '.join(self.packages)} into {self.folder.relative_to(ROOT)} (once) ...", flush=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        quiet = ("--silent", "--no-audit", "--no-fund", "--no-update-notifier")
        _run(["npm", "install", *quiet, "--prefix", str(self.folder), *self.packages])
        mark.write_text(wanted, "utf-8")

    def versions(self) -> dict[str, str]:
        """Return the versions of the package and of node."""
        if not self.there:
            return {}
        manifests = {name: self.folder / "node_modules" / name / "package.json" for name in self.packages}
        found = {name: str(json.loads(path.read_text("utf-8"))["version"]) for name, path in manifests.items()}
        node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=30)
        return found | {"node": node.stdout.strip().removeprefix("v")}


RQ = Environment(name="rq", packages=("rq", "redis[hiredis]", "flask", "gunicorn"), shown=("rq", "redis", "hiredis"))
CELERY = Environment(name="celery", packages=("celery[redis]", "hiredis", "flask", "gunicorn"), shown=("celery",))
DRAMATIQ = Environment(name="dramatiq", packages=("dramatiq[redis]", "hiredis"), shown=("dramatiq",))
HUEY = Environment(name="huey", packages=("huey", "redis[hiredis]"), shown=("huey",))
FLASK = Environment(name="flask", packages=("flask", "gunicorn"), shown=("flask", "gunicorn"))
BULLMQ = NodeEnvironment(name="bullmq", packages=("bullmq", "ioredis"))

ALL: tuple[Environment | NodeEnvironment, ...] = (RQ, CELERY, DRAMATIQ, HUEY, FLASK, BULLMQ)


def install() -> None:
    """Make all of them.

    Raises:
        SystemExit: one could not be made.
    """
    with ThreadPoolExecutor(AT_ONCE) as hands:
        for made in [hands.submit(each.install) for each in ALL]:
            made.result()


def versions() -> dict[str, str]:
    """Return the version of everything that is measured."""
    return {name: version for each in ALL for name, version in each.versions().items()}


def _run(command: list[str]) -> None:
    """Run a command that installs.

    Raises:
        SystemExit: it failed or took too long; what it said stands above.
    """
    try:
        subprocess.run(command, check=True, timeout=LONGEST, cwd=ROOT)
    except (subprocess.SubprocessError, OSError) as error:
        raise SystemExit(f"The peers could not be installed: {error}") from None
