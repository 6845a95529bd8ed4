"""The parts of the documentation that are made from the code, or from another page.

    python docs/made.py          write them
    python docs/made.py --check  name the files that are out of date, and fail

Each part stands in a page between `<!-- made: NAME -->` and `<!-- /made -->`; `.env.example` is made whole.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from queue_tool.cli.client import COMMANDS
from queue_tool.cli.client.ending import MEANINGS
from queue_tool.cli.client.options import OF_DEAD_LETTERS, OF_TASKS
from queue_tool.cli.groups import client_command
from queue_tool.execution.builtin import builtin_types
from queue_tool.model.events import EVENTS, SUBJECTS
from queue_tool.model.metrics import METRICS
from queue_tool.model.payloads.details import TaskDetails
from queue_tool.model.payloads.fields import REFERENCE
from queue_tool.model.payloads.filters import FailedFilters, Filters
from queue_tool.model.settings import described
from queue_tool.model.states import MOVES, State
from queue_tool.model.telemetry import DescribedField, Event, described_fields
from queue_tool.web.groups import groups
from queue_tool.web.http.entries import entries
from queue_tool.web.openapi.schemas import payload_schemas

ROOT = Path(__file__).parents[1]

NULL = {"type": "null"}

JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", Path: "string", datetime: "string"}


def table(head: str, *rows: tuple[object, ...]) -> str:
    """Return a table in Markdown; the head has its cells between bars."""
    lines = ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join([f"| {head} |", "|" + "---|" * (head.count("|") + 1), *lines])


def settings_table() -> str:
    """Return the settings as a table."""
    return table("name | default | meaning", *((f"`{each.name}`", each.default, each.meaning) for each in described()))


def task_keys_table() -> str:
    """Return the keys of a task in `POST /tasks`, from the schema that checks them."""
    schema = json.loads((ROOT / "queue_tool" / "model" / "task_request.json").read_text("utf-8"))
    rows = [(f"`{name}`", values_of(key), key["description"]) for name, key in schema["properties"].items()]
    return table("key | value | meaning", *rows)


def values_of(key: Mapping[str, object]) -> str:
    """Return which values a key may have, in words."""
    if "enum" in key:
        return ", ".join(f"`{value}`" for value in key["enum"] if value)  # type: ignore[attr-defined] # a JSON array
    if key.get("format") == "date-time":
        return "time (RFC 3339)"
    types = key.get("type", "any JSON")
    return str(types if isinstance(types, str) else types[0])  # type: ignore[index] # a JSON array


def task_details_table() -> str:
    """Return the keys of `GET /tasks/<token>`, from the struct that the route answers with."""
    parts, _ = payload_schemas({TaskDetails, Filters, FailedFilters})
    properties = parts[TaskDetails.__name__]["properties"]
    return table(
        "key | type | meaning",
        *((f"`{name}`", type_of(key, parts), key["description"]) for name, key in properties.items()),
    )


def type_of(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """Return the type of a value in words; of an object its keys, with `?` after those that may be missing.

    Args:
        schema: the JSON Schema of the value.
        parts: the schemas to which it may refer, by name.
    """
    if "anyOf" in schema:
        return " or ".join(type_of(choice, parts) for choice in sorted(schema["anyOf"], key=NULL.__eq__))
    if "$ref" in schema:
        return type_of(parts[schema["$ref"].removeprefix(REFERENCE)], parts)
    if "items" in schema:
        return f"array of {type_of(schema['items'], parts)}"
    if "properties" in schema:
        required = schema.get("required", ())
        return f"`{{{', '.join(f'{name}' if name in required else f'{name}?' for name in schema['properties'])}}}`"
    if schema.get("format") == "date-time":
        return "time"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    types = schema.get("type", "any JSON")
    return types if isinstance(types, str) else " or ".join(types)


def types_table() -> str:
    """Return the built-in task types."""
    return table("type | does", *((f"`{kind.name}`", kind.description) for kind in builtin_types(1)))


def routes_table() -> str:
    """Return all routes with their roles, from the declared operations: those for programs, then the pages."""
    operations = [operation for group in groups() for operation in group.operations]
    operations.sort(key=lambda operation: not operation.in_document)
    rows = [
        (f"`{each.method} {_CONVERTER.sub('<', each.path)}`", each.role.name.lower(), each.summary)
        for each in operations
    ]
    return table("route | role | does", *rows)


_CONVERTER = re.compile(r"<\w+:")


def commands_table() -> str:
    """Return the commands of the client, with what each does and its options."""
    rows = []
    for name in COMMANDS:
        command = client_command(name)
        below = command.commands if isinstance(command, click.Group) else {"": command}
        for word, each in below.items():
            arguments = [
                part.make_metavar(click.Context(each)) for part in each.params if isinstance(part, click.Argument)
            ]
            line = " ".join(filter(None, ["queue-tool", name, word, *arguments]))
            rows.append((f"`{line}`", each.get_short_help_str(200).rstrip("."), ", ".join(options_of(each))))
    return table("command | does | options", *rows)


def options_of(command: click.Command) -> list[str]:
    """Return the options of a command, in which "filters" stands for the options of all filters."""
    options = {str(option.name): f"`{option.opts[0]}`" for option in command.params if isinstance(option, click.Option)}
    if not options.keys() >= OF_DEAD_LETTERS:
        return list(options.values())
    return ["filters", *(option for name, option in options.items() if name not in OF_TASKS)]


def exit_codes_table() -> str:
    """Return the exit codes of these commands."""
    return table("exit code | means", *((f"`{code.value}`", meaning) for code, meaning in MEANINGS.items()))


def errors_table() -> str:
    """Return the errors that HTTP knows: their codes and statuses, what brought them about, and what to do."""
    rows = [(f"`{each.code}`", each.status, each.cause, each.remedy) for each in entries()]
    return table("code | HTTP | cause | what to do", *rows)


def metrics_table() -> str:
    """Return all metrics, with their labels."""
    return table(
        "metric | kind | labels | meaning",
        *(
            (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning)
            for each in METRICS
        ),
    )


def chaos_sentence() -> str:
    """Return what the page about chaos found, from the figures in its table."""
    rows = re.findall(r"^\| ([\w ]+?)(?: \([^|]*\))? \|([^|]*\|[^|]*)\|$", page("docs/chaos.md"), re.MULTILINE)
    tasks, kills, lost = (sum_of_row(dict(rows)[name]) for name in ("tasks", "kills", "tokens lost"))
    return (
        f"Proof: in the run of [docs/chaos.md](docs/chaos.md), {tasks:,} tasks went through {kills} kills and two\n"
        f"wipes of Redis, and {lost or 'none'} was lost. `make chaos` repeats it on your machine."
    )


def sum_of_row(cells: str) -> int:
    """Return the sum of the first numbers of a row's cells."""
    return sum(int(re.findall(r"[\d,]+", cell)[0].replace(",", "")) for cell in cells.split("|"))


