"""The fenced blocks of a page, with the notes for this suite that stand before them.

A note is a comment of HTML, which readers do not see:

    <!-- test: starts -->            the last command of the next block keeps running
    <!-- test: stop -->              Ctrl-C for what runs
    <!-- test: varies duration lag   the values of these keys differ from run to run
    <!-- test: fails -->             the next command ends with an error
    <!-- test: system NAME=VALUE --> a system runs before the first block, with these settings
    <!-- test: package -->           the next block is a package's; it is installed
    <!-- test: needs PROGRAM -->     the next block is left out where this program is missing, except in CI
    <!-- test: skip REASON -->       the next block is not run
    <!-- test: engine -->            the next block needs a container engine; test_containers.py reads its commands
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md")))


def place(page: Path) -> str:
    """Return where a page is in this repository."""
    return page.relative_to(ROOT).as_posix()


COMMANDS = ("sh", "python", "toml", "ini", "js", "nginx", "haproxy", "yaml", "dockerfile")
"""Languages of blocks that are run, or written to the file that their first line names."""

ANSWERS = ("json", "jsonl", "csv", "http", "text")
"""Languages of blocks that show what the block before has printed."""

MADE = ("mermaid",)
"""Languages of blocks that `docs/made.py` writes."""

_PART = re.compile(r"<!-- test: (?P<note>.*?) -->|^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"\A# (?P<name>[\w./-]+\.\w+)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block."""

    page: Path
    line: int  # in the page, from 1
    language: str
    text: str
    notes: tuple[str, ...]  # in the page's order, without `test:`

    @property
    def is_answer(self) -> bool:
        """Return whether it shows what a command printed."""
        return self.language in ANSWERS

    @property
    def file(self) -> str | None:
        """Return the file that the block is the text of, as its first line says: `# name.py`."""
        found = _FILE.match(self.text)
        return found["name"] if found else None

    def has(self, note: str) -> bool:
        """Return whether this note stands before the block."""
        return any(each == note or each.startswith(f"{note} ") for each in self.notes)

    def words(self, note: str) -> list[str]:
        """Return the words of the notes that begin so."""
        return [word for each in self.notes if each.split()[0] == note for word in each.split()[1:]]

    def __str__(self) -> str:
        """Return where it is."""
        return f"{place(self.page)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Return the fenced blocks of a page."""
    text = page.read_text("utf-8")
    notes: list[str] = []
    for found in _PART.finditer(text):
        if found["note"]:
            notes.append(found["note"])
            continue
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page=page, line=line, language=found["language"], text=found["text"], notes=tuple(notes))
        notes.clear()
