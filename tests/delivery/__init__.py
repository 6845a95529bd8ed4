"""Tests of what goes out over HTTP, with real receivers."""
