"""The task types `reverse_text` and `uppercase`: their data is a text, and their result is a text."""

from __future__ import annotations

from queue_tool.model.task_types import make_task_type


async def reverse_text(data: str) -> str:
    """Return the text backwards, by code points: an emoji or a letter of several code points is broken up."""
    return data[::-1]


async def uppercase(data: str) -> str:
    """Return the text in upper case, by the Unicode rules that are independent of a language: `i` becomes `I`."""
    return data.upper()


REVERSE_TEXT = make_task_type("reverse_text", reverse_text, schema={"description": "The text.", "type": "string"})
UPPERCASE = make_task_type("uppercase", uppercase, schema={"description": "The text.", "type": "string"})
