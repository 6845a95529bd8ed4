"""The user's own task types: what the modules of a setting and the entry points of installed packages declare.

Whatever goes wrong in one of them becomes one sentence that names it, SystemExit too: a module that is a script would
end the process, perhaps without a word and with the code of success.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from types import ModuleType

from queue_tool.errors import BadTaskType
from queue_tool.model import events
from queue_tool.model.task_types import TaskTypes, declared
from queue_tool.model.telemetry import Telemetry

GROUP = "queue_tool.tasks"
"""The group of entry points in which a package names its modules, or functions, with task types."""

LONGEST_REASON = 500
"""Characters kept of what an error says: some fill a page."""

_MACHINERY = (__file__, importlib.__file__, metadata.__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Something that declares task types when it is loaded."""

    name: str  # what a sentence calls it
    module: str
    load: Callable[[], object]


def load(types: TaskTypes, modules: Sequence[str], telemetry: Telemetry) -> None:
    """Add all that the user has declared: in this process already, by entry points, in these modules.

    Raises:
        BadTaskType: something cannot be imported, or declares what cannot be used.
    """
    if modules and "" not in sys.path:
        sys.path.insert(0, "")  # a command's own directory comes first there; people mean the current one
    _add_declared(types)
    for source in (*_entry_points(), *map(_module, modules)):
        _load(source, types, telemetry)


def _entry_points() -> Iterator[_Source]:
    try:
        found = _installed()
    except Exception as error:
        raise BadTaskType(f"The entry points of the installed packages cannot be read: {_said(error)}.") from error
    for point in found:
        yield _Source(
            name=f"The entry point '{point.name} = {point.value}' of {GROUP}",
            module=point.value.partition(":")[0],
            load=partial(_load_entry_point, point),
        )


@cache
def _installed() -> list[metadata.EntryPoint]:
    """Return the entry points of the group; every installed package is asked, which takes its time, so only once."""
    return sorted(metadata.entry_points(group=GROUP), key=lambda point: (point.name, point.value))


def _load_entry_point(point: metadata.EntryPoint) -> None:
    found = point.load()
    if not isinstance(found, ModuleType) and all(found is not each.function for each in declared.values()):
        raise BadTaskType("It leads to neither a module nor a function that `@task` has declared.")


def _module(name: str) -> _Source:
    name_in_full = f"The module {name!r} of QUEUE_TOOL_TASKS"
    return _Source(name=name_in_full, module=name, load=partial(importlib.import_module, name))


def _load(source: _Source, types: TaskTypes, telemetry: Telemetry) -> None:
    is_new, before = source.module not in sys.modules, len(declared)
    try:
        source.load()
        _add_declared(types)
    except KeyboardInterrupt:  # it is the user's, who need not wait for the end of an import
        raise
    except BadTaskType as error:
        raise BadTaskType(f"{source.name}: {error.sentence}") from error
    except BaseException as error:
        raise BadTaskType(f"{source.name} cannot be imported: {_said(error)}.") from error
    if is_new and len(declared) == before:
        telemetry.emit(events.Warned(reason=f"{source.name} declares no task type"))


def _add_declared(types: TaskTypes) -> None:
    for each in declared.values():
        types.add(each)


def _said(error: BaseException) -> str:
    """Return an error's kind, its words on one line, and where in the user's code it was raised."""
    words = " ".join(str(error).split()).rstrip(".")[:LONGEST_REASON]
    places = [
        f" ({frame.filename}, line {frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in _MACHINERY and not frame.filename.startswith("<")
    ]
    return f"{type(error).__name__}{words and ': '}{words}{''.join(places[-1:])}"
