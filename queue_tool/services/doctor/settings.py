"""The check of the settings: those that cannot be used, and those that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from queue_tool.errors import BadSetting
from queue_tool.services.doctor.finding import Finding, ok, warning, wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsCheck:
    """Reads the settings."""

    errors: Sequence[BadSetting]  # of those that cannot be used
    unknown: Sequence[str]  # names that look like settings
    name: str = "settings"

    def __call__(self) -> Iterator[Finding]:
        """Return a finding for each setting that is wrong."""
        for error in self.errors:
            yield wrong(self, error.sentence.rstrip("."), "correct it, because no process starts")
        for name in self.unknown:
            yield warning(self, f"{name} is not a known setting and is ignored", "correct its name, or remove it")
        if not self.errors and not self.unknown:
            yield ok(self, "All settings can be used")
