"""The user's own task types, declared by the modules in QUEUE_TOOL_TASKS and by entry points of installed packages.

Every error in these sources becomes one sentence that names the source. This includes SystemExit: a module that is a
script could otherwise end the process without a message and with exit code 0.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from types import MethodType, ModuleType

from queue_tool.errors import BadTaskType
from queue_tool.model import events
from queue_tool.model.task_types import TaskTypes, declared
from queue_tool.model.telemetry import Telemetry

GROUP = "queue_tool.tasks"
"""The entry point group in which a package lists its modules that declare task types, or its task functions."""

LONGEST_REASON = 500
"""The maximum number of characters kept of an error's text: some texts fill a page."""

_IMPORT_MACHINERY = (__file__, importlib.__file__, metadata.__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A module or an entry point that declares task types when it is loaded."""

    name: str  # its name in messages
    module: str
    load: Callable[[], object]


def load(types: TaskTypes, modules: Sequence[str], telemetry: Telemetry) -> None:
    """Add the user's task types: those already declared in this process, those of entry points and of these modules.

    Raises:
        BadTaskType: a source cannot be imported, or declares a task type that cannot be used.
    """
    if modules:
        _search_current_directory()
    _add_declared(types)
    for source in (*_entry_points(), *map(_module, modules)):
        _load(source, types, telemetry)


def _search_current_directory() -> None:
    """Let modules be found in the current directory too. It comes last, so that no file there hides another module."""
    with suppress(OSError):  # the directory was removed
        here = str(Path.cwd())
        if here not in sys.path:
            sys.path.append(here)


def _entry_points() -> Iterator[_Source]:
    try:
        found = _installed()
    except Exception as error:
        raise BadTaskType(f"The entry points of the installed packages cannot be read: {_described(error)}.") from error
    for point in found:
        yield _Source(
            name=f"The entry point '{point.name} = {point.value}' of {GROUP}",
            module=point.value.partition(":")[0],
            load=partial(_load_entry_point, point),
        )


@cache
def _installed() -> list[metadata.EntryPoint]:
    """Return the entry points of the group. They are cached, because reading all installed packages takes long."""
    return sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _load_entry_point(point: metadata.EntryPoint) -> None:
    found = point.load()
    if not isinstance(found, ModuleType) and not any(_is_same(found, known.function) for known in declared.values()):
        raise BadTaskType("It points to neither a module nor a function that is declared with `@task`.")


def _is_same(found: object, function: object) -> bool:
    """Return whether two names lead to one callable. A method of an object is made anew at each access."""
    return found is function or (isinstance(found, MethodType) and found == function)


def _module(name: str) -> _Source:
    full_name = f"The module {name!r} of QUEUE_TOOL_TASKS"
    return _Source(name=full_name, module=name, load=partial(importlib.import_module, name))


def _load(source: _Source, types: TaskTypes, telemetry: Telemetry) -> None:
    is_new, before = source.module not in sys.modules, len(declared)
    try:
        source.load()
        _add_declared(types)
    except KeyboardInterrupt:  # Ctrl-C: the user need not wait until the import ends
        raise
    except BadTaskType as error:
        raise BadTaskType(f"{source.name}: {error.sentence}") from error
    except BaseException as error:
        raise BadTaskType(f"{source.name} cannot be imported: {_described(error)}.") from error
    if is_new and len(declared) == before:
        telemetry.emit(events.Warned(reason=f"{source.name} declares no task type"))


def _add_declared(types: TaskTypes) -> None:
    for task_type in declared.values():
        types.add(task_type)


def _described(error: BaseException) -> str:
    """Return an error's type, its text on one line, and the place in the user's code that raised it."""
    text = " ".join(str(error).split()).rstrip(".")[:LONGEST_REASON]
    places = [
        f" ({frame.filename}, line {frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in _IMPORT_MACHINERY and not frame.filename.startswith("<")
    ]
    return f"{type(error).__name__}{text and ': '}{text}{''.join(places[-1:])}"
