"""Make texts from outside safe to store in every database."""

from __future__ import annotations


def keepable(text: str, longest: int) -> str:
    """Return the text as valid UTF-8 without U+0000, cut to `longest` characters before escaping."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return encodable(short)


def encodable(text: str) -> str:
    """Return the text as valid UTF-8 without U+0000. Invalid characters become escapes such as `\\x00`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def described(error: BaseException, longest: int = 500) -> str:
    """Return an error's type and text in one short line, even if its own methods fail."""
    try:
        text = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the error is the user's, and its text may be made by any code
        text = f"{type(error).__name__} (its text cannot be read)"
    return keepable(text, longest)
