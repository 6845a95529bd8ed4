"""Tests that take minutes: only `make soak` runs them."""
