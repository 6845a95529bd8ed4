"""Serving: granian, `flask run`, and the fast path in front of Flask."""
