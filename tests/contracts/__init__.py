"""One suite per interface, run on each of its implementations."""
