"""Tests of the worker with RQ's own workers, commands and tools."""