def speed_sentences() -> str:
    """Return what the page about speed found, its weak side included."""
    rq, per_task = "Flask + RQ `enqueue` per item", "## P2: Run empty tasks"
    batch, single = times("## P1: Submit 10,000", rq), times("## P1: Submit one item", rq)
    workers = [
        times(per_task, peer) for peer in ("RQ, `rq worker` x 2", "dramatiq, 2 x 8 threads", "huey, 2 x 8 threads")
    ]
    (measured,) = re.findall(r"wrote this page on ([\d-]+)", page("docs/benchmark.md"))
    text = (
        f"**Fast**, as measured on {measured}: on two cores, tasks of the built-in `sleep` are done {workers[0]} times "
        f"as fast as by `rq worker`, {workers[1]} times as fast as by dramatiq, {workers[2]} times as fast as by huey. "
        f"A request with 10,000 elements is accepted {batch} times as fast as with Flask and RQ's `enqueue`, but one "
        f"with a single element only {single} times as fast: [docs/benchmark.md](docs/benchmark.md) has all figures "
        "and each missed goal."
    )
    return textwrap.fill(text, 118, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)


def times(section: str, peer: str) -> str:
    """Return how many times as fast as a peer we are, as a section's table says."""
    text = page("docs/benchmark.md").partition(section)[2].partition("\n## ")[0]
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {peer} |"))
    return re.findall(r"\| ([\d.]+) x \|", row)[0]  # type: ignore[no-any-return] # a list of texts


def page(name: str) -> str:
    """Return the text of a page."""
    return (ROOT / name).read_text("utf-8")


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


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings_table,
    "states": states_diagram,
    "events": events_by_subject,
    "task keys": task_keys_table,
    "task details": task_details_table,
    "types": types_table,
    "commands": commands_table,
    "exit codes": exit_codes_table,
    "errors": errors_table,
    "routes": routes_table,
    "metrics": metrics_table,
    "chaos": chaos_sentence,
    "speed": speed_sentences,
}

_MADE = re.compile(r"<!-- made: (?P<name>[\w ]+) -->\n.*?<!-- /made -->", re.DOTALL)


def filled(text: str) -> str:
    """Return a page with its made parts as the code has them now.

    Raises:
        KeyError: the page asks for a part that does not exist.
    """
    return _MADE.sub(lambda part: f"<!-- made: {part['name']} -->\n{PARTS[part['name']]()}\n<!-- /made -->", text)


def main() -> int:
    """Write or check; return the exit code."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]
    made = {path: filled(path.read_text("utf-8")) for path in pages} | {ROOT / ".env.example": env_example()}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)} is not what the code says\n")
        if "--check" not in sys.argv:
            path.write_text(made[path], "utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
