"""Values of declared types, made from what JSON texts contain."""

from __future__ import annotations

import threading
from typing import TypeVar, overload

import msgspec

Value = TypeVar("Value")

_known: set[object] = set()  # the types of which msgspec has made its own description

_first_use = threading.Lock()


@overload
def convert(value: object, kind: type[Value]) -> Value: ...
@overload
def convert(value: object, kind: object) -> object: ...
def convert(value: object, kind: object) -> object:
    """Return a value as one of a declared type.

    At the first use of a type, msgspec 0.22 makes a description of it in many steps, and shows it to other threads
    before it is whole: a conversion in another thread then ends the process with SIGSEGV. So the first use is here, by
    one thread at a time.

    Args:
        value: what `json_text.loads` can return.
        kind: the type, which is hashable.

    Raises:
        msgspec.ValidationError: the value is not of this type. The message says where and why.
    """
    if kind not in _known:
        with _first_use:
            msgspec.json.Decoder(kind)
        _known.add(kind)
    return msgspec.convert(value, kind)  # noqa: TID251 - all others come here
