"""The engine: the two kinds of database, and everything that they do each in its own way."""
