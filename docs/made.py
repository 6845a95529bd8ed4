"""The parts of the documentation that are made from the code.

    python docs/made.py          write them
    python docs/made.py --check  say which are out of date, and fail

Each part stands in README.md or docs/events.md between `<!-- made: NAME -->` and `<!-- /made -->`; `.env.example` is
made whole.
"""

from __future__ import annotations

import inspect
import re
import sys
from datetime import datetime
from pathlib import Path

from queue_tool.model.events import EVENTS, SUBJECTS
from queue_tool.model.settings import described
from queue_tool.model.states import MOVES, State
from queue_tool.model.telemetry import DescribedField, Event, described_fields

ROOT = Path(__file__).parents[1]

JSON_TYPES = {str: "string", int: "integer", float: "number", Path: "string", datetime: "string"}


def settings_table() -> str:
    """Return the settings as a table."""
    rows = [f"| `{each.name}` | {each.default} | {each.meaning} |" for each in described()]
    return "\n".join(["| name | default | meaning |", "|---|---|---|", *rows])


def states_diagram() -> str:
    """Return the legal moves as a diagram in Mermaid's language."""
    arrows = [
        f"    {source} --> {transition.target}: {move.value.replace('_', ' ')}"
        for move, transition in MOVES.items()
        for source in sorted(transition.sources)
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {State.QUEUED}: submit", *arrows, "```"])


def events_by_subject() -> str:
    """Return a section for each subject, and in it one for each event."""
    parts = []
    for subject in SUBJECTS:
        name = subject.__name__.rpartition(".")[2]
        parts.append(f"## {name.capitalize()}\n\n{inspect.getdoc(subject)}")
        parts += [event_section(kind) for kind in EVENTS if kind.__module__ == subject.__name__]
    return "\n" + "\n\n".join(parts) + "\n"


def event_section(kind: type[Event]) -> str:
    """Return the section of one event: its name in the log, its level, what happened, and its fields."""
    what = " ".join((inspect.getdoc(kind) or "").split())
    rows = [field_row(field) for field in described_fields(kind)]
    table = ["", "| field | type | meaning |", "|---|---|---|", *rows] if rows else []
    return "\n".join([f"### `{kind.title}`", "", f"Level `{kind.level.name.lower()}`. {what}", *table])


def field_row(field: DescribedField) -> str:
    """Return the row of one field."""
    json_type = "string" if issubclass(field.type, str) else JSON_TYPES[field.type]
    return f"| `{field.name}` | {json_type}{', optional' if field.optional else ''} | {field.meaning} |"


def env_example() -> str:
    """Return a file of settings in which nothing is chosen yet."""
    lines = ["# Copy this to .env and change what you need. Everything is optional.", ""]
    for each in described():
        lines += [f"# {each.meaning[0].upper()}{each.meaning[1:]}.", f"# Default: {each.default}", f"#{each.name}=", ""]
    return "\n".join(lines)


def filled(text: str) -> str:
    """Return a page with its made parts as the code has them now."""
    parts = {"settings": settings_table(), "states": states_diagram(), "events": events_by_subject()}
    for name, part in parts.items():
        start, end = f"<!-- made: {name} -->", "<!-- /made -->"
        pattern = re.compile(re.escape(start) + r".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, made=f"{start}\n{part}\n{end}": made, text, count=1)
    return text


def main() -> int:
    """Write or check; return the exit code."""
    pages = [ROOT / "README.md", ROOT / "docs" / "events.md"]
    made = {page: filled(page.read_text("utf-8")) for page in pages} | {ROOT / ".env.example": env_example()}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)} is not what the code says\n")
        if "--check" not in sys.argv:
            path.write_text(made[path], "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
