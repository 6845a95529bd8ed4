"""Task requests in the words of an earlier system: `{"Payload": ..., "Parameters": {...}}`, in upper or lower case.

`Payload` is the data and `Parameters` the parameters. The other keys are those of a task request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from queue_tool.model.schema import FieldError

KEYS: Mapping[str, str] = MappingProxyType({"payload": "data", "parameters": "parameters"})
"""The keys of the earlier system in lower case, and ours."""

PAYLOAD_TYPE = "echo"
"""The task type of such a request, if it names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Translated:
    """A request in our words, and the names that the client used."""

    request: Mapping[str, Any]
    names: Mapping[str, str]  # our key -> the client's

    def in_clients_words(self, errors: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
        """Return errors with paths that begin with the client's names."""
        return tuple(replace(error, path=self._path(error.path)) for error in errors)

    def _path(self, path: str) -> str:
        _, _, rest = path.partition("/")
        key, slash, inner = rest.partition("/")
        return f"/{self.names[key]}{slash}{inner}" if key in self.names else path


def translate(value: object) -> Translated | FieldError | None:
    """Return a request in our words; None if it is no request of the earlier system; the error if it is ambiguous.

    A request is one of the earlier system if it has a key `Payload`, or `Parameters` not all in lower case.
    """
    if not isinstance(value, dict):
        return None
    names: dict[str, str] = {}
    request: dict[str, Any] = {}
    for name, part in value.items():
        key = KEYS.get(name.lower(), name) if len(name) <= len("parameters") else name
        if key in request:
            other = names.get(key, key)
            return FieldError(path=f"/{name}", message=f"{other} and {name} mean the same: send only one of them.")
        request[key] = part
        if key != name:
            names[key] = name
    return Translated(request={"task_type": PAYLOAD_TYPE} | request, names=names) if names else None
