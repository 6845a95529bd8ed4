"""`make run` and `make test` install what poetry.lock says."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_pip_is_given_every_version_of_the_lock_file(tmp_path: Path) -> None:
    for name in ("Makefile", "poetry.lock"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").symlink_to(sys.executable)
    (tmp_path / ".venv/pip").touch()  # as if pip had been upgraded
    subprocess.run(["make", ".venv/constraints.txt"], cwd=tmp_path, check=True)
    packages = tomllib.loads((ROOT / "poetry.lock").read_text("utf-8"))["package"]
    given = (tmp_path / ".venv/constraints.txt").read_text("utf-8").splitlines()
    assert given == [f"{package['name']}=={package['version']}" for package in packages]
    assert len({package["name"] for package in packages}) == len(given)  # two versions of one package would conflict


def test_every_installation_of_the_makefile_is_bound_to_the_lock_file() -> None:
    lines = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "pip install" in line]
    bound = [line for line in lines if "pip install --quiet $(LOCKED) " in line]
    (other,) = set(lines) - set(bound)
    assert len(bound) == 4
    assert other.endswith("--upgrade 'pip>=25.3'")  # which Python brings, and no lock file names
