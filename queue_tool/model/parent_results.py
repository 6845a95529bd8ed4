"""The results of a parent, as the function of a continuation reads them: one page after the other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from queue_tool.model import json_text


class WantedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Which results to read next."""

    parent: str  # the batch or task, as `model.continuation` writes it
    task: int = -1  # the row of the last task that was read
    refusal: int = -1  # the index of the last refused element that was read


class PlainResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one element. What is JSON is a text, so that it can have any depth."""

    index: int
    token: str | None
    custom_id: str | None
    status: str
    item: str | None
    result: str | None
    error: str | None


class ResultPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of results."""

    results: tuple[PlainResult, ...]
    following: WantedPage | None  # the next page; None: this is the last one


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentResult:
    """The result of one element of the parent batch, or of the parent task."""

    index: int  # position in the batch
    token: str | None  # None: the element was refused
    custom_id: str | None
    status: str  # the state of the task, or "rejected"
    item: Any
    result: Any  # None if it has none
    error: Any  # an object with `code`, and with `message` or `errors`; None if nothing failed


class ParentResults:
    """The results of a parent in their order, in constant memory: for `for` and, on an event loop, for `async for`."""

    def __init__(self, parent: str, read: Callable[[WantedPage], Any]) -> None:
        """Read the results of this parent.

        Args:
            parent: as `model.continuation` writes it.
            read: returns a page; where an event loop runs, a coroutine that does.
        """
        self._parent = parent
        self._read = read

    def __iter__(self) -> Iterator[ParentResult]:
        """Return the results, from the first one on.

        Raises:
            TypeError: an event loop runs here, which must not wait for the database.
        """
        if _on_a_loop():
            raise TypeError("An `async def` reads results with `async for result in context.results()`.")
        return self._pages()

    async def __aiter__(self) -> AsyncIterator[ParentResult]:
        """Return the results, from the first one on."""
        wanted: WantedPage | None = WantedPage(parent=self._parent)
        while wanted is not None:
            page: ResultPage = await self._read(wanted)
            for each in page.results:
                yield _shown(each)
            wanted = page.following

    def _pages(self) -> Iterator[ParentResult]:
        wanted: WantedPage | None = WantedPage(parent=self._parent)
        while wanted is not None:
            page: ResultPage = self._read(wanted)
            yield from map(_shown, page.results)
            wanted = page.following


def _on_a_loop() -> bool:
    import asyncio  # only here: it would make the start of each process longer

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _shown(plain: PlainResult) -> ParentResult:
    return ParentResult(
        index=plain.index,
        token=plain.token,
        custom_id=plain.custom_id,
        status=plain.status,
        item=_value(plain.item),
        result=_value(plain.result),
        error=_value(plain.error),
    )


def _value(text: str | None) -> Any:
    return None if text is None else json_text.loads(text)
