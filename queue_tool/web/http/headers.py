"""The longest value of each request header that is parsed. Parsing a longer one could keep a process busy for seconds.

Some parsers need time that grows with the square of the length, and also those of Flask itself, for static files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST: Mapping[str, int] = {
    "Accept": 1000,
    "Accept-Language": 1000,
    "Content-Type": 255,
    "Cookie": 4096,
    "If-Match": 255,
    "If-Modified-Since": 64,
    "If-None-Match": 255,
    "If-Range": 255,
    "If-Unmodified-Since": 64,
    "Last-Event-Id": 80,
    "Prefer": 64,
    "Range": 255,
}
"""Characters. A request with a longer header is handled as if it did not have this header.

Headers that decide about access are not here: they are compared and hashed as they are, and not parsed.
"""

_PLACES = {
    name.upper().replace("-", "_") if name == "Content-Type" else f"HTTP_{name.upper().replace('-', '_')}": longest
    for name, longest in LONGEST.items()
}


class BoundedHeaders:
    """WSGI middleware that removes headers that are too long."""

    def __init__(self, application: WSGIApplication) -> None:
        """Wrap an application."""
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, without the headers that are too long."""
        for place, longest in _PLACES.items():
            if len(environ.get(place, "")) > longest:
                del environ[place]
        return self._application(environ, start_response)
