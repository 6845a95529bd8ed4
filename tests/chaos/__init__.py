"""Chaos: a steady load while processes are killed at random, then an audit of every token that a client received."""
