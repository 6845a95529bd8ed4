"""A page of a list. All lists have one form: `items`, `next`, and `total`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, UnsetType

from queue_tool.model.payloads.fields import Count, Payload

Element = TypeVar("Element")


class Page(Payload, Generic[Element], frozen=True, kw_only=True):
    """One page of a list."""

    items: Annotated[Sequence[Element], Meta(description="The items of this page.")]
    next: Annotated[
        str | None, Meta(description="The value of the parameter `cursor` for the next page; null on the last page.")
    ]
    total: Annotated[Count, Meta(description="How many items all pages have together, counted up to 10,000.")]
    total_is: Annotated[
        Literal["at least"] | UnsetType,
        Meta(description="Only if the list has more than `total` items. Without it, `total` is exact."),
    ] = UNSET
