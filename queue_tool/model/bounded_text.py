"""Texts that come from outside, made so that every database can keep them."""

from __future__ import annotations


def keepable(text: str, longest: int) -> str:
    """Return a text that is valid in UTF-8, without U+0000 and not longer than so many characters."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return encodable(short)


def encodable(text: str) -> str:
    """Return a text that is valid in UTF-8, without U+0000."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")
