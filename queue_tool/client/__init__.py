"""The Python client of the HTTP API: `Client` for programs that wait for each answer, `AsyncClient` for `async` ones.

What to send and how to read the answers is one logic, in generators that do no I/O (`calls.py`); each client only adds
a driver that does their steps.
"""

from __future__ import annotations
