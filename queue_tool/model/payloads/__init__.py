"""The JSON of the HTTP API: the bodies of requests and of answers, as typed values.

Their fields are the keys of the JSON, their docstrings and `Meta` are the descriptions in `/openapi.json`.
"""

from __future__ import annotations
