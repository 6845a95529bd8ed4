"""Make texts from outside safe to store in every database."""

from __future__ import annotations


def keepable(text: str, longest: int) -> str:
    """Return the text as valid UTF-8 without U+0000, cut to `longest` characters before escaping."""
    short = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return encodable(short)


def encodable(text: str) -> str:
    """Return the text as valid UTF-8 without U+0000. Invalid characters become escapes such as `\\x00`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def text_of(error: BaseException, longest: int) -> str:
    """Return an error's text, even if the method that makes it fails."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the error is the user's, and its text may be made by any code
        text = "its text cannot be read"
    return keepable(text, longest)


def described(error: BaseException, longest: int = 500) -> str:
    """Return an error's type and text, even if the method that makes the text fails."""
    return keepable(f"{type(error).__name__}: {text_of(error, longest)}", longest)
