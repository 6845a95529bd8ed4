"""A whole database copied into another kind of one, and compared."""
