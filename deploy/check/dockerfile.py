"""What the Dockerfile says."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

COMMENT = re.compile(r"^#.*\n", re.MULTILINE)

ONE_LINE = re.compile(r"\\\n\s*")
"""Where an instruction continues on the next line."""

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path of a base image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction, such as `RUN`, and what follows it."""

    word: str
    rest: str


def instructions(path: Path) -> list[Instruction]:
    """Return the instructions of a Dockerfile, in order."""
    text = ONE_LINE.sub(" ", COMMENT.sub("", path.read_text("utf-8")))
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return [Instruction(word=word, rest=rest) for word, rest in pairs]


def build_stage(found: list[Instruction]) -> list[Instruction]:
    """Return the instructions of the first stage, which makes the program."""
    return found[_starts(found)[0] + 1 : _starts(found)[1]]


def final_stage(found: list[Instruction]) -> list[Instruction]:
    """Return the instructions of the last stage, which is the image."""
    return found[_starts(found)[-1] + 1 :]


def environment(stage: list[Instruction]) -> dict[str, str]:
    """Return the variables that a stage sets for the containers."""
    words = [word for each in stage if each.word == "ENV" for word in shlex.split(each.rest)]
    return {name: value.replace("$PATH", PATH) for name, _, value in (word.partition("=") for word in words)}


def value_of(stage: list[Instruction], word: str) -> str:
    """Return what the last instruction with this word says."""
    return [each.rest for each in stage if each.word == word][-1]


def words_of(stage: list[Instruction], word: str) -> list[str]:
    """Return the command of an instruction, whose form is JSON: no shell is between."""
    words: list[str] = json.loads(re.sub(r"^[^\[]*", "", value_of(stage, word)))
    return words


def _starts(found: list[Instruction]) -> list[int]:
    return [number for number, each in enumerate(found) if each.word == "FROM"]
