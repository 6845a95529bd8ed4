"""The root of the error tree."""

from __future__ import annotations

from typing import ClassVar


class QueueToolError(Exception):
    """An internal error occurred in Queue Tool."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, sentence: str | None = None, *, retry_after: int | None = None) -> None:
        """Create the error.

        Args:
            sentence: what the user reads; None: the class's default sentence.
            retry_after: seconds after which a retry may succeed; None: unknown, or a retry does not help.
        """
        self.sentence = sentence or type(self).default_sentence()
        self.retry_after = retry_after
        super().__init__(self.sentence)

    @classmethod
    def default_sentence(cls) -> str:
        """Return the first line of the class's docstring."""
        return (cls.__doc__ or QueueToolError.__doc__ or "").strip().splitlines()[0]
