"""The built-in task types, from submit to the stored result."""

from __future__ import annotations

from typing import Any

import pytest

from queue_tool.model.new_task import Accepted
from queue_tool.runtime import Runtime


@pytest.mark.parametrize(
    ("name", "data", "result"),
    [
        ("sleep", {"item": "a", "valor": 0}, "null"),
        ("reverse_text", "Merhaba\0ü😀", '"😀ü\\u0000abahreM"'),
        ("uppercase", "merhaba", '"MERHABA"'),
        ("sum_numbers", [1, 2, 2**64 - 1], "18446744073709551618"),
        ("simulate", {"max": 0, "failure": 0}, '{"seconds":0.0}'),
        ("echo", {"any": [None, "\0", 1.0]}, '{"any":[null,"\\u0000",1.0]}'),
    ],
)
def test_each_built_in_type_stores_its_result(inline: Runtime, name: str, data: Any, result: str) -> None:
    (element,) = inline.submit([data], inline.of_type(name)).elements
    assert isinstance(element, Accepted), element
    assert inline.ask.task(element.token).result == result
