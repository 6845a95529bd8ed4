"""The standard descriptors: a program that was started without some of them must not use their numbers for others."""

from __future__ import annotations

import os
import sys

_STANDARD = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_standard() -> None:
    """Open each standard descriptor that is closed, as by `2>&-`: what is written to it is lost.

    Otherwise the next file, pipe or socket would get its number, and the log would be written there.
    """
    missing = []
    for number, (name, mode) in enumerate(_STANDARD):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number, which is this one
            os.set_inheritable(number, True)
            missing.append((number, name, mode))
    for number, name, mode in missing:
        if getattr(sys, name) is None:
            stream = os.fdopen(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
