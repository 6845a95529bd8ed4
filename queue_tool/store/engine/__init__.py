"""The engine: SQLite and PostgreSQL, and everything that differs between them."""
