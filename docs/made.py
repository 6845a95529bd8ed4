"""The parts of the documentation that are made from the code.

    python docs/made.py          write them
    python docs/made.py --check  say which are out of date, and fail

Each part stands in README.md between `<!-- made: NAME -->` and `<!-- /made -->`; `.env.example` is made whole.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from queue_tool.model.settings import described
from queue_tool.model.states import MOVES, State

ROOT = Path(__file__).parents[1]


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


def env_example() -> str:
    """Return a file of settings in which nothing is chosen yet."""
    lines = ["# Copy this to .env and change what you need. Everything is optional.", ""]
    for each in described():
        lines += [f"# {each.meaning[0].upper()}{each.meaning[1:]}.", f"# Default: {each.default}", f"#{each.name}=", ""]
    return "\n".join(lines)


def readme(text: str) -> str:
    """Return the README with its made parts as the code has them now."""
    for name, part in {"settings": settings_table(), "states": states_diagram()}.items():
        start, end = f"<!-- made: {name} -->", "<!-- /made -->"
        pattern = re.compile(re.escape(start) + r".*?" + re.escape(end), re.DOTALL)
        text = pattern.sub(lambda _, made=f"{start}\n{part}\n{end}": made, text, count=1)
    return text


def main() -> int:
    """Write or check; return the exit code."""
    made = {
        ROOT / "README.md": readme((ROOT / "README.md").read_text("utf-8")),
        ROOT / ".env.example": env_example(),
    }
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)} is not what the code says\n")
        if "--check" not in sys.argv:
            path.write_text(made[path], "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
