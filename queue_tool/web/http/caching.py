"""Caching: nobody stores a response with data, and an ETag shows a client that polls whether it has changed."""

from __future__ import annotations

from hashlib import blake2b
from http import HTTPStatus

from flask import Response, request

NO_STORE = "no-store"
"""The `Cache-Control` of responses with data and of errors."""


def etag_of(body: bytes) -> str:
    """Return the strong ETag of a body, as the header has it (RFC 9110, section 8.8.3).

    For small bodies, hashes of OpenSSL such as SHA-1 take several times as long as this one.
    """
    return f'"{blake2b(body, digest_size=16).hexdigest()}"'


def revalidate(response: Response) -> Response:
    """Add an ETag to JSON and pages that a GET or HEAD returns; answer 304 if the client already has this version.

    A stream gets none: its end is not known when its headers are sent.
    """
    if (
        request.method in ("GET", "HEAD")
        and response.status_code == HTTPStatus.OK
        and response.mimetype in ("application/json", "text/html")
        and not response.is_streamed
    ):
        if "ETag" not in response.headers:
            response.headers["ETag"] = etag_of(response.get_data())
        if "If-None-Match" in request.headers and request.if_none_match.contains_weak(response.get_etag()[0] or ""):
            response.status_code = HTTPStatus.NOT_MODIFIED  # werkzeug then removes the body and its headers
    return response


def forbid_storing(response: Response) -> Response:
    """Forbid clients and proxies to store a response, unless its route set `Cache-Control` itself."""
    response.headers.setdefault("Cache-Control", NO_STORE)
    return response
