"""The root of the tree."""

from __future__ import annotations

from typing import ClassVar


class QueueToolError(Exception):
    """Something went wrong inside of Queue Tool."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, sentence: str | None = None, *, retry_after: int | None = None) -> None:
        """Keep the sentence for the user, and the seconds after which to try again, if that can help."""
        self.sentence = sentence or type(self).default_sentence()
        self.retry_after = retry_after
        super().__init__(self.sentence)

    @classmethod
    def default_sentence(cls) -> str:
        """Return the first line of the class's docstring."""
        return (cls.__doc__ or QueueToolError.__doc__ or "").strip().splitlines()[0]
