"""Make texts from outside safe to store in every database."""

from __future__ import annotations


def keepable(text: str, longest: int) -> str:
    """Return the text as valid UTF-8 without U+0000, cut to `longest` characters before escaping."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return encodable(short)


def encodable(text: str) -> str:
    """Return the text as valid UTF-8 without U+0000. Invalid characters become escapes such as `\\x00`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
