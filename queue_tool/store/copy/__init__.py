"""Copying a whole database from SQLite to PostgreSQL, with a comparison of the rows."""
