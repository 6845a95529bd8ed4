"""The environments of the peers: each has its own folder under .venv/bench, created once."""

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
"""Timeout of an installation, in seconds."""

AT_ONCE = 3
"""Installations that run in parallel: they mostly wait for the package index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A virtual environment with the Python packages of a peer, separate from ours."""

    name: str
    packages: tuple[str, ...]
    reported: tuple[str, ...]  # packages whose versions are on the page

    @property
    def folder(self) -> Path:
        """Return the folder of the environment."""
        return PLACE / self.name

    @property
    def python(self) -> Path:
        """Return the path of its Python interpreter."""
        return self.folder / "bin" / "python"

    def program(self, name: str) -> str:
        """Return the path of a command of an installed package."""
        return str(self.folder / "bin" / name)

    def install(self) -> None:
        """Create the environment, unless it exists with the same packages.

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
        """Return the installed versions of the reported packages."""
        code = (
            f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {self.reported!r}}}))"
        )
        ran = subprocess.run([self.python, "-c", code], check=True, capture_output=True, text=True, timeout=60)
        return dict(json.loads(ran.stdout))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeEnvironment:
    """A folder with node packages. It is not available if node or npm is missing."""

    name: str
    packages: tuple[str, ...]

    @property
    def folder(self) -> Path:
        """Return the folder of the environment."""
        return PLACE / self.name

    @property
    def is_available(self) -> bool:
        """Return whether node and npm are installed."""
        return shutil.which("node") is not None and shutil.which("npm") is not None

    def install(self) -> None:
        """Install the packages once. If node or npm is missing, print that and continue.

        Raises:
            SystemExit: the packages could not be installed.
        """
        if not self.is_available:
            print(f"{self.packages[0]} is left out: node or npm is not installed.", flush=True)
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
        """Return the versions of the packages and of node; empty if they are not available."""
        if not self.is_available:
            return {}
        manifests = {name: self.folder / "node_modules" / name / "package.json" for name in self.packages}
        found = {name: str(json.loads(path.read_text("utf-8"))["version"]) for name, path in manifests.items()}
        node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True, timeout=30)
        return found | {"node": node.stdout.strip().removeprefix("v")}


RQ = Environment(name="rq", packages=("rq", "redis[hiredis]", "flask", "gunicorn"), reported=("rq", "redis", "hiredis"))
CELERY = Environment(name="celery", packages=("celery[redis]", "hiredis", "flask", "gunicorn"), reported=("celery",))
DRAMATIQ = Environment(name="dramatiq", packages=("dramatiq[redis]", "hiredis"), reported=("dramatiq",))
HUEY = Environment(name="huey", packages=("huey", "redis[hiredis]"), reported=("huey",))
FLASK = Environment(name="flask", packages=("flask", "gunicorn"), reported=("flask", "gunicorn"))
BULLMQ = NodeEnvironment(name="bullmq", packages=("bullmq", "ioredis"))

ALL: tuple[Environment | NodeEnvironment, ...] = (RQ, CELERY, DRAMATIQ, HUEY, FLASK, BULLMQ)


def install() -> None:
    """Create all environments.

    Raises:
        SystemExit: an environment could not be created.
    """
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for installation in [threads.submit(environment.install) for environment in ALL]:
            installation.result()


def versions() -> dict[str, str]:
    """Return the versions of all measured packages."""
    return {name: version for environment in ALL for name, version in environment.versions().items()}


def _run(command: list[str]) -> None:
    """Run an installation command.

    Raises:
        SystemExit: the command failed or timed out; its output is above the message.
    """
    try:
        subprocess.run(command, check=True, timeout=LONGEST, cwd=ROOT)
    except (subprocess.SubprocessError, OSError) as error:
        raise SystemExit(f"The peers could not be installed: {error}") from None
