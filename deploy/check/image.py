"""The image: built as the Dockerfile says, and what its containers see."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.check import dockerfile
from deploy.check.dockerfile import Instruction
from deploy.check.sandbox import Sandbox

ROOT = Path(__file__).parents[2]

VENV = "/venv"
"""Where the program is, in the image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """The image of the Dockerfile, whose files are in a folder of this machine."""

    folder: Path
    stage: list[Instruction]  # the last one

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of its containers."""
        return dockerfile.environment(self.stage) | {"HOME": self.work_folder}

    @property
    def command(self) -> list[str]:
        """Return the command of its containers, where nobody gives another one."""
        return dockerfile.words_of(self.stage, "CMD")

    @property
    def health(self) -> list[str]:
        """Return the command that checks its containers."""
        return dockerfile.words_of(self.stage, "HEALTHCHECK")

    @property
    def work_folder(self) -> str:
        """Return the current directory of its containers."""
        return dockerfile.value_of(self.stage, "WORKDIR")


def open_image(folder: Path) -> Image:
    """Return the image whose files are in this folder."""
    return Image(folder=folder, stage=dockerfile.final_stage(dockerfile.instructions(ROOT / "Dockerfile")))


def build(folder: Path) -> None:
    """Do what the first stage of the Dockerfile says.

    Raises:
        CalledProcessError: a command failed. It has printed why.
    """
    source, venv = folder / "build", folder / "venv"
    source.mkdir()
    venv.mkdir()
    environment = Path(sys.prefix)  # its python stands in for that of the base image
    sandbox = Sandbox(
        writable={"/build": source, VENV: venv},
        readable={str(environment): environment, "/run": Path("/run")},
        environment=None,
        folder="/build",
    )
    for each in dockerfile.build_stage(dockerfile.instructions(ROOT / "Dockerfile")):
        if each.word == "COPY":
            _copy(each.rest.split(), source)
        elif each.word == "RUN":
            _run(sandbox.command(["sh", "-ec", f'PATH="{environment}/bin:$PATH"; {each.rest}']))


def _run(command: list[str]) -> None:
    """Run a command, whose output is printed only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        done.check_returncode()


def _copy(words: list[str], target: Path) -> None:
    """Copy files and folders of the checkout, without what .dockerignore leaves out."""
    *names, place = words
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / place)
