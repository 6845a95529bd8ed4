"""Serving: granian, `flask run`, and what is answered in front of Flask."""
